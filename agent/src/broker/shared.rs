//! What every part of the broker is given: the edges, and the state.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ghapp_protocol::error::{ErrorCode, WireError};

use super::state::State;
use crate::audit::Audit;
use crate::clock::{Clock, Moment};
use crate::config::{self, Config};
use crate::github::GitHub;
use crate::keystore::KeyStores;

/// The edges, and the state.
pub(in crate::broker) struct Shared {
    pub(in crate::broker) github: GitHub,
    pub(in crate::broker) stores: KeyStores,
    pub(in crate::broker) audit: Audit,
    pub(in crate::broker) config_file: PathBuf,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl Shared {
    /// Reads the configuration. A broken one is not fatal: clients are told what is wrong with it.
    pub(in crate::broker) fn new(config_file: PathBuf, stores: KeyStores, audit: Audit, clock: Arc<dyn Clock>) -> Self {
        let config = config::load(&config_file).map_err(|error| error.to_string());
        let state = Mutex::new(State::new(config, clock.now()));
        Self { github: GitHub::default(), stores, audit, config_file, clock, state }
    }

    /// What changes. The guard is held for moments only, never across an await, nor during a call that needs it as well. In a larger
    /// expression it lives until the end of the statement, so such a call gets a statement of its own.
    pub(in crate::broker) fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic half-way runs with the lock held; a poisoned state is a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time.
    pub(in crate::broker) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// The configuration that is in force, or what is wrong with the file.
    pub(in crate::broker) fn config(&self) -> Result<Arc<Config>, WireError> {
        self.state().config.usable()
    }

    /// The same while the file cannot be read: a configuration without Apps.
    pub(in crate::broker) fn current_config(&self) -> Arc<Config> {
        Arc::clone(self.state().config.current())
    }
}

/// What a task of our own that panicked has to say.
pub(in crate::broker) fn panicked() -> WireError {
    WireError::new(ErrorCode::Internal, "the agent met an error of its own; its log says more")
}
