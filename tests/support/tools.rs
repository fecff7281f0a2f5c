//! Programs that some tests need and not every machine has.

use std::panic::Location;

/// A program and the Debian package that brings it.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The program's name.
    pub program: &'static str,
    /// The package's name.
    pub package: &'static str,
}

/// Whether all of them are there. A test without its tools cannot run; outside CI it says so and returns.
///
/// # Panics
///
/// In CI, which has to bring every tool: no test may be skipped there in silence.
#[track_caller]
pub fn all_there(tools: &[Tool]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |tool: &&Tool| std::env::split_paths(&path).any(|directory| directory.join(tool.program).is_file());
    let Some(missing) = tools.iter().find(|tool| !there(tool)) else { return true };
    not_run(&format!("{} is missing: install the package {}", missing.program, missing.package))
}

/// Whether this process may become another user, which only root may. In CI it always may.
///
/// # Panics
///
/// In CI, when it is not root.
#[cfg(unix)]
#[track_caller]
pub fn can_become_another_user() -> bool {
    rustix::process::geteuid().is_root() || not_run("only root can become another user")
}

/// Whether this process can see what an agent has open: an agent lets only root look. In CI it always can.
///
/// # Panics
///
/// In CI, when it is not root.
#[cfg(unix)]
#[track_caller]
pub fn can_see_open_files() -> bool {
    rustix::process::geteuid().is_root() || not_run("only root can see what an agent has open")
}

/// Says why a test, or a part of it, does not run here, at once and again at the end: see the package
/// `not-run`. Always false.
///
/// # Panics
///
/// In CI, which has to be a place where everything runs.
#[track_caller]
pub fn not_run(why: &str) -> bool {
    assert!(!in_ci(), "{why}");
    let (thread, caller) = (std::thread::current(), Location::caller());
    // libtest names a test's thread after the test. Threads that a test starts have no name.
    match thread.name().filter(|name| *name != "main") {
        Some(test) => ::not_run::tell(test, why),
        None => ::not_run::tell(&format!("{}:{}", caller.file(), caller.line()), why),
    }
    false
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some()
}
