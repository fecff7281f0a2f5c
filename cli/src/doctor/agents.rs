//! Checks of the agent: its place, whether it runs, which one it is, and what it has read.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ghapp_agent::model::{Fingerprint, StoreKind};
use ghapp_protocol::BUILD_VERSION;
use ghapp_protocol::endpoint::EndpointError;
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{AppStatus, Status};

use super::facts::Facts;
use super::fix::Fix;
use super::outcome::Outcome;
use crate::agent::control::end_it;
use crate::failure::CliError;
use crate::process::bounded;

/// How long systemd may take to answer about a unit.
const SYSTEMD_TIMEOUT: Duration = Duration::from_secs(5);
/// The units of the packages.
const SOCKET_UNIT: &str = "ghapp-agent.socket";
const SERVICE_UNIT: &str = "ghapp-agent.service";

/// Is the socket's directory ours alone?
pub(super) fn socket(facts: &mut Facts<'_>) -> Outcome {
    let endpoint = facts.session.agent.endpoint();
    match endpoint.check() {
        Ok(()) => Outcome::ok(endpoint.to_string()),
        Err(error) => {
            let directory = match &error {
                EndpointError::Unsafe { directory, .. } => Some(directory.clone()),
                _ => None,
            };
            let outcome = Outcome::from(CliError::from(error));
            match directory.filter(|directory| is_directory(directory)) {
                Some(directory) => outcome.with_fix(Fix::safe(&["chmod", "0700", &directory.display().to_string()])),
                None => outcome,
            }
        }
    }
}

fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

/// Does the agent run, or start when it is needed?
pub(super) fn running(facts: &mut Facts<'_>) -> Outcome {
    let agent = &facts.session.agent;
    let outcome = match agent.running_status() {
        Ok(Some(status)) => Ok((status, "runs")),
        // Starts one, as the next git command would.
        Ok(None) => agent.status().map(|status| (status, "was started")),
        Err(error) => Err(error),
    };
    match outcome {
        Ok((status, verb)) => {
            let detail = format!("{verb}: pid {}, started by {}", status.pid, status.started_by);
            facts.status = Some(status);
            Outcome::ok(detail)
        }
        Err(error) => not_running(facts, error),
    }
}

fn not_running(facts: &Facts<'_>, error: CliError) -> Outcome {
    let code = error.code;
    let outcome = Outcome::from(error);
    match code {
        ErrorCode::AgentNotRunning | ErrorCode::AgentGone => {
            outcome.with_fix(Fix::Safe(vec![facts.ghapp(&["agent", "start"])]))
        }
        ErrorCode::AgentSilent => outcome.with_fix(Fix::of_hint(&end_it(facts.session.agent.endpoint()))),
        _ => outcome,
    }
}

/// Is the agent's systemd unit ready, if there is one?
pub(super) fn unit(_: &mut Facts<'_>) -> Outcome {
    if !cfg!(target_os = "linux") {
        return Outcome::skip("there is no systemd");
    }
    let ask = |words: &[&str]| {
        let mut command = Command::new("systemctl");
        bounded::run(command.arg("--user").args(words), b"", SYSTEMD_TIMEOUT)
    };
    let Ok(answer) = ask(&["is-enabled", SOCKET_UNIT]) else {
        return Outcome::skip("there is no systemd");
    };
    let state = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    if !matches!(state.as_str(), "enabled" | "disabled") {
        return Outcome::skip(format!("{SOCKET_UNIT} is not installed"));
    }
    if ask(&["is-failed", "--quiet", SOCKET_UNIT, SERVICE_UNIT]).is_ok_and(|answer| answer.status.success()) {
        let words = |words: &[&str]| -> Vec<String> {
            ["systemctl", "--user"].iter().chain(words).map(ToString::to_string).collect()
        };
        let commands = vec![words(&["reset-failed", SOCKET_UNIT, SERVICE_UNIT]), words(&["restart", SOCKET_UNIT])];
        return Outcome::warn("systemd has given up to start the agent", Fix::Safe(commands));
    }
    Outcome::ok(if state == "enabled" {
        format!("{SOCKET_UNIT} is enabled")
    } else {
        format!("{SOCKET_UNIT} is not enabled: the first command starts the agent")
    })
}

/// Is the agent of this version?
pub(super) fn version(facts: &mut Facts<'_>) -> Outcome {
    let Some(status) = &facts.status else { return Outcome::skip("there is no agent") };
    if status.version == BUILD_VERSION {
        return Outcome::ok(status.version.clone());
    }
    let detail = format!("the agent is {}, and this ghapp is {BUILD_VERSION}", status.version);
    let restart = vec![facts.ghapp(&["agent", "restart"])];
    Outcome::warn(detail, if holds_keys(status) { Fix::Commands(restart) } else { Fix::Safe(restart) })
}

/// Whether a key would be lost with the agent, or need its passphrase again.
fn holds_keys(status: &Status) -> bool {
    let ends = [StoreKind::Memory, StoreKind::EncryptedFile].map(StoreKind::as_str);
    status.apps.iter().any(|app| ends.contains(&app.store.as_str()) && app.state == "ok")
}

/// Has the agent read this configuration in its present form?
pub(super) fn configuration(facts: &mut Facts<'_>) -> Outcome {
    let Some(status) = &facts.status else { return Outcome::skip("there is no agent") };
    let reload = || Fix::Safe(vec![facts.ghapp(&["agent", "reload"])]);
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if real(Path::new(&status.config)) != real(&facts.session.config) {
        let detail = format!("the agent uses {} and not {}", status.config, facts.session.config.display());
        return Outcome::fail(ErrorCode::Usage, detail, Fix::Commands(vec![facts.ghapp(&["agent", "restart"])]));
    }
    if status.config_error.is_some() {
        let detail = "the agent still has the error that the file had when it started";
        return Outcome::fail(ErrorCode::Config, detail, reload());
    }
    let known = |app: &&ghapp_agent::model::App| {
        status.apps.iter().any(|it| {
            it.name == app.name.as_str()
                && it.host == app.host
                && it.app_id == app.app_id
                && it.client_id == app.client_id
                && it.store == app.store.as_str()
                && signs(it, app)
        })
    };
    if status.apps.len() != facts.config.apps.len() || !facts.config.apps.iter().all(|app| known(&app)) {
        let detail = "the file has other Apps than the agent: it was changed after the agent had read it";
        return Outcome::fail(ErrorCode::Config, detail, reload());
    }
    Outcome::ok("the agent has the Apps of the file")
}

/// Whether the agent signs with the key that the file wants: the App's first one that has not failed.
fn signs(status: &AppStatus, app: &ghapp_agent::model::App) -> bool {
    let failed =
        |key: &&Fingerprint| status.refused_keys.iter().chain(&status.missing_keys).any(|other| other == key.as_str());
    let expected = app.keys().find(|key| !failed(key)).or(app.key.as_ref());
    status.key_fingerprint.as_deref() == expected.map(Fingerprint::as_str)
}

/// Is the audit log whole?
pub(super) fn audit(facts: &mut Facts<'_>) -> Outcome {
    match facts.status.as_ref().and_then(|status| status.audit_error.clone()) {
        None => Outcome::ok("every decision is written down"),
        Some(trouble) => Outcome::warn(trouble, Fix::Commands(vec![facts.ghapp(&["agent", "restart"])])),
    }
}

/// May the agent use keys?
pub(super) fn lock(facts: &mut Facts<'_>) -> Outcome {
    if facts.status.as_ref().is_some_and(|status| status.locked) {
        // The agent was locked on purpose, so `--fix` leaves it locked.
        let unlock = Fix::Commands(vec![facts.ghapp(&["unlock"])]);
        return Outcome::fail(ErrorCode::Locked, "the agent is locked", unlock);
    }
    Outcome::ok("the agent is not locked")
}
