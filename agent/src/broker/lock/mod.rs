//! Forgetting tokens and keys, and using none until told otherwise: on request, on a signal, or when nobody has needed any.
//!
//! Keys in a keyring are not touched until the agent is unlocked, encrypted files are closed, and keys that are nowhere else than
//! in the agent's memory are gone. `unlock` is the way back.

mod unlock;

use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{Lock, Locked, Reply, Revoked};
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use crate::broker::tokens::revoke::REVOKE_LIMIT;
use crate::broker::{Broker, explain, new_record};
use crate::config::Config;
use crate::model::{App, Caller, StoreKind};

impl Broker {
    /// Locks for whoever asks, after killing the tokens at GitHub if that is wanted. From the first moment on none is handed out;
    /// a mint that is under way meets the lock and kills its token itself.
    pub async fn lock(self: &Arc<Self>, lock: Lock, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let (config, login_needed) = self.close(!lock.revoke);
        let Revoked { revoked, failed, .. } =
            if lock.revoke { self.revoke_behind(&config, caller).await } else { Revoked::default() };
        let reply = Reply::Locked(Locked { revoked: revoked.len(), not_revoked: failed.len(), login_needed });
        self.finish(new_record("lock", caller, started), started, &reply);
        reply
    }

    /// Locks at once, because a signal said so.
    pub fn lock_at_once(&self) {
        self.lock_because("signal");
    }

    /// Whether it is to lock when the screen is locked. Read when the agent starts.
    #[cfg(target_os = "linux")]
    pub fn locks_with_screen(&self) -> bool {
        self.state().config.agent.lock_with_screen
    }

    /// Locks because the screen was locked.
    #[cfg(target_os = "linux")]
    pub fn lock_with_screen(&self) {
        self.lock_because("screen lock");
    }

    /// Locks when nobody has needed a token or a key for as long as the configuration says.
    pub fn lock_if_unused(&self) {
        let now = self.clock.now();
        let (locked, due) = {
            let state = self.state();
            let unused = now.boot.saturating_sub(state.last_needed.boot);
            (state.locked, is_due(state.config.agent.lock_after, unused))
        };
        if locked {
            // What was under way has used new connections since then.
            self.github.reconnect();
        } else if due {
            self.lock_because("unused");
        }
    }

    /// Notes that a token or a key is needed. Time that passed while the machine slept counts as well: the timer may be late.
    pub(in crate::broker) fn needed(&self) {
        self.lock_if_unused();
        let now = self.clock.now();
        let mut state = self.state();
        if !state.locked {
            state.last_needed = now;
        }
    }

    /// Refuses what needs a key while the agent is locked.
    pub(in crate::broker) fn unlocked(&self) -> Result<(), WireError> {
        if self.state().locked { Err(explain::locked()) } else { Ok(()) }
    }

    fn lock_because(&self, why: &str) {
        let started = self.clock.now();
        self.close(true);
        let mut record = new_record("lock", &Caller::default(), started);
        why.clone_into(&mut record.outcome);
        info!(why, "locked");
        self.write(record, started);
    }

    /// Lets go of everything secret; of the tokens only if nobody is about to kill them. Returns the configuration, which knows
    /// their Apps, and the Apps that have no key any more.
    fn close(&self, forget_tokens: bool) -> (Arc<Config>, Vec<String>) {
        let config = {
            let mut state = self.state();
            state.locked = true;
            state.locks += 1;
            state.jwts.clear();
            if forget_tokens {
                state.tokens.clear();
            }
            Arc::clone(&state.config)
        };
        // After the flag: a login that saves a key behind this looks at the flag and takes it back.
        let in_memory = |app: &&App| app.store == StoreKind::Memory;
        let remembered = |app: &&App| app.key_places().any(|place| self.stores.remembers(&place.id));
        let login_needed = config.apps.iter().filter(in_memory).filter(remembered);
        let login_needed = login_needed.map(|app| app.name.to_string()).collect();
        self.stores.forget();
        // Idle connections keep buffers in which tokens and JWTs have been.
        self.github.reconnect();
        (config, login_needed)
    }

    /// Kills every token at GitHub behind the lock. What GitHub did not confirm in time is forgotten all the same.
    async fn revoke_behind(self: &Arc<Self>, config: &Arc<Config>, caller: &Caller) -> Revoked {
        let deadline = Instant::now() + REVOKE_LIMIT;
        if timeout_at(deadline, self.mints.landed()).await.is_err() {
            warn!("a mint is still under way; its token is killed when it comes");
        }
        let outcome = self.revoke_where(config, |_| true, deadline, caller).await;
        {
            let mut state = self.state();
            for (id, _) in &outcome.failed {
                state.tokens.remove(*id);
            }
        }
        self.github.reconnect();
        outcome
    }
}

/// Whether that is long enough to lock.
fn is_due(lock_after: Option<Duration>, unused: Duration) -> bool {
    lock_after.is_some_and(|lock_after| unused >= lock_after)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ghapp_protocol::message::{Lock, Reply, Unlock};

    use super::Broker;
    use crate::audit::Audit;
    use crate::clock::TestClock;
    use crate::keystore::{Directories, KeyStores};
    use crate::model::Caller;

    fn broker(config: &str) -> (Arc<Broker>, Arc<TestClock>, tempfile::TempDir) {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("config.toml");
        std::fs::write(&file, config).unwrap();
        let audit = Audit::open(temp.path().join("audit.jsonl")).unwrap();
        let clock = Arc::new(TestClock::at(1000));
        let stores = KeyStores::new(Directories::default());
        (Arc::new(Broker::new(file, stores, audit, Arc::clone(&clock) as _)), clock, temp)
    }

    #[tokio::test]
    async fn an_agent_locks_itself_after_the_time_without_use_and_not_before() {
        let (broker, clock, _temp) = broker("[agent]\nlock_after = \"10m\"\n");
        clock.pass(599);
        broker.needed();
        clock.pass(599);
        broker.lock_if_unused();
        assert_eq!(broker.unlocked(), Ok(()), "it was used meanwhile");
        clock.pass(1);
        broker.needed();
        assert!(broker.unlocked().is_err(), "the timer was late and the question came first");
        clock.pass(1);
        let reply = broker.unlock(Unlock::default(), &Caller::default()).await;
        assert!(matches!(reply, Reply::Unlocked(_)));
        broker.lock_if_unused();
        assert_eq!(broker.unlocked(), Ok(()), "unlocking starts the time anew");
    }

    #[tokio::test]
    async fn without_the_setting_it_locks_only_when_it_is_told_to() {
        let (broker, clock, _temp) = broker("");
        clock.pass(1_000_000);
        broker.lock_if_unused();
        assert_eq!(broker.unlocked(), Ok(()));
        assert!(matches!(broker.lock(Lock::default(), &Caller::default()).await, Reply::Locked(_)));
        assert!(broker.unlocked().is_err());
    }
}
