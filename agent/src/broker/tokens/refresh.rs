//! Replacing tokens in use before they expire.

use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::message::LeaseId;
use tokio::time::timeout;
use tracing::{info, warn};

use super::Tokens;
use super::wanted::Mint;
use crate::broker::record::reach;
use crate::model::{Asked, Caller, TokenScope};
use crate::policy;
use crate::token::{Successor, TokenLease};

/// A token whose time has come, without the secret: when the agent is locked, no secret may be left here.
struct Renewal {
    id: LeaseId,
    scope: Arc<TokenScope>,
    successor: Successor,
}

impl Renewal {
    fn of(lease: &TokenLease) -> Self {
        Self { id: lease.id, scope: Arc::clone(&lease.scope), successor: lease.minted.successor.clone() }
    }
}

impl Tokens {
    /// Replaces tokens in use before they expire, for as long as the agent runs. One task waits for all of them, since there may be
    /// thousands; each replacement is a task of its own.
    pub(in crate::broker) async fn keep_fresh(self: Arc<Self>) {
        loop {
            let (due, left) = self.renewals();
            for renewal in due {
                tokio::spawn(Arc::clone(&self).renew(renewal));
            }
            let comes_first = self.renewal_comes_first.notified();
            match left {
                // Only a hint: this timer stops while the machine sleeps. The next question looks as well.
                Some(left) => drop(timeout(left, comes_first).await),
                None => comes_first.await,
            }
        }
    }

    /// The tokens that are to be replaced now, and how long it is until the next one is.
    fn renewals(&self) -> (Vec<Renewal>, Option<Duration>) {
        let now = self.shared.now();
        self.shared.state().live.renewals(now, Renewal::of)
    }

    /// Replaces a token whose time has come, for the App and the installation as they are known by now.
    async fn renew(self: Arc<Self>, renewal: Renewal) {
        let Renewal { id, scope, successor } = renewal;
        let Successor { owner, pinned, min_ttl, repository, for_git, caller } = successor;
        let config = self.shared.current_config();
        let Some(app) = config.app(&scope.app) else { return };
        // The rules may have changed since it was minted.
        let asked = Asked { owner: &owner, repository: repository.as_ref() };
        if policy::gives(&config.apps, &config.rules, &scope, asked, &[]).is_err() {
            let now = self.shared.now();
            self.shared.state().live.retire(|lease| lease.id == id, now);
            return;
        }
        // The next question shows whether the failure matters, and says more.
        let Ok(Some(installation)) = self.installation_of(app, &owner, pinned).await else { return };
        // Meanwhile it may have been refused, revoked or replaced.
        if installation.id != scope.installation || !self.shared.state().live.is_serving(id) {
            return;
        }
        let (app, scope) = (app.clone(), TokenScope::clone(&scope));
        let decided = Arc::clone(&config);
        let mint = Mint { app, owner, installation, pinned, scope, min_ttl, repository, for_git, ahead: true, decided };
        self.refresh(mint, &caller);
    }

    /// Replaces a token; a client that asks meanwhile gets the old one, which is still good.
    pub(super) fn refresh(self: &Arc<Self>, mint: Mint, caller: &Caller) {
        let (tokens, caller) = (Arc::clone(self), caller.clone());
        tokio::spawn(async move {
            let mut entry = tokens.shared.entry("refresh", &caller);
            entry.record.host = Some(mint.app.host.to_string());
            entry.record.app = Some(mint.app.name.to_string());
            entry.record.label = mint.scope.exposure.as_ref().map(|id| id.label.clone());
            let scope = mint.scope.clone();
            match tokens.mint_once(mint, &caller).await {
                Ok((lease, _)) => {
                    entry.record.lease = Some(lease.id);
                    entry.record.repositories = Some(reach(&lease));
                    entry.record.hashed_token = Some(lease.minted.token.hash);
                    "mint".clone_into(&mut entry.record.outcome);
                    info!(lease = %lease.id, "a token was replaced ahead of its end");
                }
                Err(error) => {
                    entry.record.outcome = format!("error {}, kept the valid token", error.code.id());
                    warn!(%error, scope = %describe(&scope), "a token could not be replaced; the old one is still good");
                }
            }
            tokens.shared.write(entry);
        });
    }
}

/// A scope in a log line.
fn describe(scope: &TokenScope) -> String {
    match scope.repositories.names() {
        Some(names) => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        None => format!("installation {}", scope.installation),
    }
}
