//! The one check before a token is kept or handed out, and before a key is used; and the lock that closes it.

use std::sync::Arc;

use ghapp_protocol::error::WireError;
use ghapp_protocol::remote::FullName;
use tracing::info;

use super::explain::{self, exposed};
use super::shared::Shared;
use super::state::State;
use crate::config::Config;
use crate::model::{App, Asked, StoreKind, TokenScope};
use crate::policy;
use crate::token::Reached;

/// A token that is to be kept or handed out, or that is still to be minted.
pub(in crate::broker) struct Claim<'a> {
    pub(in crate::broker) app: &'a App,
    pub(in crate::broker) scope: &'a TokenScope,
    pub(in crate::broker) asked: Asked<'a>,
    /// The configuration by which it was decided on.
    pub(in crate::broker) decided: &'a Arc<Config>,
    /// What it reaches according to GitHub; before there is an answer, what was asked for.
    pub(in crate::broker) reached: &'a Reached,
}

impl State {
    /// Whether a token of an App may be kept or handed out now. Asked in the critical section in which that is done, after the last
    /// await: meanwhile the agent may have been locked, the App removed, or the token's exposed socket closed. The rules decide again
    /// when they may have changed, and on the names that the repositories have now.
    pub(in crate::broker) fn admits(&self, claim: &Claim<'_>) -> Result<(), WireError> {
        let Claim { app, scope, asked, decided, reached } = claim;
        self.open()?;
        let is_open = scope.exposure.as_ref().is_none_or(|id| self.exposures.has(id));
        if !is_open || !self.config.knows(app) {
            return Err(match scope.exposure {
                Some(_) => exposed::over(),
                None => explain::unknown_app(app.name.as_str()),
            });
        }
        let config = self.config.current();
        if Arc::ptr_eq(config, decided) && reached.is_as_asked() {
            return Ok(()); // the usual case: it was decided just now, by these rules
        }
        policy::gives(&config.apps, &config.rules, scope, *asked, reached.renamed()).map_err(|withheld| {
            match (&scope.exposure, asked.repository) {
                // A client of an exposed socket learns neither rules nor new names.
                (Some(_), Some(repository)) => {
                    exposed::denied_since(&FullName { owner: asked.owner.clone(), repository: repository.clone() })
                }
                _ => explain::reached::withheld(scope, *asked, &withheld),
            }
        })
    }

    /// Refuses what needs a token while the agent is locked or about to end.
    pub(in crate::broker) fn open(&self) -> Result<(), WireError> {
        self.locking.open()
    }

    /// Refuses what needs a key while the agent is locked.
    pub(in crate::broker) fn unlocked(&self) -> Result<(), WireError> {
        self.locking.unlocked()
    }

    /// Whether the agent is locked.
    pub(in crate::broker) fn is_locked(&self) -> bool {
        self.locking.is_locked()
    }
}

impl Shared {
    /// Refuses what needs a key while the agent is locked.
    pub(in crate::broker) fn unlocked(&self) -> Result<(), WireError> {
        self.state().locking.unlocked()
    }

    /// Notes that a token or a key is needed. Time that passed while the machine slept counts as well: the timer may be late.
    pub(in crate::broker) fn needed(&self) {
        self.lock_if_unused();
        let now = self.now();
        self.state().locking.needed(now);
    }

    /// Locks when no token or key has been needed for as long as the configuration says.
    pub(in crate::broker) fn lock_if_unused(&self) {
        let now = self.now();
        let (is_locked, is_due) = {
            let state = self.state();
            (state.locking.is_locked(), state.locking.is_unused(state.config.current().agent.lock_after, now))
        };
        if is_locked {
            // Calls that were under way have used new connections since the lock.
            self.github.reconnect();
        } else if is_due {
            self.lock_because("unused");
        }
    }

    /// Locks without being asked by a client, and writes down why.
    pub(in crate::broker) fn lock_because(&self, why: &str) {
        let mut entry = self.own_entry("lock");
        self.close(true);
        why.clone_into(&mut entry.record.outcome);
        info!(why, "locked");
        self.write(entry);
    }

    /// Lets go of everything secret, but keeps the tokens if they are about to be revoked. Returns the configuration, which knows
    /// their Apps, and the Apps that have lost their keys.
    pub(in crate::broker) fn close(&self, forget_tokens: bool) -> (Arc<Config>, Vec<String>) {
        let config = {
            let mut state = self.state();
            state.lock(forget_tokens);
            Arc::clone(state.config.current())
        };
        // After the flag is set: a login that saves a key later sees the flag and takes the key back.
        let in_memory = |app: &&App| app.store == StoreKind::Memory;
        let remembered = |app: &&App| app.key_places().any(|place| self.stores.remembers(&place.id));
        let login_needed = config.apps.iter().filter(in_memory).filter(remembered);
        let login_needed = login_needed.map(|app| app.name.to_string()).collect();
        self.stores.forget();
        // Idle connections keep buffers in which tokens and JWTs have been.
        self.github.reconnect();
        (config, login_needed)
    }
}
