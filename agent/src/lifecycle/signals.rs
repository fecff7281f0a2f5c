//! What the system and the service manager may tell the agent.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::info;

use crate::broker::{Broker, apps, lock};
use crate::model::Caller;

/// Turns SIGTERM and SIGINT into a stop that lets requests finish, SIGHUP into a reload (a closed terminal must not stop an agent),
/// and SIGUSR1 into a lock: ssh-agent forgets its keys at that signal, too.
#[cfg(unix)]
pub(super) fn watch(stop: &watch::Sender<bool>, broker: Arc<Broker>) -> io::Result<()> {
    use ghapp_protocol::message::Reply;
    use tokio::signal::unix::{SignalKind, signal};
    use tracing::warn;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut panic_button = signal(SignalKind::user_defined1())?;
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => if let Reply::Error(error) = apps::reload(&broker) {
                    warn!(%error, "the configuration was not read again");
                },
                _ = panic_button.recv() => lock::lock_at_once(&broker),
            }
        }
        tokio::select! {
            () = end(&broker) => {}
            // A second signal means: do not wait for GitHub.
            _ = terminate.recv() => warn!("told to stop at once"),
            _ = interrupt.recv() => warn!("told to stop at once"),
        }
        stop.send_replace(true);
    });
    Ok(())
}

/// Turns Ctrl-C into a stop that lets requests finish.
#[cfg(not(unix))]
pub(super) fn watch(stop: &watch::Sender<bool>, broker: Arc<Broker>) -> io::Result<()> {
    let stop = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            end(&broker).await;
            stop.send_replace(true);
        }
    });
    Ok(())
}

/// What an agent does before it stops serving.
pub(super) async fn end(broker: &Arc<Broker>) {
    info!("about to stop");
    if broker.revokes_on_stop() {
        let outcome = lock::revoke_all(broker, &Caller::default()).await;
        info!(revoked = outcome.revoked.len(), failed = outcome.failed.len(), "tokens were killed");
    }
}
