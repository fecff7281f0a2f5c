//! `ghapp agent run -- CMD`: a private agent for one command and everything that the command starts.
//!
//! As `ssh-agent CMD` does, this process becomes the command once the agent listens. So signals, job control and the exit code
//! are the command's own, and the agent exits with the command because it watches this very process.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use ghapp_protocol::client::Deadline;
use ghapp_protocol::endpoint::{Endpoint, SOCKET_VARIABLE};
use ghapp_protocol::start::{self, NO_AUTOSTART_VARIABLE};

use crate::failure::CliError;
use crate::process::in_place;
use crate::process::private_directory::private_directory;
use crate::session::{CONFIG_VARIABLE, Session};

pub(crate) fn run(session: &Session<'_>, command: &[OsString]) -> Result<ExitCode, CliError> {
    let (program, arguments) = command.split_first().ok_or_else(|| CliError::usage("there is no command to run"))?;
    let own = Endpoint::own()?;
    own.prepare()?;
    let parent = own.path().parent().unwrap_or(own.path());
    let directory =
        private_directory(parent, "run-").map_err(|error| CliError::file("make a directory in", parent, error))?;
    let endpoint = Endpoint::at(directory.path().join("agent.sock"))?;
    let deadline = Deadline::after(start::START_TIMEOUT);
    start::start_private(&endpoint, Some(&session.config), std::process::id(), deadline)?;
    session.output.detail(&format!("a private agent listens at {endpoint}"));
    let mut command = Command::new(program);
    command.args(arguments).env(SOCKET_VARIABLE, endpoint.path());
    // A process that outlives the command must not start another agent.
    command.env(NO_AUTOSTART_VARIABLE, "1");
    if session.agent.names_config() {
        command.env(CONFIG_VARIABLE, &session.config);
    }
    // The agent removes it.
    let _ = directory.keep();
    Ok(in_place::run(session.output, command))
}
