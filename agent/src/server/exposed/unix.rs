//! The place of an exposed socket: a file for one user, in a directory in which no other user can replace it.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ghapp_protocol::endpoint::{EXPOSED_PREFIX, Endpoint};
use interprocess::local_socket::tokio::Listener;

use super::error::DoorError;
use crate::files::socket_file;
use crate::model::Exposure;

/// A directory for our own user alone.
const PRIVATE: u32 = 0o700;
/// A directory through which another user gets to a socket, without being able to list the directory or change anything in it.
const PASSABLE: u32 = 0o711;
/// Permission bits of all users but the owner.
const OTHERS: u32 = 0o077;
/// Permission bits that let users other than the owner replace the socket. Users behind a mounted directory cannot be told apart, so a
/// sticky bit does not help here.
const OTHERS_WRITE: u32 = 0o022;
/// The permission bit that lets another user pass through.
const OTHERS_PASS: u32 = 0o001;

/// A socket's file.
pub(in crate::server) struct Place {
    path: PathBuf,
    number: u64,
}

/// Makes the socket. It becomes visible only when its mode and owner are what they have to be.
pub(super) fn bind(exposure: &Exposure) -> Result<(Listener, Place), DoorError> {
    let path = exposure.path.clone();
    let bad = |why: String| DoorError::Place { path: path.display().to_string(), why };
    Endpoint::at(&path).map_err(|error| bad(error.to_string()))?;
    let me = rustix::process::geteuid();
    let other = exposure.uid.filter(|uid| *uid != me.as_raw());
    if let Some(uid) = other.filter(|_| !me.is_root()) {
        return Err(DoorError::Foreign(uid));
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    prepare(directory, other.is_some()).map_err(DoorError::Io)?;
    if let Some(why) = why_unfit(directory, other.is_some()) {
        return Err(bad(format!("{}: {why}", directory.display())));
    }
    if socket_file::is_something_else(&path) {
        return Err(bad("something else is there".to_owned()));
    }
    if socket_file::is_listening(&path) {
        return Err(bad("somebody listens there".to_owned()));
    }
    let (listener, hidden) = socket_file::listen_hidden(&path)?;
    if let Some(uid) = other {
        hidden.give_to(uid)?;
    }
    let number = hidden.publish(&path)?;
    Ok((listener, Place { path, number }))
}

/// Makes the directory if it is not there. One that we made for this purpose, now or earlier, gets the mode that is needed now; any
/// other is left as it is.
fn prepare(directory: &Path, passable: bool) -> std::io::Result<()> {
    let mode = if passable { PASSABLE } else { PRIVATE };
    let is_new = match DirBuilder::new().mode(mode).create(directory) {
        Ok(()) => true,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    let name = directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_for_it = name.starts_with(EXPOSED_PREFIX);
    let metadata = fs::symlink_metadata(directory)?;
    let is_ours = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    // The umask may have taken something away.
    if is_new || (is_for_it && is_ours) { fs::set_permissions(directory, Permissions::from_mode(mode)) } else { Ok(()) }
}

/// Why a directory is not one for an exposed socket, if it is not.
fn why_unfit(directory: &Path, passable: bool) -> Option<String> {
    let metadata = match fs::symlink_metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) => return Some(error.to_string()),
    };
    let (mode, me) = (metadata.permissions().mode() & 0o7777, rustix::process::geteuid().as_raw());
    if metadata.file_type().is_symlink() {
        Some("it is a symbolic link".to_owned())
    } else if !metadata.is_dir() {
        Some("it is not a directory".to_owned())
    } else if metadata.uid() != me {
        Some(format!("it belongs to uid {} and not to uid {me}", metadata.uid()))
    } else if !passable && mode & OTHERS != 0 {
        Some(format!("its mode is {mode:04o} instead of {PRIVATE:04o}"))
    } else if mode & OTHERS_WRITE != 0 {
        Some(format!("its mode is {mode:04o}, and others can replace the socket"))
    } else if passable && mode & OTHERS_PASS == 0 {
        Some(format!("its mode is {mode:04o} instead of {PASSABLE:04o}, and the other user cannot pass"))
    } else {
        None
    }
}

impl Place {
    /// Removes the socket if it is still ours. The directory stays: it may be mounted, and the socket may be exposed anew.
    pub(in crate::server) fn leave(self) {
        socket_file::remove(&self.path, self.number);
    }
}
