//! The pipe's name on Windows. The pipe's security descriptor, which the agent sets, decides which users may open it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use fs4::fs_std::FileExt;

use super::error::EndpointError;

/// Where pipes of this machine live.
const PIPES: &str = r"\\.\pipe\";

pub(super) fn default_path(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, EndpointError> {
    let user = variable("USERNAME").ok_or(EndpointError::NoHome)?;
    let domain = variable("USERDOMAIN").unwrap_or_default();
    // A backslash would end the name; every other character is allowed in one.
    let name = |part: &OsString| part.to_string_lossy().replace('\\', "_");
    Ok(PathBuf::from(format!("{PIPES}ghapp-agent-{}-{}", name(&domain), name(&user))))
}

pub(super) fn check_address(path: &Path) -> Result<(), EndpointError> {
    if path.to_string_lossy().to_ascii_lowercase().starts_with(PIPES) {
        return Ok(());
    }
    Err(EndpointError::BadPath { path: path.to_owned(), why: r"a pipe's name begins with \\.\pipe\" })
}

pub(super) fn check(_path: &Path, _chosen: bool, _exposed: bool) -> Result<(), EndpointError> {
    Ok(())
}

pub(super) fn prepare(path: &Path) -> Result<(), EndpointError> {
    let directory = lock_path(path, "lock");
    let directory = directory.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(|source| EndpointError::Io { directory: directory.to_owned(), source })
}

/// Locks are files, and pipes are not in a directory: the locks live in the user's local application data.
pub(super) fn lock_path(path: &Path, extension: &str) -> PathBuf {
    let local = std::env::var_os("LOCALAPPDATA").map_or_else(std::env::temp_dir, PathBuf::from);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    local.join("ghapp").join(format!("{}.{extension}", name.unwrap_or_default()))
}

pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

pub(super) fn lock(file: &File) -> io::Result<()> {
    FileExt::lock_exclusive(file)
}

pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    FileExt::try_lock_exclusive(file)
}
