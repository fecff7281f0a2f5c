//! Locks the agent when logind says that a session of this user is locked (`lock_with_screen`). Owns zbus.

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::{info, warn};
use zbus::MatchRule;
use zbus::blocking::{Connection, MessageIterator, Proxy};
use zbus::message::Type;
use zbus::zvariant::{ObjectPath, OwnedObjectPath};

use crate::broker::{Broker, lock};

/// logind (org.freedesktop.login1(5)). It sends `Lock` to the session's programs when the screen is locked, by `loginctl
/// lock-session` for example.
const LOGIND: &str = "org.freedesktop.login1";
/// The interface of a session there.
const SESSION: &str = "org.freedesktop.login1.Session";
/// The signal.
const LOCK: &str = "Lock";

/// Listens for as long as the agent runs. Without a system bus there is nothing to listen to. That is logged, since the user relies
/// on the lock.
pub(super) fn watch(broker: Arc<Broker>) {
    let (locked, mut locks) = mpsc::channel(1);
    // zbus waits with a runtime of its own; here on a thread of its own, which is gone with the process.
    let listening = std::thread::Builder::new().name("screen-lock".to_owned()).spawn(move || {
        if let Err(error) = listen(&locked) {
            warn!(%error, "screen locks are not noticed");
        }
    });
    if let Err(error) = listening {
        warn!(%error, "screen locks are not noticed");
    }
    tokio::spawn(async move {
        while locks.recv().await.is_some() {
            lock::lock_with_screen(&broker);
        }
    });
}

fn listen(locked: &mpsc::Sender<()>) -> zbus::Result<()> {
    let bus = Connection::system()?;
    // The bus itself makes sure that only logind's own signals count.
    let rule = MatchRule::builder().msg_type(Type::Signal).sender(LOGIND)?.interface(SESSION)?.member(LOCK)?.build();
    let signals = MessageIterator::for_match_rule(rule, &bus, None)?;
    info!("screen locks are noticed");
    for signal in signals {
        let signal = signal?;
        let is_ours = signal.header().path().is_none_or(|path| is_ours(&bus, path));
        // Full when a lock is under way already.
        if is_ours && matches!(locked.try_send(()), Err(mpsc::error::TrySendError::Closed(()))) {
            return Ok(());
        }
    }
    Err(zbus::Error::Failure("the system bus has closed the connection".to_owned()))
}

/// Whether a session belongs to this user. One that cannot be asked counts: a lock too many does no harm.
fn is_ours(bus: &Connection, session: &ObjectPath<'_>) -> bool {
    let user = Proxy::new(bus, LOGIND, session, SESSION)
        .and_then(|session| session.get_property::<(u32, OwnedObjectPath)>("User"));
    user.map_or(true, |(uid, _)| uid == rustix::process::geteuid().as_raw())
}
