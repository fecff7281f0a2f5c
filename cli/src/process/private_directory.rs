//! A directory for one command, which no other user can look into.

use std::io;
use std::path::Path;

use tempfile::TempDir;

/// Makes a directory that no other user can look into. It is removed when the returned value is dropped.
pub(crate) fn private_directory(parent: &Path, prefix: &str) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent)
}
