//! Whether keys may be used and tokens handed out: the lock, its passphrases, and the stop of the agent.

use std::time::Duration;

use ghapp_protocol::error::WireError;

use crate::broker::explain;
use crate::clock::Moment;
use crate::failures::PassphraseAttempts;

/// Whether the agent may use keys, and when one was last needed.
pub(in crate::broker) struct Locking {
    /// The agent stops and revokes all tokens: none is handed out or kept any more.
    ending: bool,
    /// The agent was locked: no key is used, and no token is handed out or kept.
    locked: bool,
    /// How often that happened.
    locks: u64,
    /// Wrong passphrases, counted.
    attempts: PassphraseAttempts,
    /// When a token or a key was last needed.
    last_needed: Moment,
}

impl Locking {
    pub(super) fn since(now: Moment) -> Self {
        Self { ending: false, locked: false, locks: 0, attempts: PassphraseAttempts::default(), last_needed: now }
    }

    /// Refuses what needs a key while the agent is locked.
    pub(in crate::broker) fn unlocked(&self) -> Result<(), WireError> {
        if self.locked { Err(explain::locked()) } else { Ok(()) }
    }

    /// Refuses what no client may have while the agent is locked or about to stop.
    pub(in crate::broker) fn open(&self) -> Result<(), WireError> {
        if self.ending { Err(explain::ending()) } else { self.unlocked() }
    }

    /// Whether the agent is locked.
    pub(in crate::broker) fn is_locked(&self) -> bool {
        self.locked
    }

    pub(super) fn lock(&mut self) {
        self.locked = true;
        self.locks += 1;
    }

    /// How often the agent has been locked.
    pub(in crate::broker) fn locks(&self) -> u64 {
        self.locks
    }

    /// Ends the lock, unless there has been another one since `locks` were counted: the last lock holds.
    pub(in crate::broker) fn unlock(&mut self, locks: u64, now: Moment) -> Result<(), WireError> {
        if self.locks != locks {
            return Err(explain::locked());
        }
        self.locked = false;
        self.last_needed = now;
        Ok(())
    }

    /// The agent stops; there is no way back.
    pub(in crate::broker) fn end(&mut self) {
        self.ending = true;
    }

    /// Notes that a token or a key is needed. A question to a locked agent does not put the next lock off.
    pub(in crate::broker) fn needed(&mut self, now: Moment) {
        if !self.locked {
            self.last_needed = now;
        }
    }

    /// Whether no token or key has been needed for that long, sleep included.
    pub(in crate::broker) fn is_unused(&self, since: Option<Duration>, now: Moment) -> bool {
        since.is_some_and(|since| now.boot.saturating_sub(self.last_needed.boot) >= since)
    }

    /// Wrong passphrases, and how long they close the way for the next one.
    pub(in crate::broker) fn attempts(&mut self) -> &mut PassphraseAttempts {
        &mut self.attempts
    }
}
