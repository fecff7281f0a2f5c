//! The tests that did not run because the machine lacks something: each says so at once, and the end of the run says it again.
//!
//! libtest counts a test that returned at once as passed, swallows what it printed, and has no end of a run to hook
//! into. So a test that leaves something out tells it twice. At once, past libtest, on the standard error of the process. And by a
//! line in a file, which the test target `what_did_not_run` of this package prints when all others have run. That target is
//!
//! * the last: cargo runs packages in the order of their names;
//! * there with every filter, since it is a program and not a test;
//! * told only of its own run, also when two go on at the same time: the file belongs to the cargo that started both, and one that
//!   is left behind is never read;
//! * not there with `--test NAME`, and not after a failure (unless with `--no-fail-fast`): then what was told at once is all;
//! * not there for nextest, which keeps what tests say as well: `cargo nextest run --success-output final` shows it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

/// Tells that a test, or a part of it, is left out, and why.
pub fn tell(test: &str, why: &str) {
    let line = format!("not run: {test}: {why}\n");
    // With standard error closed there is no reader to tell.
    let _ = io::stderr().write_all(line.as_bytes());
    // Where the file cannot be written, the line above has to do.
    let _ = append(&line);
}

/// What was told in this run, in alphabetical order, each once. It is forgotten with this.
pub fn told() -> BTreeSet<String> {
    let Some(file) = file() else { return BTreeSet::new() };
    let lines = fs::read_to_string(&file).unwrap_or_default();
    // Without a skipped test there is no file.
    let _ = fs::remove_file(file);
    lines.lines().map(str::to_owned).collect()
}

/// One write for one line, so that lines of several threads and processes stay whole.
fn append(line: &str) -> io::Result<()> {
    let Some(file) = file() else { return Ok(()) };
    fs::create_dir_all(file.with_file_name(""))?;
    File::options().append(true).create(true).open(file)?.write_all(line.as_bytes())
}

/// The file of this run; none for a program that is no test: cargo puts tests into `target/<profile>/deps`.
fn file() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let directory = program.parent().filter(|directory| directory.ends_with("deps"))?;
    Some(directory.with_file_name("not-run").join(starter()))
}

/// The process that started this one: cargo. With its start time, where that is easy to get: process ids are reused.
#[cfg(unix)]
fn starter() -> String {
    let number = std::os::unix::process::parent_id();
    let status = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    // The name may have spaces and parentheses in it; the time is the 20th field behind it.
    let start = status.rsplit_once(") ").and_then(|(_, fields)| fields.split(' ').nth(19));
    format!("{number}-{}", start.unwrap_or_default())
}

/// All runs have one file here: the standard library does not know the parent.
#[cfg(not(unix))]
fn starter() -> String {
    "told".to_owned()
}
