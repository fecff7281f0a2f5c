//! Starts an agent in a session of its own that inherits nothing, and waits until it listens.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use ghapp_protocol::endpoint::Endpoint;
use ghapp_protocol::start::READY_LINE;

use super::error::StartupError;
use super::ready;

/// The option by which [`detach`] starts the process that stays.
const DETACHED_OPTION: &str = "--detached";
/// The option that names the process that a private agent runs for.
const WATCHED_OPTION: &str = "--patron";

/// What became of the agent that was to be started, from the line that its starter reads.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It listens.
    Ready,
    /// It does not; the line says why.
    Failed(String),
}

/// Starts the agent in the background and waits for its only line of output.
///
/// Two processes, since a process that was started by a shell leads its group and cannot leave its session; the second one can.
pub fn detach(endpoint: &Endpoint, config_file: &Path, watched: Option<u32>) -> io::Result<Outcome> {
    let mut command = Command::new(std::env::current_exe()?);
    if let Some(watched) = watched {
        command.arg(WATCHED_OPTION).arg(watched.to_string());
    }
    let mut child = command
        .arg(DETACHED_OPTION)
        .arg("--socket")
        .arg(endpoint.path())
        .arg("--config")
        .arg(config_file)
        .current_dir(if cfg!(windows) { "." } else { "/" })
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    Ok(match line.trim_end() {
        READY_LINE => Outcome::Ready,
        "" => Outcome::Failed("it ended without a word".to_owned()),
        line => Outcome::Failed(line.to_owned()),
    })
}

/// Leaves the starter's session and terminal. The first thing that the process that stays calls.
#[cfg(unix)]
pub fn leave_session() {
    // Fails only for a group leader, which this process is not when `detach` started it.
    let _ = rustix::process::setsid();
    // Whatever the starter's mask is, sockets, locks and logs are for this user alone.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// There are no sessions to leave.
#[cfg(not(unix))]
pub fn leave_session() {}

/// Tells the starter that a detached agent knows no place to start at.
pub fn tell_misplaced(error: &str) {
    ready::tell_misplaced(error);
}

/// Tells the starter why a detached agent does not start.
pub fn tell_failure(error: &StartupError) {
    ready::tell_failure(error);
}
