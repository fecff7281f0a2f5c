//! A Unix socket, bound under another name and renamed into place when it listens.
//!
//! A socket that is bound and does not listen yet refuses connections exactly as a stale one does; a client or agent that met
//! it in that moment would take it for dead. With the rename nobody meets it.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ghapp_protocol::endpoint::Endpoint;
use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use interprocess::os::unix::uds_local_socket::tokio::Listener as UnixListener;
use rustix::fs::RawMode;
use rustix::io::{Errno, ioctl_fioclex, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};

use super::super::StartupError;
use super::super::activation::Activated;
use super::{Bound, Standing};

/// The socket's mode. Its directory is private already; this is the second lock on the same door.
const MODE: RawMode = 0o600;

/// The socket file.
pub(in super::super) struct Place {
    path: PathBuf,
    state: State,
    lock_path: PathBuf,
    /// Held for life.
    lock: File,
}

enum State {
    /// Listening under another name.
    Hidden(Hidden),
    /// Ours: the file with this number.
    Published(u64),
    /// The service manager's, which made it and removes it.
    Foreign,
}

/// A socket that nobody can find yet. Removed unless it gets its real name.
struct Hidden(PathBuf);

impl Hidden {
    /// Gives it its real name, replacing a stale socket. Returns the number of its file.
    fn publish(self, path: &Path) -> io::Result<u64> {
        let number = fs::symlink_metadata(&self.0)?.ino();
        fs::rename(&self.0, path)?;
        Ok(number)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Not there when it got its real name.
        let _ = fs::remove_file(&self.0);
    }
}

pub(super) fn bind(endpoint: &Endpoint, activated: Option<Activated>, lock: File) -> Result<Bound, StartupError> {
    let listen = |source| StartupError::Listen { endpoint: endpoint.clone(), source };
    let path = endpoint.path().to_owned();
    if let Some(listener) = activated {
        let listener = UnixListener::try_from(OwnedFd::from(listener)).map_err(listen)?;
        let place = Place { path, state: State::Foreign, lock_path: endpoint.run_lock(), lock };
        return Ok(Bound { listener: listener.into(), place });
    }
    // Nobody has the lock, so nobody of ours listens there; but a service manager may, and its socket is left alone.
    if is_listening(endpoint) {
        return Err(StartupError::AlreadyRunning(endpoint.clone()));
    }
    let (listener, hidden) = listen_hidden(&path).map_err(listen)?;
    let place = Place { path, state: State::Hidden(hidden), lock_path: endpoint.run_lock(), lock };
    Ok(Bound { listener, place })
}

/// Whether somebody listens there.
pub(super) fn is_listening(endpoint: &Endpoint) -> bool {
    someone_listens(endpoint.path())
}

/// Looks without waiting: whoever has no room for one more client listens as well.
fn someone_listens(path: &Path) -> bool {
    let connect = || {
        let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        ioctl_fioclex(&socket)?;
        ioctl_fionbio(&socket, true)?;
        connect(&socket, &SocketAddrUnix::new(path)?)
    };
    matches!(connect(), Ok(()) | Err(Errno::AGAIN))
}

/// Listens beside the path, under a name that no client knows.
///
/// Always the same name, so that what an agent left there that was killed at this point is replaced by the next one and nothing
/// piles up. Whoever gets here has the lock, so it is nobody else's.
fn listen_hidden(path: &Path) -> io::Result<(Listener, Hidden)> {
    // Named as the locks are. A path that only just fits into an address has room for that, unless its extension is missing.
    let extension = if path.extension().is_some_and(|extension| extension == "~") { "s" } else { "~" };
    let hidden = path.with_extension(extension);
    Endpoint::at(&hidden).map_err(io::Error::other)?;
    let hidden = Hidden(hidden);
    remove_if_there(&hidden.0)?;
    let listener = create(&hidden.0)?;
    Ok((listener, hidden))
}

fn create(path: &Path) -> io::Result<Listener> {
    let options = |path: &'_ Path| -> io::Result<ListenerOptions<'static>> {
        let name = path.to_path_buf().to_fs_name::<GenericFilePath>()?;
        // Reclaiming would remove the file by its name when we end, even if it is another agent's by then.
        Ok(ListenerOptions::new().name(name).reclaim_name(false))
    };
    match options(path)?.mode(MODE).create_tokio() {
        // macOS cannot give a socket its mode before it is bound; the private directory has to do.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => options(path)?.create_tokio(),
        outcome => outcome,
    }
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

    /// Who has the place now.
    pub(in super::super) fn standing(&self) -> Standing {
        let State::Published(number) = self.state else { return Standing::Ours };
        if number_of(&self.path) == Some(number) {
            Standing::Ours
        } else if someone_listens(&self.path) {
            // A socket unit has been started: its clients are not ours any more, and its agent waits for our lock.
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

    /// Removes the socket if it is ours.
    pub(in super::super) fn leave(self) {
        if matches!(self.state, State::Published(_)) && self.standing() == Standing::Ours {
            // A stale socket does no harm: the next agent replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn number_of(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|metadata| metadata.ino())
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
