//! Exposed sockets: each serves git alone, for a time, within a scope that nothing widens.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod budget;
mod end;
mod place;
mod scope;
mod telling;

use std::path::{Path, PathBuf};
use std::process::Command;

use ghapp_tests::process::{self, Output};
use ghapp_tests::{Desk, binary};
use serde_json::Value;

/// Exposes a socket and returns its path.
fn expose(desk: &Desk, arguments: &[&str]) -> PathBuf {
    let exposed = desk.ghapp(["agent", "expose"].into_iter().chain(arguments.iter().copied()));
    PathBuf::from(exposed.ok().stdout().trim_end())
}

/// A command whose agent is the one behind a socket.
fn over(desk: &Desk, socket: &Path, program: impl AsRef<Path>) -> Command {
    let mut command = desk.command(program.as_ref());
    command.env("GHAPP_SOCKET", socket);
    command
}

/// The helper's own answer over a socket.
fn helper(desk: &Desk, socket: &Path, operation: &str, host: &str, rest: &str) -> Output {
    let request = format!("protocol=https\nhost={host}\n{rest}\n");
    process::run(over(desk, socket, binary("git-credential-ghapp")).arg(operation), request.as_bytes())
}

fn get(desk: &Desk, socket: &Path, repository: &str) -> Output {
    helper(desk, socket, "get", desk.github.host(), &format!("path={repository}.git\n"))
}

/// The token that git gets over a socket.
fn token(desk: &Desk, socket: &Path, repository: &str) -> String {
    let answer = get(desk, socket, repository);
    let token = answer.stdout().lines().find_map(|line| line.strip_prefix("password=").map(str::to_owned));
    token.unwrap_or_else(|| panic!("no token: {} {}", answer.stdout(), answer.stderr()))
}

/// Asserts that git gets nothing over a socket, and is told why and whether to go on.
#[track_caller]
fn refused(answer: &Output, quit: bool, why: &str) {
    assert_eq!(answer.ok().stdout(), if quit { "quit=1\n" } else { "" });
    answer.stderr_contains(why);
}

fn exposed(desk: &Desk) -> Vec<Value> {
    desk.ghapp_json(["agent", "exposed"])["exposed"].as_array().unwrap().clone()
}
