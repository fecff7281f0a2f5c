//! Where programs are looked for, and what is found there.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Where this process looks for programs.
pub(crate) fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// The program of that name in such a list of directories, as git would find it.
pub(crate) fn in_path(program: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|program| program.is_file())
}
