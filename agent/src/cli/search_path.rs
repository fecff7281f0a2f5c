//! Where programs are looked for, and where our helper is found.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::wiring::HELPER_PROGRAM;

/// Where this process looks for programs.
pub(super) fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Our helper in such a list of directories, as git would find it.
pub(super) fn in_path(path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(HELPER_PROGRAM))
        .find(|program| program.is_file())
}
