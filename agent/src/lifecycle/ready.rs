//! Tells the process that started the agent that it listens, or why it does not.

use std::io::{self, Write};

use ghapp_protocol::start::{FAILED_PREFIX, READY_LINE};

use super::error::StartupError;

/// How the agent was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// By a person or a service manager: it stays in the foreground and logs to standard error.
    Foreground,
    /// By [`super::detach()`]: it keeps nothing of the starter's, and says on standard output when it is ready.
    Detached,
}

/// Tells that the agent listens.
pub(super) fn tell(start: Start) {
    #[cfg(target_os = "linux")]
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::debug!(%error, "no service manager was told");
    }
    if start == Start::Detached {
        say(READY_LINE);
        release_stdout();
    }
}

/// Tells a service manager that the agent stops.
pub(super) fn tell_stopping() {
    #[cfg(target_os = "linux")]
    // There may be no service manager that hears it.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
}

/// Tells why a detached agent does not start. An agent that runs already is as good as a new one.
pub(super) fn tell_failure(error: &StartupError) {
    match error {
        StartupError::AlreadyRunning(_) => say(READY_LINE),
        error => say(&format!("{FAILED_PREFIX}{error}")),
    }
}

/// Tells why there is not even a place to start at.
pub(super) fn tell_misplaced(error: &str) {
    say(&format!("{FAILED_PREFIX}{error}"));
}

fn say(line: &str) {
    let mut stdout = io::stdout().lock();
    // The starter may have given up.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// Closes the pipe to the starter, which waits for the end of it.
#[cfg(unix)]
fn release_stdout() {
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        // If it cannot be replaced, the starter still has its line.
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

/// Here the starter does not wait for the end of the pipe.
#[cfg(not(unix))]
fn release_stdout() {}
