//! Whether anybody needs the agent: for one that is to end when it is unused (`idle_exit`).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Broker;
use crate::clock::Moment;

/// Who is being served, and when the last one was.
pub(super) struct Activity(Mutex<State>);

struct State {
    serving: usize,
    /// On the boot clock: sleep counts as time in which nobody asked.
    last: Duration,
}

impl Activity {
    pub(super) fn since(now: Moment) -> Self {
        Self(Mutex::new(State { serving: 0, last: now.boot }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Two numbers are whole even if a thread panicked with the lock in its hand.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that is being served; until it is dropped the agent is in use. Then the client has its answer, and what was decided
/// goes into the audit log.
pub struct InUse<'a>(&'a Broker);

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.audit.hand_over();
        let mut state = self.0.activity.state();
        state.serving -= 1;
        state.last = self.0.clock.now().boot;
    }
}

impl Broker {
    /// Notes that somebody is being served.
    pub fn in_use(&self) -> InUse<'_> {
        self.activity.state().serving += 1;
        InUse(self)
    }

    /// Whether it is to go on, after so long without a question as the configuration says.
    pub fn need(&self) -> Need {
        let Some(limit) = self.state().config.agent.idle_exit else { return Need::Used };
        let is_used = {
            let state = self.activity.state();
            state.serving > 0 || self.clock.now().boot.saturating_sub(state.last) < limit
        };
        if is_used {
            return Need::Used;
        }
        let state = self.state();
        let keeps = self.stores.remembers_any() || state.locked || state.exposures.count() > 0;
        if keeps { Need::Keeps } else { Need::Nobody }
    }
}

/// Who needs the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Somebody asks, or asked a while ago, or it is never to end by itself.
    Used,
    /// Nobody asks, but something would end with it. A key in its memory is nowhere else, or somebody would have to give its passphrase
    /// again. A lock would be undone in silence by the next agent. And exposed sockets were wanted for a time.
    Keeps,
    /// It can end.
    Nobody,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Broker;
    use super::Need;
    use crate::audit::Audit;
    use crate::clock::TestClock;
    use crate::keystore::{Directories, KeyStores};

    #[test]
    fn an_agent_is_unused_when_nobody_has_asked_for_the_configured_time() {
        let temp = tempfile::tempdir().unwrap();
        let config = temp.path().join("config.toml");
        std::fs::write(&config, "[agent]\nidle_exit = \"10m\"\n").unwrap();
        let clock = Arc::new(TestClock::at(0));
        let broker = |file| {
            let stores = KeyStores::new(Directories::default());
            Broker::new(file, stores, Audit::open(temp.path().join("audit.jsonl")).unwrap(), Arc::clone(&clock) as _)
        };
        let (broker, never) = (broker(config), broker(temp.path().join("none.toml")));
        assert_eq!(broker.need(), Need::Used);
        clock.pass(600);
        assert_eq!(broker.need(), Need::Nobody);
        let in_use = broker.in_use();
        assert_eq!(broker.need(), Need::Used, "somebody is being served");
        clock.pass(600);
        drop(in_use);
        assert_eq!(broker.need(), Need::Used, "somebody was there a moment ago");
        clock.pass(599);
        assert_eq!(broker.need(), Need::Used);
        clock.pass(1);
        assert_eq!(broker.need(), Need::Nobody);
        assert_eq!(never.need(), Need::Used, "by default it stays");
    }
}
