//! The one place where an agent listens: taken under a lock, published only when it listens, left only if it is still ours.

#[cfg(unix)]
#[path = "unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;
mod standing;

use std::time::Duration;

use ghapp_protocol::endpoint::{self, Endpoint};
use interprocess::local_socket::tokio::Listener;
use tokio::time::timeout;

use super::activation::Activated;
use super::error::StartupError;

pub(super) use platform::Place;
pub(super) use standing::Standing;

/// How long to wait for an agent that holds the place and does not listen there: it finishes what is under way and exits, or
/// makes its socket again. Less than the time that clients give a start.
const HANDOVER: Duration = Duration::from_secs(4);

/// Takes the place and makes the listener. The lock is held until the agent exits, for any reason; so there are never two.
pub(super) async fn bind(endpoint: &Endpoint, activated: Option<Activated>) -> Result<(Listener, Place), StartupError> {
    let listen = |source| StartupError::Listen { endpoint: endpoint.clone(), source };
    endpoint.prepare()?;
    let lock = endpoint::open_lock(&endpoint.run_lock()).map_err(listen)?;
    let lock = match activated {
        // A socket unit has taken the path from an agent that was started on demand. That agent notices and exits; meanwhile our
        // clients wait in systemd's backlog.
        Some(_) => tokio::task::spawn_blocking(move || endpoint::lock(&lock).map(|()| lock))
            .await
            .map_err(|_| listen(std::io::ErrorKind::Other.into()))?
            .map_err(listen)?,
        None if endpoint::try_lock(&lock).map_err(listen)? => lock,
        None if platform::is_listening(endpoint) => return Err(StartupError::AlreadyRunning(endpoint.clone())),
        None => {
            let waiting = tokio::task::spawn_blocking(move || endpoint::lock(&lock).map(|()| lock));
            match timeout(HANDOVER, waiting).await {
                Ok(lock) => lock.map_err(|_| listen(std::io::ErrorKind::Other.into()))?.map_err(listen)?,
                Err(_) if platform::is_listening(endpoint) => {
                    return Err(StartupError::AlreadyRunning(endpoint.clone()));
                }
                Err(_) => return Err(StartupError::NotListening(endpoint.clone())),
            }
        }
    };
    platform::bind(endpoint, activated, lock)
}
