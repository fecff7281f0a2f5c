//! What the end-to-end tests and the demo stand on: a GitHub that runs in the test's own process and is as strict
//! as the real one, and a sandbox in which real git and the real binaries see nothing of the machine they run on.
//!
//! Start reading at [`github::GitHub::start`] and [`sandbox::Sandbox::new`].

pub mod agent;
pub mod build;
pub mod desk;
mod eventually;
pub mod git;
pub mod github;
#[cfg(target_os = "linux")] // what is told of keyrings and processes is another thing elsewhere
pub mod golden;
#[cfg(target_os = "linux")]
pub mod kernel_keyring;
#[cfg(unix)]
pub mod keyring;
#[cfg(unix)]
pub mod memory;
pub mod process;
pub mod sandbox;
pub mod secrets;
#[cfg(unix)]
pub mod terminal;
pub mod tls;
pub mod tools;

use std::path::{Path, PathBuf};

pub use desk::Desk;
pub use eventually::{Look, eventually, eventually_within};
pub use github::GitHub;
pub use sandbox::Sandbox;

/// Returns the path of one of this workspace's programs, as built for the profile the test runs in.
///
/// Cargo builds the binaries of *other* packages only in a build of the whole workspace, so a test that is run
/// on its own may come too early.
///
/// # Panics
///
/// When the program has not been built.
pub fn binary(name: &str) -> PathBuf {
    let path = binary_directory().join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is not there: run `cargo build --workspace` first", path.display());
    path
}

/// Returns the directory cargo puts programs into: `target/<profile>`.
pub fn binary_directory() -> PathBuf {
    let test = std::env::current_exe().expect("a running program has a path");
    let directory = test.parent().expect("a program lies in a directory");
    // Tests lie one level below the programs, in `deps`.
    let directory = if directory.ends_with("deps") { directory.parent() } else { Some(directory) };
    directory.map(Path::to_path_buf).expect("`deps` lies in the profile's directory")
}
