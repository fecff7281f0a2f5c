//! `ghapp agent`: starts, stops and describes the agent.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::mpsc;
use std::time::Duration;

use ghapp_agent::model::StoreKind;
use ghapp_protocol::client;
use ghapp_protocol::endpoint::{self, Endpoint};
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{Call, Reply, Stop};
use ghapp_protocol::start::sibling;
use serde::Serialize;

use crate::agent::{expose, private_agent, shell_exports};
use crate::arguments::{Agent, Form};
use crate::connection::NETWORK_TIMEOUT;
use crate::failure::CliError;
use crate::process::in_place::replace_process;
use crate::session::Session;
use crate::terminal::json::{self, SCHEMA};
use crate::terminal::wording;

/// How long an agent that has agreed to stop may take to exit. All it has left to do is to close files.
const END_TIMEOUT: Duration = Duration::from_secs(5);
/// The name of the agent's program.
pub(crate) const PROGRAM: &str = if cfg!(windows) { "ghapp-agent.exe" } else { "ghapp-agent" };

pub(crate) fn run(session: &Session<'_>, command: &Agent) -> Result<ExitCode, CliError> {
    match command {
        Agent::Start { foreground: true } => foreground(session),
        Agent::Start { foreground: false } => start(session),
        Agent::Stop { revoke } => stop(session, *revoke),
        Agent::Restart { revoke } => restart(session, *revoke),
        Agent::Env(exports) => shell_exports::run(session, exports).map(|()| ExitCode::SUCCESS),
        Agent::Run { command } => private_agent::run(session, command),
        Agent::Status(form) => status(session, *form),
        Agent::Reload => reload(session),
        Agent::Expose(arguments) => expose::open(session, arguments).map(|()| ExitCode::SUCCESS),
        Agent::Unexpose(arguments) => expose::close(session, arguments).map(|()| ExitCode::SUCCESS),
        Agent::Exposed(form) => expose::list(session, *form).map(|()| ExitCode::SUCCESS),
    }
}

fn start(session: &Session<'_>) -> Result<ExitCode, CliError> {
    let running = session.agent.running_status()?;
    let verb = if running.is_some() { "runs already" } else { "started" };
    let status = if let Some(status) = running {
        status
    } else {
        session.agent.start()?;
        session.agent.status()?
    };
    session.agent.check_config(&status)?;
    session.output.report(&format!("agent {verb}: pid {}, {}", status.pid, session.agent.endpoint()))?;
    if let Some(error) = &status.config_error {
        session.output.warning(&format!("the agent serves nothing: {error}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn foreground(session: &Session<'_>) -> Result<ExitCode, CliError> {
    let program = sibling(PROGRAM).map_err(CliError::own_program)?;
    if !program.is_file() {
        return Err(CliError::new(
            ErrorCode::AgentNotStarted,
            format!("cannot start the agent: there is no {}", program.display()),
        )
        .hint("install ghapp-agent beside ghapp"));
    }
    let mut command = Command::new(program);
    command.arg("--foreground").arg("--socket").arg(session.agent.endpoint().path());
    command.arg("--config").arg(&session.config);
    replace_process(command).map_err(CliError::own_program)
}

fn stop(session: &Session<'_>, revoke: bool) -> Result<ExitCode, CliError> {
    let agent = &session.agent;
    // Revoking takes the long limit; an agent that does not answer at all should not be waited for that long.
    if let Err(error) = agent.running_status()
        && error.code == ErrorCode::AgentSilent
    {
        return Err(error.hint(end_it(agent.endpoint())));
    }
    match agent.ask_running(Call::Stop(Stop { revoke }), NETWORK_TIMEOUT)? {
        None => session.output.report("the agent is not running")?,
        Some(Reply::Stopping { revoked, not_revoked }) => {
            wait_for_end(&agent.endpoint().run_lock());
            session.output.report(&if revoke || revoked > 0 {
                format!("agent stopped: {} revoked", wording::count(revoked, "lease"))
            } else {
                "agent stopped".to_owned()
            })?;
            if not_revoked > 0 {
                session.output.warning(&wording::left_alive(not_revoked));
            }
        }
        Some(_) => return Err(agent.unexpected()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Stops the agent and starts the installed one, or lets a service manager start it.
fn restart(session: &Session<'_>, revoke: bool) -> Result<ExitCode, CliError> {
    let before = session.agent.running_status()?;
    let exposed = before.as_ref().map_or(0, |status| status.exposed);
    let apps = before.map(|status| status.apps).unwrap_or_default();
    stop(session, revoke)?;
    let code = start(session)?;
    if exposed > 0 {
        session
            .output
            .warning(&format!("{} closed; expose again what is needed", wording::count(exposed, "exposed socket")));
    }
    for app in apps.iter().filter(|app| app.state == "ok") {
        let name = &app.name;
        match StoreKind::parse(&app.store) {
            Some(StoreKind::Memory) => {
                session.output.warning(&format!("the key of {name} was in the agent's memory only; log in again"));
            }
            Some(StoreKind::EncryptedFile) => {
                session.output.warning(&format!("the file with the key of {name} is closed again; run: ghapp unlock"));
            }
            _ => {}
        }
    }
    Ok(code)
}

/// How to kill an agent that does not answer.
pub(crate) fn end_it(endpoint: &Endpoint) -> String {
    let is_agent = |pid: &u32| {
        // The listener on a service manager's socket is the manager, which must not be killed.
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim_end() == "ghapp-agent")
    };
    match client::listener(endpoint).filter(is_agent) {
        Some(pid) => format!("run: kill -KILL {pid}"),
        None => format!("end the process {PROGRAM} by hand"),
    }
}

/// Waits until the agent has let go of the lock that it holds for as long as it lives, so that a start right behind this
/// command does not meet an agent that is about to exit.
fn wait_for_end(lock: &Path) {
    // A socket that was mounted from elsewhere has no lock here, and none is made for it.
    if !lock.exists() {
        return;
    }
    let Ok(file) = endpoint::open_lock(lock) else {
        return;
    };
    // Waiting for a file lock has no deadline of its own, so a thread waits; it ends with this process.
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || drop(sender.send(endpoint::lock(&file))));
    // Whether it has exited or not: it has promised to, and there is nothing more to do.
    drop(receiver.recv_timeout(END_TIMEOUT));
}

#[derive(Serialize)]
struct StatusOutput<'a> {
    schema: u32,
    agent: json::Agent<'a>,
}

fn status(session: &Session<'_>, form: Form) -> Result<ExitCode, CliError> {
    let status = session.agent.running_status()?;
    let output = session.output;
    if form.json {
        output.json(&StatusOutput { schema: SCHEMA, agent: json::Agent::of(status.as_ref()) })?;
    }
    let Some(status) = status else {
        return Err(CliError::new(
            ErrorCode::AgentNotRunning,
            format!("the agent is not running ({})", session.agent.endpoint()),
        )
        .hint("run: ghapp agent start"));
    };
    if !form.json {
        for (label, value) in [
            ("pid", status.pid.to_string()),
            ("version", status.version),
            ("socket", status.socket),
            ("config", status.config),
            ("started by", status.started_by),
            ("locked", if status.locked { "yes" } else { "no" }.to_owned()),
        ] {
            output.line(&format!("{label:<12}{value}"))?;
        }
        if status.exposed > 0 {
            output.line(&format!("{:<12}{}", "exposed", wording::count(status.exposed, "further socket")))?;
        }
    }
    if let Some(error) = &status.config_error {
        output.warning(&format!("the agent serves nothing: {error}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn reload(session: &Session<'_>) -> Result<ExitCode, CliError> {
    let agent = &session.agent;
    if let Some(status) = agent.running_status()? {
        agent.check_config(&status)?;
    }
    match agent.ask_running(Call::Reload {}, NETWORK_TIMEOUT)? {
        Some(Reply::Reloaded {}) => session.output.report("configuration read again")?,
        Some(_) => return Err(agent.unexpected()),
        None => session.output.report("the agent is not running; it reads the configuration when it starts")?,
    }
    Ok(ExitCode::SUCCESS)
}
