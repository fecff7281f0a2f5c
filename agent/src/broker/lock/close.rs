//! Locking: on request, on a signal, with the screen.
//!
//! Keys in a keyring are not touched until the agent is unlocked, encrypted files are closed, and keys that were only in the agent's
//! memory are gone. `unlock` is the way back. The lock of an unused agent is in `gate`.

use std::sync::Arc;

use ghapp_protocol::message::{Lock, Locked, Reply, Revoked};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::broker::Broker;
use crate::broker::tokens::REVOKE_LIMIT;
use crate::config::Config;
use crate::model::Caller;

/// Locks for a client, and revokes the tokens at GitHub if that is wanted. From the first moment on none is handed out; a mint that
/// is under way meets the lock and revokes its token itself.
pub(crate) async fn lock(broker: &Broker, lock: Lock, caller: &Caller) -> Reply {
    let entry = broker.shared.entry("lock", caller);
    let (config, login_needed) = broker.shared.close(!lock.revoke);
    let Revoked { revoked, failed, .. } =
        if lock.revoke { revoke_behind(broker, &config, caller).await } else { Revoked::default() };
    let reply = Reply::Locked(Locked { revoked: revoked.len(), not_revoked: failed.len(), login_needed });
    broker.shared.finish(entry, &reply);
    reply
}

/// Locks at once, because of a signal.
pub(crate) fn lock_at_once(broker: &Broker) {
    broker.shared.lock_because("signal");
}

/// Locks because the screen was locked.
#[cfg(target_os = "linux")]
pub(crate) fn lock_with_screen(broker: &Broker) {
    broker.shared.lock_because("screen lock");
}

/// Revokes every token at GitHub once the agent is locked. One that GitHub did not confirm in time is forgotten all the same.
async fn revoke_behind(broker: &Broker, config: &Arc<Config>, caller: &Caller) -> Revoked {
    let deadline = Instant::now() + REVOKE_LIMIT;
    if timeout_at(deadline, broker.tokens.landed()).await.is_err() {
        warn!("a mint is still under way; its token is killed when it comes");
    }
    let outcome = broker.tokens.revoke_where(config, |_| true, deadline, caller).await;
    broker.tokens.forget(outcome.failed.iter().map(|(id, _)| *id));
    broker.shared.github.reconnect();
    outcome
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ghapp_protocol::message::{Lock, Reply, Unlock};

    use super::super::unlock;
    use super::{Broker, lock};
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
        broker.shared.needed();
        clock.pass(599);
        broker.lock_if_unused();
        assert_eq!(broker.shared.unlocked(), Ok(()), "it was used meanwhile");
        clock.pass(1);
        broker.shared.needed();
        assert!(broker.shared.unlocked().is_err(), "the timer was late and the question came first");
        clock.pass(1);
        let reply = unlock(&broker, Unlock::default(), &Caller::default()).await;
        assert!(matches!(reply, Reply::Unlocked(_)));
        broker.lock_if_unused();
        assert_eq!(broker.shared.unlocked(), Ok(()), "unlocking starts the time anew");
    }

    #[tokio::test]
    async fn without_the_setting_it_locks_only_when_it_is_told_to() {
        let (broker, clock, _temp) = broker("");
        clock.pass(1_000_000);
        broker.lock_if_unused();
        assert_eq!(broker.shared.unlocked(), Ok(()));
        assert!(matches!(lock(&broker, Lock::default(), &Caller::default()).await, Reply::Locked(_)));
        assert!(broker.shared.unlocked().is_err());
    }
}
