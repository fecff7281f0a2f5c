//! Killing tokens at GitHub: some of them, those of an App that is forgotten, or all of them when the agent ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{LeaseId, Reply, Revoke, Revoked};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::broker::tokens::mint::Mint;
use crate::broker::{Broker, explain};
use crate::config::Config;
use crate::model::{App, Caller, InstallationToken, TokenScope};
use crate::token::TokenLease;

/// How long a revocation may take in all. Eight tokens at a time, so a hundred of them take a few seconds; a GitHub that does not
/// answer must not hold up whoever asked, or an agent that is told to end.
pub(in crate::broker) const REVOKE_LIMIT: Duration = Duration::from_secs(20);
/// Tokens that are killed at the same time. GitHub's secondary limits punish bursts.
const REVOKED_AT_ONCE: usize = 8;

impl Broker {
    /// Kills tokens at GitHub.
    pub async fn revoke(self: &Arc<Self>, revoke: Revoke, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let asked = |lease: &TokenLease| revoke.all || revoke.leases.contains(&lease.id);
        let config = Arc::clone(&self.state().config);
        let mut outcome = self.revoke_where(&config, asked, Instant::now() + REVOKE_LIMIT, caller).await;
        let known =
            |id: &LeaseId| outcome.revoked.contains(id) || outcome.failed.iter().any(|(failed, _)| failed == id);
        outcome.unknown = revoke.leases.iter().filter(|id| !known(id)).copied().collect();
        if outcome.revoked.is_empty() && outcome.failed.is_empty() {
            // What is killed has a line of its own each; that nothing was there is worth one, too.
            let mut record = crate::broker::new_record("revoke", caller, started);
            "nothing".clone_into(&mut record.outcome);
            self.write(record, started);
        }
        Reply::Revoked(outcome)
    }

    /// Whether tokens are to be killed when the agent stops.
    pub fn revokes_on_stop(&self) -> bool {
        self.state().config.agent.revoke_on_stop
    }

    /// Kills every token at GitHub, for an agent that ends. From now on none is handed out, and the mints that are under way are
    /// waited for: their tokens are killed, too.
    pub async fn revoke_all(self: &Arc<Self>, caller: &Caller) -> Revoked {
        let deadline = Instant::now() + REVOKE_LIMIT;
        let config = {
            let mut state = self.state();
            state.ending = true;
            Arc::clone(&state.config)
        };
        let landed = async { tokio::join!(self.mints.landed(), self.listings.landed(), self.introductions.landed()) };
        if timeout_at(deadline, landed).await.is_err() {
            warn!("a mint is still under way; its token dies with its hour");
        }
        self.revoke_where(&config, |_| true, deadline, caller).await
    }

    /// Keeps tokens from being handed out first, and then kills them at GitHub. One that GitHub could not be told about stays
    /// listed, so that it can be tried again. `config` knows the Apps of the tokens; it may be older than the running one.
    pub(in crate::broker) async fn revoke_where(
        self: &Arc<Self>,
        config: &Arc<Config>,
        which: impl Fn(&TokenLease) -> bool,
        deadline: Instant,
        caller: &Caller,
    ) -> Revoked {
        let now = self.clock.now();
        let mut taken: BTreeMap<LeaseId, TokenLease> = {
            let mut state = self.state();
            let ids: Vec<_> = state.tokens.live(now).filter(|lease| which(lease)).map(|lease| lease.id).collect();
            ids.into_iter().filter_map(|id| Some((id, state.tokens.retire(id)?.clone()))).collect()
        };
        let mut outcome = Revoked::default();
        let mut waiting: Vec<_> = taken.values().rev().cloned().collect();
        let mut killing = JoinSet::new();
        loop {
            while killing.len() < REVOKED_AT_ONCE
                && let Some(lease) = waiting.pop()
            {
                let (broker, config) = (Arc::clone(self), Arc::clone(config));
                killing.spawn(async move { (lease.id, broker.kill(&config, &lease).await) });
            }
            match timeout_at(deadline, killing.join_next()).await {
                Ok(Some(Ok((id, killed)))) => {
                    let Some(lease) = taken.remove(&id) else { continue };
                    self.account_for(&lease.scope, Some(id), &lease.minted.token, killed.as_ref().err(), caller);
                    match killed {
                        Ok(()) => {
                            self.state().tokens.remove(id);
                            outcome.revoked.push(id);
                        }
                        Err(error) => outcome.failed.push((id, error)),
                    }
                }
                Ok(Some(Err(error))) => warn!(%error, "a revocation ended without an outcome"),
                Ok(None) | Err(_) => break,
            }
        }
        for (id, lease) in taken {
            let error = unanswered(&lease);
            self.account_for(&lease.scope, Some(id), &lease.minted.token, Some(&error), caller);
            outcome.failed.push((id, error));
        }
        outcome.revoked.sort();
        outcome.failed.sort_by_key(|(id, _)| *id);
        outcome
    }

    /// Writes down what became of a token that was to be killed.
    fn account_for(
        &self,
        scope: &TokenScope,
        lease: Option<LeaseId>,
        token: &InstallationToken,
        error: Option<&WireError>,
        caller: &Caller,
    ) {
        let now = self.clock.now();
        let mut record = crate::broker::new_record("revoke", caller, now);
        record.host = Some(scope.host.to_string());
        record.app = Some(scope.app.to_string());
        record.label = scope.exposure.as_ref().map(|id| id.label.clone());
        record.installation_id = Some(scope.installation.0);
        record.lease = lease;
        record.hashed_token = Some(token.hash);
        record.outcome = match error {
            None => "revoked".to_owned(),
            Some(error) => format!("error {}, still alive", error.code.id()),
        };
        self.write(record, now);
    }

    /// Kills a token that nobody may have, or that nobody needs.
    pub(in crate::broker) async fn kill_unwanted(&self, mint: &Mint, token: &InstallationToken, caller: &Caller) {
        self.kill_unlisted(&mint.app, &mint.scope, token, caller).await;
    }

    /// Kills a token that is no lease.
    pub(in crate::broker) async fn kill_unlisted(
        &self,
        app: &App,
        scope: &TokenScope,
        token: &InstallationToken,
        caller: &Caller,
    ) {
        let killed = self.github.revoke(app, token).await.map_err(|error| explain::github(&error, app));
        self.account_for(scope, None, token, killed.as_ref().err(), caller);
        self.github.reconnect(); // the connection that it went over keeps it in a buffer
    }

    async fn kill(&self, config: &Config, lease: &TokenLease) -> Result<(), WireError> {
        let app = config
            .app(&lease.scope.app)
            .ok_or_else(|| WireError::new(ErrorCode::NotConfigured, format!("the App {} is gone", lease.scope.app)))?;
        let killed = self.github.revoke(app, &lease.minted.token).await;
        killed.map_err(|error| explain::github(&error, app))
    }
}

fn unanswered(lease: &TokenLease) -> WireError {
    let cause = format!("{} was not done with it within {} s", lease.scope.host, REVOKE_LIMIT.as_secs());
    WireError::new(ErrorCode::DeadlinePassed, cause).hint("try again: ghapp revoke --all")
}
