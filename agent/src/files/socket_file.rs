//! A Unix socket, bound under another name and renamed into place when it listens.
//!
//! A socket that is bound and does not listen yet refuses connections exactly as a stale one does; a client or agent that met
//! it in that moment would take it for dead. The rename hides that moment.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};

use ghapp_protocol::endpoint::Endpoint;
use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::unix::local_socket::ListenerOptionsExt;
use rustix::fs::RawMode;
use rustix::io::{Errno, ioctl_fioclex, ioctl_fionbio};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};

/// The socket's mode. Its directory is private already; this is the second lock on the same door.
const MODE: RawMode = 0o600;

/// A socket that no client can find yet. Removed unless it gets its real name.
pub(crate) struct Hidden(PathBuf);

impl Hidden {
    /// Gives it its real name, replacing a stale socket. Returns the number of its file.
    pub(crate) fn publish(self, path: &Path) -> io::Result<u64> {
        let number = fs::symlink_metadata(&self.0)?.ino();
        fs::rename(&self.0, path)?;
        Ok(number)
    }

    /// Gives it to another user: then only that user and root can connect. Only root may do that.
    pub(crate) fn give_to(&self, uid: u32) -> io::Result<()> {
        lchown(&self.0, Some(uid), None)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // Nothing is there any more when it got its real name.
        let _ = fs::remove_file(&self.0);
    }
}

/// Listens beside the path, under a name that no client knows.
///
/// Always the same name, so that the leftover of an agent that was killed at this point is replaced by the next one and nothing
/// piles up. A caller has the path to itself, so the file cannot be another agent's.
pub(crate) fn listen_hidden(path: &Path) -> io::Result<(Listener, Hidden)> {
    // Named as the locks are. A path that only just fits into an address has room for that, unless its extension is missing.
    let extension = if path.extension().is_some_and(|extension| extension == "~") { "s" } else { "~" };
    let hidden = path.with_extension(extension);
    Endpoint::at(&hidden).map_err(io::Error::other)?;
    if is_something_else(&hidden) {
        return Err(io::Error::other(format!("{} is in the way", hidden.display())));
    }
    let hidden = Hidden(hidden);
    remove_if_there(&hidden.0)?;
    let listener = create(&hidden.0)?;
    Ok((listener, hidden))
}

fn create(path: &Path) -> io::Result<Listener> {
    let options = |path: &'_ Path| -> io::Result<ListenerOptions<'static>> {
        let name = path.to_path_buf().to_fs_name::<GenericFilePath>()?;
        // Reclaiming would remove the file by its name when we exit, even if it is another agent's by then.
        Ok(ListenerOptions::new().name(name).reclaim_name(false))
    };
    match options(path)?.mode(MODE).create_tokio() {
        // macOS cannot give a socket its mode before it is bound; the private directory has to do.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => options(path)?.create_tokio(),
        outcome => outcome,
    }
}

/// Whether a process listens there. Looks without waiting: a listener with a full backlog counts as well.
pub(crate) fn is_listening(path: &Path) -> bool {
    let connect = || {
        let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        ioctl_fioclex(&socket)?;
        ioctl_fionbio(&socket, true)?;
        connect(&socket, &SocketAddrUnix::new(path)?)
    };
    matches!(connect(), Ok(()) | Err(Errno::AGAIN))
}

/// Whether something other than a socket is there.
pub(crate) fn is_something_else(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.file_type().is_socket())
}

/// The inode number of a file, which it keeps when it is renamed.
pub(crate) fn number_of(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|metadata| metadata.ino())
}

/// Removes a socket, if it is still the one with that number.
pub(crate) fn remove(path: &Path, number: u64) {
    if number_of(path) == Some(number) {
        // A stale socket does no harm: the next one replaces it.
        let _ = fs::remove_file(path);
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
