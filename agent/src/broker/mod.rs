//! The use cases: a question comes in, a token or a clear cause goes out. The only place where rules and edges meet.
//!
//! One `get`: `git` chooses the rule, the App and what the token may do; `tokens` has one at hand or mints it; `app_api` makes the
//! call as the App. `gate` is asked before a token is kept or handed out, `explain` makes a cause of every failure, and `record`
//! writes down what happened.
//!
//! Floors, the ground at the bottom; `tests/floors.rs` checks them, calls of methods included:
//!
//! ```text
//! apps                           which Apps there are, and their keys
//! git   telling   lock           tokens for clients; what is known; lock, unlock and revoke
//! mod (Broker)                   holds the parts below
//! tokens                         lease, mint, narrow, prove, refresh, revoke
//! app_api   activity             one call as the App: keys, JWT, clock, patience; whether the agent is needed
//! gate                           the one check, and the lock
//! record                         the line about each decision
//! shared   state   explain       edges and state; causes and next steps
//! ```

mod activity;
mod app_api;
pub(crate) mod apps;
mod explain;
mod gate;
pub(crate) mod git;
pub(crate) mod lock;
mod record;
mod shared;
mod state;
pub(crate) mod telling;
mod tokens;

pub(crate) use activity::Need;
pub(crate) use telling::Listening;

use std::path::PathBuf;
use std::sync::Arc;

use ghapp_protocol::error::WireError;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::audit::Audit;
use crate::clock::Clock;
use crate::github::User;
use crate::keystore::KeyStores;
use crate::model::{AppName, InstallationId};
use crate::token::SingleFlight;

use activity::{Activity, InUse};
use app_api::AppApi;
use shared::Shared;
use state::Reached;
use tokens::Tokens;

/// What the agent knows and can do. Shared by all connections.
pub(crate) struct Broker {
    shared: Arc<Shared>,
    app_api: Arc<AppApi>,
    tokens: Arc<Tokens>,
    activity: Activity,
    /// The turn to change which Apps there are, or to unlock.
    turns: Semaphore,
    /// Lists of repositories that are being read.
    listings: SingleFlight<(AppName, InstallationId), Result<Reached, WireError>>,
    /// Bots that are being looked for.
    introductions: SingleFlight<AppName, Result<User, WireError>>,
}

impl Broker {
    /// Reads the configuration and opens the audit log. A broken configuration is not fatal: the agent says what is wrong
    /// with it to every client that asks, and serves as soon as it is mended and reloaded.
    pub(crate) fn new(config_file: PathBuf, stores: KeyStores, audit: Audit, clock: Arc<dyn Clock>) -> Self {
        let shared = Arc::new(Shared::new(config_file, stores, audit, clock));
        let app_api = Arc::new(AppApi::new(Arc::clone(&shared)));
        Self {
            activity: Activity::new(Arc::clone(&shared)),
            tokens: Arc::new(Tokens::new(Arc::clone(&shared), Arc::clone(&app_api))),
            app_api,
            shared,
            turns: Semaphore::new(1),
            listings: SingleFlight::default(),
            introductions: SingleFlight::default(),
        }
    }

    /// Notes that a client is being served.
    pub(crate) fn in_use(&self) -> InUse<'_> {
        self.activity.in_use()
    }

    /// Whether the agent is to go on, after as long without a question as the configuration says.
    pub(crate) fn need(&self) -> Need {
        self.activity.need()
    }

    /// Locks when no token or key has been needed for as long as the configuration says.
    pub(crate) fn lock_if_unused(&self) {
        self.shared.lock_if_unused();
    }

    /// Has the audit log say how much it left out of what was asked over exposed sockets.
    pub(crate) fn tell_left_out(&self) {
        self.shared.audit.tell_left_out(self.shared.now());
    }

    /// Replaces tokens in use ahead of their end, for as long as the agent runs.
    pub(crate) fn keep_fresh(&self) -> impl Future<Output = ()> + use<> {
        Arc::clone(&self.tokens).keep_fresh()
    }

    /// How many tokens have been minted.
    pub(crate) fn minted(&self) -> u64 {
        self.tokens.minted()
    }

    /// Whether tokens are to be revoked when the agent stops.
    pub(crate) fn revokes_on_stop(&self) -> bool {
        self.shared.current_config().agent.revoke_on_stop
    }

    /// Whether the agent is to lock when the screen is locked. Read when it starts.
    #[cfg(target_os = "linux")]
    pub(crate) fn locks_with_screen(&self) -> bool {
        self.shared.current_config().agent.lock_with_screen
    }

    /// Waits until no other login, logout or unlock is under way. Each has several steps and waits between them, so that two at once
    /// would undo each other's work.
    async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("the semaphore is never closed")
    }

    /// Waits until nothing is under way that may bring a token.
    async fn landed(&self) {
        tokio::join!(self.tokens.landed(), self.listings.landed(), self.introductions.landed());
    }
}
