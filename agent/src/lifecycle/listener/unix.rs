//! A Unix socket, bound under another name and renamed into place when it listens.
//!
//! A socket that is bound and does not listen yet refuses connections exactly as a stale one does; a client or agent that met
//! it in that moment would take it for dead. With the rename nobody meets it.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use ghapp_protocol::endpoint::Endpoint;
use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use interprocess::os::unix::uds_local_socket::tokio::Listener as UnixListener;
use rustix::fs::RawMode;

use super::super::StartupError;
use super::super::activation::Activated;
use super::Bound;

/// The socket's mode. Its directory is private already; this is the second lock on the same door.
const MODE: RawMode = 0o600;

/// The socket file.
pub(in super::super) struct Place {
    path: PathBuf,
    state: State,
    /// Held for life.
    _lock: File,
}

enum State {
    /// Listening under another name.
    Hidden(PathBuf),
    /// Ours: the file with this number.
    Published(u64),
    /// The service manager's, which made it and removes it.
    Foreign,
}

pub(super) fn bind(endpoint: &Endpoint, activated: Option<Activated>, lock: File) -> Result<Bound, StartupError> {
    let listen = |source| StartupError::Listen { endpoint: endpoint.clone(), source };
    let path = endpoint.path().to_owned();
    if let Some(listener) = activated {
        let listener = UnixListener::try_from(OwnedFd::from(listener)).map_err(listen)?;
        let place = Place { path, state: State::Foreign, _lock: lock };
        return Ok(Bound { listener: listener.into(), place });
    }
    // Nobody has the lock, so nobody of ours listens there; but a service manager may, and its socket is left alone.
    if UnixStream::connect(&path).is_ok() {
        return Err(StartupError::AlreadyRunning(endpoint.clone()));
    }
    let hidden = path.with_file_name(format!("s.{}", std::process::id()));
    remove_if_there(&hidden).map_err(listen)?; // of a process of that number that crashed
    let listener = create(&hidden).map_err(listen)?;
    let place = Place { path, state: State::Hidden(hidden), _lock: lock };
    Ok(Bound { listener, place })
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
    /// Makes the socket visible, replacing a stale one.
    pub(in super::super) fn publish(mut self) -> io::Result<Self> {
        if let State::Hidden(hidden) = &self.state {
            let number = fs::symlink_metadata(hidden)?.ino();
            fs::rename(hidden, &self.path)?;
            self.state = State::Published(number);
        }
        Ok(self)
    }

    /// Whether the file at our path is still our socket.
    pub(in super::super) fn is_ours(&mut self) -> bool {
        match self.state {
            State::Published(number) => fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == number),
            State::Hidden(_) | State::Foreign => true,
        }
    }

    /// Removes the socket if it is ours.
    pub(in super::super) fn leave(mut self) {
        if matches!(self.state, State::Published(_)) && self.is_ours() {
            // A stale socket does no harm: the next agent replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
