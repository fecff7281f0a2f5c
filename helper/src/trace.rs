//! `GHAPP_TRACE`: what happens, for the person who wonders why. There is nothing secret in what it is given.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

const VARIABLE: &str = "GHAPP_TRACE";

/// Writes one line if tracing is on: to standard error for `1`, appended to a file for an absolute path.
///
/// A trace that cannot be written is dropped: git's command matters more.
pub(crate) fn event(describe: impl FnOnce() -> String) {
    let Some(target) = std::env::var_os(VARIABLE) else {
        return;
    };
    let line = format!("ghapp trace [{}]: {}\n", std::process::id(), describe());
    if target == OsStr::new("1") {
        drop(std::io::stderr().write_all(line.as_bytes()));
    } else if Path::new(&target).is_absolute() {
        let file = OpenOptions::new().create(true).append(true).open(target);
        drop(file.and_then(|mut file| file.write_all(line.as_bytes())));
    }
}
