//! What happens to a token around its mint: it is proved at the git front before git gets it, and replaced ahead of its end.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::message::LeaseId;
use ghapp_protocol::remote::FullName;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::broker::tokens::mint::Mint;
use crate::broker::{Broker, new_record};
use crate::github::{Front, GitHubError};
use crate::model::{Caller, InstallationToken, TokenScope};
use crate::token::{Successor, TokenLease};

/// How long a fresh token may take to reach the git front. Longer delays are rare, and git waits meanwhile.
const PROOF: Duration = Duration::from_secs(3);
/// The pause before the front is asked again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A token whose time has come, without the token itself: when somebody locks the agent it must not be kept here.
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

impl Broker {
    /// Waits until the git front knows a fresh token, for a few seconds at most; the same token all the time, since another one
    /// would start from the beginning. If the front still refuses, git gets the token and the front's own words.
    pub(in crate::broker) async fn prove(&self, mint: &Mint, token: &InstallationToken) {
        let Some(repository) = &mint.for_git else { return };
        if mint.scope.permissions.level("contents").is_none() {
            return; // the front would refuse it for good
        }
        let name = FullName { owner: mint.owner.clone(), repository: repository.clone() };
        let deadline = Instant::now() + PROOF;
        let mut pause = FIRST_PAUSE;
        loop {
            match timeout_at(deadline, self.github.front(&mint.app, &name, &token.secret)).await {
                Ok(Ok(Front::Knows)) | Err(_) => return,
                Ok(Ok(Front::Refuses(status))) => debug!(status, "the git front does not know the token yet"),
                // Not our business: git will say what is wrong with the front.
                Ok(Err(error)) => {
                    debug!(%error, "the git front could not be asked");
                    return;
                }
            }
            if Instant::now() + pause >= deadline {
                warn!(%name, "the git front refuses a fresh token");
                return;
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    /// Sees to it that a token is replaced in time if it is in use then.
    pub(in crate::broker) fn refresh_in_time(&self, id: LeaseId) {
        let comes_first = self.state().tokens.plan_renewal(id);
        if comes_first {
            self.renewal_comes_first.notify_one();
        }
    }

    /// Replaces tokens in use ahead of their end, for as long as the agent runs. One task waits for all of them, since there may
    /// be thousands; each replacement is a task of its own.
    pub async fn keep_fresh(self: Arc<Self>) {
        loop {
            let (due, left) = self.renewals();
            for renewal in due {
                tokio::spawn(Arc::clone(&self).renew(renewal));
            }
            let comes_first = self.renewal_comes_first.notified();
            match left {
                // A hint only: it stops while the machine sleeps. The next question looks as well.
                Some(left) => drop(timeout(left, comes_first).await),
                None => comes_first.await,
            }
        }
    }

    /// What is to be replaced now, and how long it is until the next one is.
    fn renewals(&self) -> (Vec<Renewal>, Option<Duration>) {
        let now = self.clock.now();
        let mut state = self.state();
        let due = iter::from_fn(|| state.tokens.take_renewal(now).map(Renewal::of)).collect();
        (due, state.tokens.next_renewal(now))
    }

    /// Replaces a token whose time has come, for the App and the installation as they are known by now.
    async fn renew(self: Arc<Self>, renewal: Renewal) {
        let Renewal { id, scope, successor } = renewal;
        let Successor { owner, pinned, min_ttl, for_git, caller } = successor;
        let config = Arc::clone(&self.state().config);
        let Some(app) = config.app(&scope.app) else { return };
        // Whoever asks next learns more, and whether it matters.
        let Ok(Some(installation)) = self.installation_of(app, &owner, pinned).await else { return };
        // Meanwhile it may have been refused, revoked or replaced.
        if installation.id != scope.installation || !self.state().tokens.is_serving(id) {
            return;
        }
        let (app, scope) = (app.clone(), TokenScope::clone(&scope));
        self.refresh(Mint { app, owner, installation, pinned, scope, min_ttl, for_git, ahead: true }, &caller);
    }

    /// How many tokens have been minted.
    pub fn minted(&self) -> u64 {
        self.state().tokens.count()
    }

    /// Replaces a token; whoever asks meanwhile gets the old one, which is still good.
    pub(in crate::broker) fn refresh(self: &Arc<Self>, mint: Mint, caller: &Caller) {
        let (broker, caller) = (Arc::clone(self), caller.clone());
        tokio::spawn(async move {
            let started = broker.clock.now();
            let mut record = new_record("refresh", &caller, started);
            record.host = Some(mint.app.host.to_string());
            record.app = Some(mint.app.name.to_string());
            record.label = mint.scope.exposure.as_ref().map(|id| id.label.clone());
            let scope = mint.scope.clone();
            match broker.mint_once(mint, &caller).await {
                Ok((lease, _)) => {
                    record.lease = Some(lease.id);
                    record.hashed_token = Some(lease.minted.token.hash);
                    "mint".clone_into(&mut record.outcome);
                    info!(lease = %lease.id, "a token was replaced ahead of its end");
                }
                Err(error) => {
                    record.outcome = format!("error {}, kept the valid token", error.code.id());
                    warn!(%error, scope = %describe(&scope), "a token could not be replaced; the old one is still good");
                }
            }
            broker.write(record, started);
        });
    }

    /// Admits in the audit log that GitHub may have minted a token whose answer never came. Nobody holds it; it dies in an hour.
    pub(in crate::broker) fn admit_lost_answer(&self, scope: &TokenScope, error: &GitHubError) {
        let now = self.clock.now();
        let mut record = new_record("mint", &Caller::default(), now);
        record.host = Some(scope.host.to_string());
        record.app = Some(scope.app.to_string());
        record.installation_id = Some(scope.installation.0);
        record.outcome = format!("answer lost: {error}");
        self.write(record, now);
    }
}

/// A scope in a log line.
fn describe(scope: &TokenScope) -> String {
    match scope.repositories.names() {
        Some(names) => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        None => format!("installation {}", scope.installation),
    }
}
