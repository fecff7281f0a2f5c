//! Whether the agent is needed: one that is unused can exit by itself (`idle_exit`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::shared::Shared;

/// How many clients are being served, and when the last one was.
pub(in crate::broker) struct Activity {
    shared: Arc<Shared>,
    serving: Mutex<Serving>,
}

struct Serving {
    clients: usize,
    /// On the boot clock: sleep counts as time without a question.
    last: Duration,
}

/// A client that is being served: the agent is in use until this is dropped. By then the client has its answer, and what was decided
/// goes into the audit log.
pub(crate) struct InUse<'a>(&'a Activity);

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        let Activity { shared, .. } = self.0;
        shared.audit.hand_over();
        let mut serving = self.0.serving();
        serving.clients -= 1;
        serving.last = shared.now().boot;
    }
}

impl Activity {
    pub(in crate::broker) fn new(shared: Arc<Shared>) -> Self {
        let serving = Mutex::new(Serving { clients: 0, last: shared.now().boot });
        Self { shared, serving }
    }

    fn serving(&self) -> MutexGuard<'_, Serving> {
        // Two numbers are whole even if a thread panicked while it held the lock.
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a client is being served.
    pub(in crate::broker) fn in_use(&self) -> InUse<'_> {
        self.serving().clients += 1;
        InUse(self)
    }

    /// Whether the agent is to go on, after as long without a question as the configuration says.
    pub(in crate::broker) fn need(&self) -> Need {
        let Some(limit) = self.shared.current_config().agent.idle_exit else { return Need::Used };
        let is_used = {
            let serving = self.serving();
            serving.clients > 0 || self.shared.now().boot.saturating_sub(serving.last) < limit
        };
        if is_used {
            return Need::Used;
        }
        let state = self.shared.state();
        let keeps = self.shared.stores.remembers_any() || state.is_locked() || state.exposures.count() > 0;
        if keeps { Need::Keeps } else { Need::Nobody }
    }
}

/// Whether the agent is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// It serves a client, or did a while ago, or is never to exit by itself.
    Used,
    /// No client asks, but something would be lost with it. A key in its memory is nowhere else, or needs its passphrase again. A lock
    /// would be undone in silence by the next agent. And exposed sockets were wanted for a time.
    Keeps,
    /// It can exit.
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
