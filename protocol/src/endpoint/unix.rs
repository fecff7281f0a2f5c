//! The socket's place on Unix: a directory of this user that no other user can enter.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

use super::error::EndpointError;

/// Directory and file below the runtime directory. Packagers' units name the same place.
const RELATIVE: &str = "ghapp/agent.sock";
/// Longest path that fits into a socket address everywhere: 104 bytes on macOS and BSD (108 on Linux), one for the NUL.
const MAX_PATH: usize = 103;
/// Permission bits of all users but the owner.
const OTHERS: u32 = 0o077;
/// Permission bits that let users other than the owner replace entries of a directory.
const OTHERS_WRITE: u32 = 0o022;
/// The bit that keeps users from replacing each other's entries in a shared directory.
const STICKY: u32 = 0o1000;

pub(super) fn default_path(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, EndpointError> {
    let uid = rustix::process::geteuid().as_raw();
    let runtime = [variable("XDG_RUNTIME_DIR").map(PathBuf::from), login_runtime(uid)];
    // `su` and `sudo -E` carry another user's runtime directory along, and a short-lived one may be gone: both are skipped.
    for directory in runtime.into_iter().flatten() {
        if directory.is_absolute() && why_not_private(&directory).is_none() {
            let path = directory.join(RELATIVE);
            if check_address(&path).is_ok() {
                return Ok(path);
            }
        }
    }
    // Not `home_dir`, which would ask the name service: it loads a library, which a statically linked program cannot do.
    let home = || variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let state = variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = state.or_else(|| home().map(|home| home.join(".local/state")));
    let path = state.ok_or(EndpointError::NoHome)?.join("ghapp/run/agent.sock");
    check_address(&path)?;
    Ok(path)
}

/// The directory that a Linux login makes. Programs started by cron or over ssh lack the variable but mean the same agent.
fn login_runtime(uid: u32) -> Option<PathBuf> {
    cfg!(target_os = "linux").then(|| PathBuf::from(format!("/run/user/{uid}")))
}

pub(super) fn check_address(path: &Path) -> Result<(), EndpointError> {
    let bad = |why| Err(EndpointError::BadPath { path: path.to_owned(), why });
    if !path.is_absolute() {
        return bad("the path is not absolute");
    }
    if path.as_os_str().as_bytes().len() > MAX_PATH {
        return bad("the path is longer than 103 bytes; name a shorter one with GHAPP_SOCKET");
    }
    if path.file_name().is_none() {
        return bad("the path does not name a file");
    }
    Ok(())
}

/// Why a directory is not private, if it is not.
fn why_not_private(directory: &Path) -> Option<String> {
    // Not `metadata`: a link could be turned to another place after the check.
    match fs::symlink_metadata(directory) {
        Err(error) => Some(error.to_string()),
        Ok(metadata) => foreign(&metadata).or_else(|| {
            let mode = metadata.permissions().mode() & 0o7777;
            (mode & OTHERS != 0).then(|| format!("its mode is {mode:04o} instead of 0700"))
        }),
    }
}

fn foreign(metadata: &Metadata) -> Option<String> {
    let uid = rustix::process::geteuid().as_raw();
    if metadata.file_type().is_symlink() {
        Some("it is a symbolic link".to_owned())
    } else if !metadata.is_dir() {
        Some("it is not a directory".to_owned())
    } else if metadata.uid() != uid {
        Some(format!("it belongs to uid {} and not to uid {uid}", metadata.uid()))
    } else {
        None
    }
}

pub(super) fn check(path: &Path, chosen: bool, exposed: bool) -> Result<(), EndpointError> {
    let directory = parent(path);
    let metadata = match fs::symlink_metadata(directory) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(EndpointError::Io { directory: directory.to_owned(), source });
        }
    };
    let why = if chosen { why_replaceable(directory, &metadata, exposed) } else { why_not_private(directory) };
    match why {
        None => Ok(()),
        Some(why) => Err(EndpointError::Unsafe { directory: directory.to_owned(), why }),
    }
}

/// Why another user could put a socket of their own at a chosen place, if that is so. The place may be shared, as a mounted socket is.
fn why_replaceable(directory: &Path, metadata: &Metadata, exposed: bool) -> Option<String> {
    let me = rustix::process::geteuid().as_raw();
    // Who exposes a socket to another user owns the directory around it.
    let is_foreign = |it: &Metadata| ![0, me].contains(&it.uid()) && !exposed;
    let is_open = |it: &Metadata| {
        let mode = it.permissions().mode();
        mode & OTHERS_WRITE != 0 && mode & STICKY == 0
    };
    let behind = if metadata.is_symlink() {
        if is_foreign(metadata) {
            return Some(format!("it is a symbolic link of uid {}", metadata.uid()));
        }
        if fs::metadata(parent(directory)).is_ok_and(|it| is_open(&it)) {
            return Some("it is a symbolic link that others can replace".to_owned());
        }
        fs::metadata(directory).ok()? // a link to nothing: there is no socket
    } else {
        metadata.clone()
    };
    if is_open(&behind) {
        Some("others can replace the socket in it".to_owned())
    } else if behind.is_dir() && is_foreign(&behind) {
        Some(format!("it belongs to uid {} and not to uid {me}", behind.uid()))
    } else {
        None
    }
}

pub(super) fn prepare(path: &Path) -> Result<(), EndpointError> {
    let directory = parent(path);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|source| EndpointError::Io { directory: directory.to_owned(), source })
}

pub(super) fn lock_path(path: &Path, extension: &str) -> PathBuf {
    path.with_extension(extension)
}

pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    // Nor does opening a pipe wait for its reader.
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or_default();
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).custom_flags(flags).open(path)?;
    let (metadata, me) = (file.metadata()?, rustix::process::geteuid());
    if !metadata.is_file() {
        return Err(io::Error::other(format!("{} is not a regular file", path.display())));
    }
    // In a shared directory another user can make the file first, and hold it. Root may wait for any user's agent.
    if metadata.uid() != me.as_raw() && !me.is_root() {
        return Err(io::Error::other(format!("{} belongs to uid {}", path.display(), metadata.uid())));
    }
    if metadata.permissions().mode() & OTHERS != 0 {
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

pub(super) fn lock(file: &File) -> io::Result<()> {
    Ok(rustix::fs::flock(file, FlockOperation::LockExclusive)?)
}

pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::super::{Endpoint, EndpointError};

    fn private(directory: &Path) {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).unwrap();
    }

    fn endpoint(runtime: &Path, state: &Path) -> Endpoint {
        let (runtime, state) = (runtime.as_os_str().to_owned(), state.as_os_str().to_owned());
        Endpoint::from_variables(&|name| match name {
            "XDG_RUNTIME_DIR" => Some(runtime.clone()),
            "XDG_STATE_HOME" => Some(state.clone()),
            _ => None,
        })
        .unwrap()
    }

    #[test]
    fn the_runtime_directory_is_used_only_when_it_is_private() {
        let temp = tempfile::tempdir().unwrap();
        private(temp.path());
        let state = temp.path().join("state");
        assert_eq!(endpoint(temp.path(), &state).path(), temp.path().join("ghapp/agent.sock"));

        let link = temp.path().join("link");
        symlink(temp.path(), &link).unwrap();
        assert!(!endpoint(&link, &state).path().starts_with(&link), "a link was followed");

        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let fallback = endpoint(temp.path(), &state);
        assert!(!fallback.path().starts_with(temp.path().join("ghapp")), "{fallback}");
    }

    // rule 38
    #[test]
    fn the_directory_is_made_private_and_refused_when_it_is_not() {
        let temp = tempfile::tempdir().unwrap();
        private(temp.path());
        let endpoint = endpoint(temp.path(), temp.path());
        endpoint.check().expect("a missing directory is not an error");
        endpoint.prepare().unwrap();
        let directory = temp.path().join("ghapp");
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);

        fs::set_permissions(&directory, fs::Permissions::from_mode(0o750)).unwrap();
        let error = endpoint.prepare().unwrap_err();
        assert!(matches!(error, EndpointError::Unsafe { .. }), "{error}");
        assert!(error.to_string().contains("0750"), "{error}");
    }

    #[test]
    fn a_chosen_place_must_be_absolute_short_and_not_replaceable() {
        assert!(Endpoint::at("agent.sock").is_err());
        let long = format!("/{}", "x".repeat(103));
        assert!(Endpoint::at(long).unwrap_err().to_string().contains("GHAPP_SOCKET"));

        let temp = tempfile::tempdir().unwrap();
        let chosen = Endpoint::at(temp.path().join("a.sock")).unwrap();
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        chosen.check().expect("a sticky directory keeps others from replacing the socket");
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(chosen.check().is_err());
    }

    #[test]
    fn a_chosen_place_behind_a_link_or_of_another_user_is_looked_at_too() {
        let temp = tempfile::tempdir().unwrap();
        private(temp.path());
        let (shared, link) = (temp.path().join("shared"), temp.path().join("link"));
        fs::create_dir(&shared).unwrap();
        symlink(&shared, &link).unwrap();
        let chosen = Endpoint::at(link.join("agent.sock")).unwrap();
        private(&shared);
        chosen.check().unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
        let error = chosen.check().unwrap_err().to_string();
        assert!(error.contains("others can replace the socket"), "{error}");
        private(&shared);
        fs::set_permissions(temp.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let error = chosen.check().unwrap_err().to_string();
        assert!(error.contains("a symbolic link that others can replace"), "{error}");
        private(temp.path());
        // Only root can give a directory away.
        if std::os::unix::fs::chown(&shared, Some(65534), None).is_ok() {
            let error = chosen.check().unwrap_err().to_string();
            assert!(error.contains("it belongs to uid 65534"), "{error}");
            Endpoint::at(shared.join("exposed.sock")).unwrap().check().unwrap();
        }
    }

    #[test]
    fn a_lock_is_a_file_of_ours_that_nobody_else_can_open() {
        use super::super::open_lock;
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let lock = open_lock(&path).unwrap();
        assert_eq!(lock.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        fs::remove_file(&path).unwrap();
        // Opening a pipe without a reader would never return, and a pipe with one is no lock.
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        open_lock(&path).unwrap_err();
        let reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        open_lock(&path).unwrap_err();
        drop(reader);
        open_lock(temp.path()).unwrap_err();
    }

    #[test]
    fn a_path_that_is_too_long_is_passed_over_or_named() {
        let temp = tempfile::tempdir().unwrap();
        let long = temp.path().join("x".repeat(100));
        fs::create_dir(&long).unwrap();
        private(&long);
        assert_eq!(endpoint(&long, temp.path()).path(), temp.path().join("ghapp/run/agent.sock"));
        let error = Endpoint::from_variables(&|_| Some(long.clone().into_os_string())).unwrap_err();
        assert!(error.to_string().contains("longer than 103 bytes; name a shorter one"), "{error}");
    }

    #[test]
    fn the_override_wins() {
        let endpoint =
            Endpoint::from_variables(&|name| (name == "GHAPP_SOCKET").then(|| OsString::from("/x/y.sock"))).unwrap();
        assert_eq!(endpoint.path(), Path::new("/x/y.sock"));
        assert_eq!(endpoint.run_lock(), Path::new("/x/y.run.lock"));
    }
}
