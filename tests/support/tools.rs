//! Programs that some tests need and not every machine has.

/// A program and the Debian package that brings it.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The program's name.
    pub program: &'static str,
    /// The package's name.
    pub package: &'static str,
}

/// Whether all of them are there. A test without its tools cannot run; outside CI it says so and ends.
///
/// # Panics
///
/// In CI, which has to bring every tool: nothing is passed over silently there.
#[expect(clippy::print_stdout, reason = "for whoever wonders what was tested")]
pub fn all_there(tools: &[Tool]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |tool: &&Tool| std::env::split_paths(&path).any(|directory| directory.join(tool.program).is_file());
    let Some(missing) = tools.iter().find(|tool| !there(tool)) else { return true };
    assert!(!in_ci(), "{} is missing: install the package {}", missing.program, missing.package);
    println!("not run: {} is missing (package {})", missing.program, missing.package);
    false
}

/// Whether this process may become another user, which only root may. In CI it always may.
///
/// # Panics
///
/// In CI, when it is not root.
#[cfg(unix)]
#[expect(clippy::print_stdout, reason = "for whoever wonders what was tested")]
pub fn can_become_another_user() -> bool {
    let root = rustix::process::geteuid().is_root();
    assert!(root || !in_ci(), "CI has to run as root: some tests become another user");
    if !root {
        println!("not run: only root can become another user");
    }
    root
}

/// Says why a test does not run here.
///
/// # Panics
///
/// In CI, which has to be a place where everything runs.
#[expect(clippy::print_stdout, reason = "for whoever wonders what was tested")]
pub fn not_run(why: &str) -> bool {
    assert!(!in_ci(), "{why}");
    println!("not run: {why}");
    false
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some()
}
