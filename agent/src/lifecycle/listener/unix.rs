//! The agent's own socket, and whether its place is still the agent's.

use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use ghapp_protocol::endpoint::Endpoint;
use interprocess::local_socket::tokio::Listener;
use interprocess::os::unix::uds_local_socket::tokio::Listener as UnixListener;

use super::super::activation::Activated;
use super::super::error::StartupError;
use super::standing::Standing;
use crate::files::socket_file::{self, Hidden, listen_hidden, number_of};

/// The socket file.
pub(in super::super) struct Place {
    path: PathBuf,
    state: State,
    lock_path: PathBuf,
    /// Held until the process is gone.
    lock: File,
}

enum State {
    /// Listening under another name.
    Hidden(Hidden),
    /// Ours: the file with this inode number.
    Published(u64),
    /// The service manager's, which made it and removes it.
    Foreign,
}

pub(super) fn bind(
    endpoint: &Endpoint,
    activated: Option<Activated>,
    lock: File,
) -> Result<(Listener, Place), StartupError> {
    let listen = |source| StartupError::Listen { endpoint: endpoint.clone(), source };
    let path = endpoint.path().to_owned();
    if let Some(listener) = activated {
        let listener = UnixListener::try_from(OwnedFd::from(listener)).map_err(listen)?;
        let place = Place { path, state: State::Foreign, lock_path: endpoint.run_lock(), lock };
        return Ok((listener.into(), place));
    }
    // We have the lock, so no other agent listens there; but a service manager may, and its socket is left alone.
    if is_listening(endpoint) {
        return Err(StartupError::AlreadyRunning(endpoint.clone()));
    }
    let (listener, hidden) = listen_hidden(&path).map_err(listen)?;
    let place = Place { path, state: State::Hidden(hidden), lock_path: endpoint.run_lock(), lock };
    Ok((listener, place))
}

/// Whether a process listens there.
pub(super) fn is_listening(endpoint: &Endpoint) -> bool {
    socket_file::is_listening(endpoint.path())
}

impl Place {
    /// Makes the socket visible.
    pub(in super::super) fn publish(mut self) -> io::Result<Self> {
        self.state = match self.state {
            State::Hidden(hidden) => State::Published(hidden.publish(&self.path)?),
            state => state,
        };
        Ok(self)
    }

    /// What became of the place.
    pub(in super::super) fn standing(&self) -> Standing {
        let State::Published(number) = self.state else { return Standing::Ours };
        if number_of(&self.path) == Some(number) {
            Standing::Ours
        } else if socket_file::is_listening(&self.path) {
            // A socket unit has been started: clients are not ours any more, and its agent waits for our lock.
            Standing::Lost
        } else if self.lock.metadata().ok().map(|lock| lock.ino()) == number_of(&self.lock_path) {
            Standing::Unmarked
        } else {
            Standing::Lost
        }
    }

    /// Makes a new socket at a place that is still ours. The old listener has no clients any more.
    pub(in super::super) fn mark_again(&mut self) -> io::Result<Listener> {
        let (listener, hidden) = listen_hidden(&self.path)?;
        self.state = State::Published(hidden.publish(&self.path)?);
        Ok(listener)
    }

    /// Removes the socket if it is ours. The lock is not released: the system does that when the process is gone. Until then this
    /// agent may still be writing its audit log, and its successor waits.
    pub(in super::super) fn leave(self) {
        if let State::Published(number) = self.state {
            socket_file::remove(&self.path, number);
        }
        mem::forget(self.lock);
    }
}
