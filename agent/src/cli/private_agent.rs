//! `ghapp agent run -- CMD`: a private agent for one command and everything that it starts.
//!
//! As `ssh-agent CMD` does, this process becomes the command once the agent listens. So signals, job control and the exit code
//! are the command's own, and the agent ends with it because it watches this very process.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use ghapp_protocol::endpoint::{Endpoint, SOCKET_VARIABLE};
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::start::{self, NO_AUTOSTART_VARIABLE};
use ghapp_protocol::{client::Deadline, hardening};

use super::agent::replace_process;
use super::failure::CliError;
use super::{CONFIG_VARIABLE, Session};

/// Exit code when the command cannot be run, as shells have it.
const CANNOT_RUN: u8 = 126;
/// Exit code when there is no such command, as shells have it.
const NOT_FOUND: u8 = 127;

pub(super) fn run(session: &Session<'_>, command: &[OsString]) -> Result<ExitCode, CliError> {
    let (program, arguments) = command.split_first().ok_or_else(|| CliError::usage("there is no command to run"))?;
    let own = Endpoint::own()?;
    own.prepare()?;
    let parent = own.path().parent().unwrap_or(own.path());
    let directory = private_directory(parent).map_err(|error| CliError::file("make a directory in", parent, error))?;
    let endpoint = Endpoint::at(directory.path().join("agent.sock"))?;
    let deadline = Deadline::after(start::START_TIMEOUT);
    start::start_private(&endpoint, Some(&session.config), std::process::id(), deadline)?;
    session.output.detail(&format!("a private agent listens at {endpoint}"));
    let mut command = Command::new(program);
    command.args(arguments).env(SOCKET_VARIABLE, endpoint.path());
    // What outlives the command must not start an agent in its place.
    command.env(NO_AUTOSTART_VARIABLE, "1");
    if session.agent.names_config() {
        command.env(CONFIG_VARIABLE, &session.config);
    }
    // The agent removes it.
    let _ = directory.keep();
    hardening::release_command();
    replace_process(command).or_else(|error| {
        let cause = format!("cannot run {}: {error}", program.display());
        session.output.failure(&CliError::new(ErrorCode::File, cause));
        let not_found = error.kind() == std::io::ErrorKind::NotFound;
        Ok(ExitCode::from(if not_found { NOT_FOUND } else { CANNOT_RUN }))
    })
}

fn private_directory(parent: &std::path::Path) -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("run-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent)
}
