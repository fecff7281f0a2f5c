//! Replaces this process with a command, so that signals, job control and the exit code are the command's own.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::process::{Command, ExitCode};

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::hardening;

use crate::failure::CliError;
use crate::terminal::output::Output;

/// Exit code when the command cannot be run, as shells have it.
const CANNOT_RUN: u8 = 126;
/// Exit code when there is no such command, as shells have it.
const NOT_FOUND: u8 = 127;

/// Returns only when the command cannot be run, which it reports, or where a process cannot be replaced.
pub(crate) fn run(output: &Output, command: Command) -> ExitCode {
    let program = command.get_program().to_owned();
    hardening::release_command();
    replace_process(command).unwrap_or_else(|error| cannot_run(output, &program, &error))
}

/// Replaces this process with another program.
#[cfg(unix)]
pub(crate) fn replace_process(mut command: Command) -> io::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    Err(command.exec())
}

/// Runs another program and waits for it: Windows cannot replace a process.
#[cfg(not(unix))]
pub(crate) fn replace_process(mut command: Command) -> io::Result<ExitCode> {
    let status = command.status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

/// Reports why a command cannot be run, and returns the exit code that a shell would give.
pub(crate) fn cannot_run(output: &Output, program: &OsStr, error: &io::Error) -> ExitCode {
    let cause = format!("cannot run {}: {error}", program.display());
    output.failure(&CliError::new(ErrorCode::File, cause));
    ExitCode::from(if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { CANNOT_RUN })
}
