//! Revoking listed tokens at GitHub: some of the leases, or all.

use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{LeaseId, Revoked};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::Tokens;
use crate::broker::explain;
use crate::config::Config;
use crate::model::{Caller, ExposureId, InstallationToken, TokenScope};
use crate::token::TokenLease;

/// How long a revocation may take in all. With eight tokens at a time, a hundred of them take a few seconds. If GitHub does not
/// answer, neither the client nor an agent that is told to stop may wait for long.
pub(in crate::broker) const REVOKE_LIMIT: Duration = Duration::from_secs(20);
/// Tokens that are revoked at the same time. GitHub's secondary limits punish bursts.
const REVOKED_AT_ONCE: usize = 8;

impl Tokens {
    /// First keeps tokens from being handed out, then revokes them at GitHub. One that could not be revoked stays listed, so that it
    /// can be tried again. `config` knows the Apps of the tokens; it may be older than the running one.
    pub(in crate::broker) async fn revoke_where(
        self: &Arc<Self>,
        config: &Arc<Config>,
        which: impl Fn(&TokenLease) -> bool,
        deadline: Instant,
        caller: &Caller,
    ) -> Revoked {
        let now = self.shared.now();
        let mut taken = self.shared.state().live.retire(which, now);
        let mut outcome = Revoked::default();
        let mut waiting: Vec<_> = taken.values().rev().cloned().collect();
        let mut killing = JoinSet::new();
        loop {
            while killing.len() < REVOKED_AT_ONCE
                && let Some(lease) = waiting.pop()
            {
                let (tokens, config) = (Arc::clone(self), Arc::clone(config));
                killing.spawn(async move { (lease.id, tokens.kill(&config, &lease).await) });
            }
            match timeout_at(deadline, killing.join_next()).await {
                Ok(Some(Ok((id, killed)))) => {
                    let Some(lease) = taken.remove(&id) else { continue };
                    self.account_for(&lease.scope, Some(id), &lease.minted.token, killed.as_ref().err(), caller);
                    match killed {
                        Ok(()) => {
                            self.shared.state().live.forget(id);
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

    /// Writes down what became of a token that was to be revoked.
    pub(super) fn account_for(
        &self,
        scope: &TokenScope,
        lease: Option<LeaseId>,
        token: &InstallationToken,
        error: Option<&WireError>,
        caller: &Caller,
    ) {
        let mut entry = self.shared.entry("revoke", caller);
        entry.record.host = Some(scope.host.to_string());
        entry.record.app = Some(scope.app.to_string());
        entry.record.label = scope.exposure.as_ref().map(|id| id.label.clone());
        entry.record.installation_id = Some(scope.installation.0);
        entry.record.lease = lease;
        entry.record.hashed_token = Some(token.hash);
        entry.record.outcome = match error {
            None => "revoked".to_owned(),
            Some(error) => format!("error {}, still alive", error.code.id()),
        };
        self.shared.write(entry);
    }

    /// Keeps the tokens that were given out over an exposed socket from being replaced; they live until they expire.
    pub(in crate::broker) fn retire_exposed(&self, exposure: &ExposureId) {
        let now = self.shared.now();
        self.shared.state().live.retire(|lease| lease.scope.exposure.as_ref() == Some(exposure), now);
    }

    /// Forgets tokens that could not be revoked.
    pub(in crate::broker) fn forget(&self, leases: impl Iterator<Item = LeaseId>) {
        let mut state = self.shared.state();
        for id in leases {
            state.live.forget(id);
        }
    }

    async fn kill(&self, config: &Config, lease: &TokenLease) -> Result<(), WireError> {
        let app = config
            .app(&lease.scope.app)
            .ok_or_else(|| WireError::new(ErrorCode::NotConfigured, format!("the App {} is gone", lease.scope.app)))?;
        let killed = self.shared.github.revoke(app, &lease.minted.token).await;
        killed.map_err(|error| explain::github(&error, app))
    }
}

fn unanswered(lease: &TokenLease) -> WireError {
    let cause = format!("{} was not done with it within {} s", lease.scope.host, REVOKE_LIMIT.as_secs());
    WireError::new(ErrorCode::DeadlinePassed, cause).hint("try again: ghapp revoke --all")
}
