//! The life of an agent: one per endpoint, told when to stop, gone without a trace.

mod activation;
pub mod arguments;
mod detach;
mod error;
mod listener;
mod open_files;
mod ready;
#[cfg(target_os = "linux")]
mod screen_lock;
mod signals;
mod watched_process;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::endpoint::{EXPOSED_PREFIX, Endpoint};
use interprocess::local_socket::tokio::Listener;
use listener::Standing;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};
use watched_process::WatchedProcess;

use crate::audit::Audit;
use crate::broker::{Broker, Listening, Need, git};
use crate::clock::SystemClock;
use crate::config;
use crate::keystore::{Directories, KeyStores};
use crate::process::memory;

pub use detach::{Outcome, detach, leave_session, tell_failure, tell_misplaced};
pub use error::StartupError;
pub use open_files::close_inherited;
pub use ready::Start;

/// How often the agent looks whether it has been unused for long enough to lock or to exit, and whether its socket is still its own.
/// A socket that was removed by mistake is made again: the agent may hold keys that are nowhere else. An agent whose whole place is
/// gone, at logout for example, has no clients any more and exits.
const DISPLACED_CHECK: Duration = Duration::from_secs(5);

/// Runs an agent until it is told to stop.
///
/// `serve` answers clients until the channel says stop, and returns when what was under way is done. It gets its listener through
/// a channel, and another one when the socket had to be made again. With a `watched` the agent also stops when that process has
/// exited, and removes its directory.
pub(crate) async fn run<S, F>(
    start: Start,
    watched: Option<u32>,
    endpoint: Endpoint,
    config_file: PathBuf,
    serve: S,
) -> Result<(), StartupError>
where
    S: FnOnce(mpsc::Receiver<Listener>, Arc<Broker>, Listening, watch::Sender<bool>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let listen = |source| StartupError::Listen { endpoint: endpoint.clone(), source };
    open_files::allow_enough();
    let activated = activation::take().map_err(StartupError::Activation)?;
    let started_by = match (&activated, start) {
        _ if watched.is_some() => "command",
        (Some(_), _) => "systemd",
        (None, Start::Detached) => "client",
        (None, Start::Foreground) => "user",
    };
    let watch = |pid| WatchedProcess::of(pid).map_err(|source| StartupError::WatchedProcess { pid, source });
    let watched = watched.map(watch).transpose()?;
    let audit_file = config::audit_file()?;
    let audit = Audit::open(audit_file.clone()).map_err(|source| StartupError::Audit { path: audit_file, source })?;
    let bound = listener::bind(&endpoint, activated).await?;
    let (stop, _) = watch::channel(false);
    let directories = Directories { key_files: config::key_directory()?, credentials: config::credentials_directory() };
    let stores = KeyStores::new(directories);
    let broker = Arc::new(Broker::new(config_file, stores, audit, Arc::new(SystemClock)));
    signals::watch(&stop, Arc::clone(&broker)).map_err(listen)?;
    tokio::spawn(broker.keep_fresh());
    #[cfg(target_os = "linux")]
    if broker.locks_with_screen() {
        screen_lock::watch(Arc::clone(&broker));
    }
    let (listener, place) = bound;
    let mut place = place.publish().map_err(listen)?;
    info!(%endpoint, started_by, "listening");
    ready::tell(start);
    let listening = Listening { endpoint: endpoint.clone(), started_by };
    let (listeners, new_listeners) = mpsc::channel(1);
    // There is room for one, and we hold the receiver.
    let _ = listeners.try_send(listener);
    // In a task of its own: each connection wakes it, and waking the one that the runtime was started with takes a system call.
    let mut serving = tokio::spawn(serve(new_listeners, Arc::clone(&broker), listening, stop.clone()));
    let is_private = watched.is_some();
    if let Some(watched) = watched {
        tokio::spawn(end_after(watched.ended(), Arc::clone(&broker), stop.clone()));
    }
    let (mut leaving, mut need) = (false, Need::Used);
    let mut minted = broker.minted();
    let mut check = interval(DISPLACED_CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = &mut serving => break,
            _ = check.tick() => {
                broker.lock_if_unused();
                broker.tell_left_out();
                if minted != broker.minted() {
                    minted = broker.minted();
                    memory::give_back();
                }
                // Their own timers stand still while the machine sleeps.
                git::close_what_is_over(&broker);
                match place.standing() {
                    Standing::Ours if !leaving => {
                        let before = std::mem::replace(&mut need, broker.need());
                        if need == Need::Nobody {
                            leaving = true;
                            tokio::spawn(end_after(std::future::ready(()), Arc::clone(&broker), stop.clone()));
                        } else if need == Need::Keeps && before != need {
                            info!("unused, and stays: a key in its memory, a lock or an exposed socket would end with it");
                        }
                    }
                    Standing::Ours => {}
                    Standing::Unmarked => match place.mark_again() {
                        Ok(listener) => {
                            warn!("the socket was removed and is made again");
                            // Full only if the listener before has not been taken yet; the next tick tries again.
                            let _ = listeners.try_send(listener);
                        }
                        Err(error) => warn!(%error, "the socket was removed and cannot be made again"),
                    },
                    Standing::Lost => {
                        warn!("the place of the socket is gone, or a service manager has taken it");
                        stop.send_replace(true);
                    }
                }
            }
        }
    }
    ready::tell_stopping();
    place.leave();
    if is_private {
        remove_place(&endpoint);
    }
    info!("stopped");
    Ok(())
}

/// Stops the agent after an event, in the same way as when it is told to.
async fn end_after(event: impl Future<Output = ()>, broker: Arc<Broker>, stop: watch::Sender<bool>) {
    event.await;
    signals::end(&broker).await;
    stop.send_replace(true);
}

/// Removes the directory that `ghapp agent run` made for this agent alone, and nothing that is not ours.
fn remove_place(endpoint: &Endpoint) {
    for path in [endpoint.start_lock(), endpoint.run_lock()] {
        // One of them may never have been made.
        let _ = std::fs::remove_file(path);
    }
    if let Some(directory) = endpoint.path().parent() {
        remove_exposed(directory);
        // It stays if there is something else in it.
        let _ = std::fs::remove_dir(directory);
    }
}

/// Removes the directories of sockets that were exposed beside the agent's own. The sockets are closed and gone.
fn remove_exposed(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(EXPOSED_PREFIX) {
            // It stays if there is something else in it.
            let _ = std::fs::remove_dir(entry.path());
        }
    }
}
