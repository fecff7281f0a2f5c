//! The one place where an agent listens: taken under a lock, published only when it listens, left only if it is still ours.

#[cfg(unix)]
#[path = "unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;

use ghapp_protocol::endpoint::{self, Endpoint};
use interprocess::local_socket::tokio::Listener;

use super::StartupError;
use super::activation::Activated;

pub(super) use platform::Place;

/// A listener and its place.
pub(super) struct Bound {
    pub(super) listener: Listener,
    pub(super) place: Place,
}

/// Takes the place. The lock is held until the agent ends, however it ends; so there are never two.
pub(super) async fn bind(endpoint: &Endpoint, activated: Option<Activated>) -> Result<Bound, StartupError> {
    let listen = |source| StartupError::Listen { endpoint: endpoint.clone(), source };
    endpoint.prepare()?;
    let lock = endpoint::open_lock(&endpoint.run_lock()).map_err(listen)?;
    let lock = match activated {
        // A socket unit has taken the path from an agent that was started on demand. That one notices and leaves; meanwhile our
        // clients wait in systemd's backlog.
        Some(_) => tokio::task::spawn_blocking(move || endpoint::lock(&lock).map(|()| lock))
            .await
            .map_err(|_| listen(std::io::ErrorKind::Other.into()))?
            .map_err(listen)?,
        None if endpoint::try_lock(&lock).map_err(listen)? => lock,
        None => return Err(StartupError::AlreadyRunning(endpoint.clone())),
    };
    platform::bind(endpoint, activated, lock)
}
