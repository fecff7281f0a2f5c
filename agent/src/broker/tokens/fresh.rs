//! A token that GitHub has just minted has an owner: it ends in the cache, or it is revoked and that is written down.

use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::WireError;
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::Tokens;
use crate::broker::app_api::chance;
use crate::broker::explain;
use crate::broker::state::Live;
use crate::failures::pause_after;
use crate::model::{App, Caller, InstallationToken, TokenScope};
use crate::token::{Minted, TokenLease};

/// How long a client waits until a token that it may not have is revoked. After that the attempts go on without the client.
const PATIENCE: Duration = Duration::from_secs(2);
/// The first pause after three attempts in a row have failed; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause. A token lives for an hour at most, and GitHub is to be asked again soon after it is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A token from GitHub's answer on. There are two ways out: `keep` and `kill`. Dropping it, by `?`, by a panic or because the task is
/// cancelled, is the second one.
pub(super) struct Fresh {
    tokens: Arc<Tokens>,
    owed: Arc<Owed>,
    settled: bool,
}

/// A token that is to be revoked unless it is kept, and what is needed for that. It stays a token of this App, even if the App's
/// nickname is given to another one.
pub(super) struct Owed {
    app: App,
    scope: TokenScope,
    token: InstallationToken,
    caller: Caller,
}

impl Fresh {
    /// Takes a token over.
    pub(super) fn new(
        tokens: &Arc<Tokens>,
        app: &App,
        scope: &TokenScope,
        token: InstallationToken,
        caller: &Caller,
    ) -> Self {
        let owed = Owed { app: app.clone(), scope: scope.clone(), token, caller: caller.clone() };
        Self { tokens: Arc::clone(tokens), owed: Arc::new(owed), settled: false }
    }

    /// The token, for questions to GitHub.
    pub(super) fn token(&self) -> &InstallationToken {
        &self.owed.token
    }

    /// Keeps it: it is listed from now on. For the critical section in which the gate admits it.
    pub(super) fn keep(
        mut self,
        live: &mut Live,
        scope: TokenScope,
        minted: impl FnOnce(InstallationToken) -> Minted,
    ) -> TokenLease {
        let lease = live.keep(scope, minted(self.owed.token.clone()));
        self.settled = true;
        lease
    }

    /// Revokes it, and waits a moment for that.
    pub(super) async fn kill(mut self) {
        self.settled = true;
        let (tokens, owed) = (Arc::clone(&self.tokens), Arc::clone(&self.owed));
        let dead = self.tokens.killings.join(owed.token.hash, || tokens.kill_owed(owed));
        // It is a task of its own from the first poll on.
        let _ = timeout(PATIENCE, dead).await;
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        let (tokens, owed) = (Arc::clone(&self.tokens), Arc::clone(&self.owed));
        if Handle::try_current().is_ok() {
            self.tokens.killings.launch(owed.token.hash, || tokens.kill_owed(owed));
        } else {
            tokens.owed_is(&owed, Err(&explain::ending()));
        }
    }
}

impl Tokens {
    /// Revokes a token at GitHub, however often that has to be tried, and writes down what became of it. Stops when it has expired.
    async fn kill_owed(self: Arc<Self>, owed: Arc<Owed>) {
        let (mut attempts, mut pause, mut told) = (0, FIRST_PAUSE, false);
        loop {
            let killed = self.shared.github.revoke(&owed.app, &owed.token).await;
            self.shared.github.reconnect(); // the connection that it went over keeps it in a buffer
            let Err(error) = killed else { return self.owed_is(&owed, Ok(())) };
            attempts += 1;
            if let Some(pause) = pause_after(attempts, chance()) {
                sleep(pause).await;
                continue;
            }
            if !told {
                self.owed_is(&owed, Err(&explain::github(&error, &owed.app)));
                told = true;
            }
            if self.shared.now().wall >= owed.token.expires_at {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn owed_is(&self, owed: &Owed, outcome: Result<(), &WireError>) {
        self.account_for(&owed.scope, None, &owed.token, outcome.err(), &owed.caller);
    }
}
