//! The names of the audit log's files, how many are kept, and how a file is recognized: for the writer and the readers.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::files::private_directory;

/// Older files that are kept: `audit.jsonl.1` is the youngest of them.
pub(super) const KEPT: u32 = 4;

/// The name of the file with the lines about what was asked over exposed sockets. It fills and rotates by itself, so that those who
/// ask there cannot push out what else is written down.
pub(super) fn of_exposed(path: &Path) -> PathBuf {
    path.with_extension("exposed.jsonl")
}

/// The name of an older file.
pub(super) fn aside(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Whether both describe the same file.
#[cfg(unix)]
pub(super) fn same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// The standard library has no file numbers here, so the time of creation has to do.
#[cfg(not(unix))]
pub(super) fn same_file(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    one.created().ok() == other.created().ok()
}

/// Makes the directory of the log, private from its first moment.
pub(super) fn make_directory(path: &Path) -> io::Result<&Path> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    private_directory::create(directory)?;
    Ok(directory)
}
