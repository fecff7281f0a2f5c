//! What changes: seven parts behind one mutex, each with a room that answers for it, and changes to several of them at once.
//!
//! One mutex and not several: whether a token may be kept depends on the lock, the configuration and the exposed sockets, and it is
//! kept in the same critical section in which that is found out (`gate`). `tests/floors/state_parts.rs` knows which room may touch which
//! part; what changes several at once is a method here.

mod exposures;
mod known;
mod listed;
mod live;
mod locking;
mod refusals;
mod running_config;
mod signing;

pub(in crate::broker) use exposures::{Exposures, Open, WantedSocket};
pub(in crate::broker) use known::Known;
pub(in crate::broker) use listed::{Listed, Reached};
pub(in crate::broker) use live::Live;
pub(in crate::broker) use locking::Locking;
pub(in crate::broker) use running_config::RunningConfig;
pub(in crate::broker) use signing::{KeyOf, Signing};

use std::sync::Arc;

use crate::clock::Moment;
use crate::config::Config;
use crate::model::{App, AppName, Fingerprint};
use crate::policy;

/// What `status` tells of the state.
pub(in crate::broker) struct Summary {
    pub(in crate::broker) locked: bool,
    /// Tokens that are alive.
    pub(in crate::broker) leases: usize,
    /// Exposed sockets.
    pub(in crate::broker) exposed: usize,
    /// Why the configuration file cannot be read.
    pub(in crate::broker) config_error: Option<String>,
}

/// What changes. Locked for moments only, never across an await.
pub(in crate::broker) struct State {
    /// The configuration that is in force.
    pub(in crate::broker) config: RunningConfig,
    /// Whether keys may be used and tokens handed out: `gate` and `lock`.
    pub(in crate::broker) locking: Locking,
    /// What signing as an App taught: `app_api`.
    pub(in crate::broker) signing: Signing,
    /// What GitHub said about installations and repositories: `tokens`.
    pub(in crate::broker) known: Known,
    /// The tokens that are alive: `tokens`.
    pub(in crate::broker) live: Live,
    /// The sockets that are exposed: `git`.
    pub(in crate::broker) exposures: Exposures,
    /// What people asked GitHub about through the agent: `telling`.
    pub(in crate::broker) listed: Listed,
}

impl State {
    /// The state of an agent that starts: only the configuration is known, or why it cannot be read.
    pub(in crate::broker) fn new(config: Result<Config, String>, now: Moment) -> Self {
        Self {
            config: RunningConfig::new(config),
            locking: Locking::since(now),
            signing: Signing::default(),
            known: Known::default(),
            live: Live::default(),
            exposures: Exposures::default(),
            listed: Listed::default(),
        }
    }

    /// Puts a configuration in force, and forgets what may have followed from the one before. Tokens that its rules do not give are
    /// not handed out or replaced any more.
    pub(in crate::broker) fn adopt(&mut self, config: Config) {
        self.config.adopt(config);
        let config = Arc::clone(self.config.current());
        self.live.retire_unless(|lease| {
            let (scope, renamed) = (&lease.scope, lease.minted.reached.renamed());
            policy::gives(&config.apps, &config.rules, scope, lease.minted.successor.asked(), renamed).is_ok()
        });
        self.signing.keep_only(&self.config.current().apps);
        self.listed.forget_all();
    }

    /// Forgets what was refused, so that a change at GitHub or in the configuration counts at once.
    pub(in crate::broker) fn ask_anew(&mut self) {
        self.signing.forget_failed_keys();
        let config = Arc::clone(self.config.current());
        self.known.ask_anew(config.apps.iter().map(|app| &app.name));
    }

    /// Forgets what was learned with an App's keys.
    pub(in crate::broker) fn forget_app(&mut self, app: &App) {
        self.signing.forget_app(&app.name);
        self.known.forget_app(&app.name);
    }

    /// An App has another key: what was learned about the App has to be learned anew, and nothing is known against the key.
    pub(in crate::broker) fn key_replaced(&mut self, app: &AppName, key: &Fingerprint) {
        self.known.forget_app(app);
        self.signing.accept(app, key);
    }

    /// An App has one more key, or one of its own back in its store. The App as it is now.
    pub(in crate::broker) fn key_added(&mut self, app: &AppName, key: &Fingerprint) -> Option<App> {
        self.signing.accept(app, key);
        self.config.app(app).cloned()
    }

    /// What `status` tells, as it is at one moment.
    pub(in crate::broker) fn summary(&self, now: Moment) -> Summary {
        Summary {
            locked: self.locking.is_locked(),
            leases: self.live.all(now).count(),
            exposed: self.exposures.count(),
            config_error: self.config.error().map(str::to_owned),
        }
    }

    /// Locks: from now on no key is used. The tokens are forgotten, unless they are about to be revoked.
    pub(in crate::broker) fn lock(&mut self, forget_tokens: bool) {
        self.locking.lock();
        self.signing.forget_jwts();
        if forget_tokens {
            self.live.forget_all();
        }
    }
}
