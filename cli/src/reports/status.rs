//! `ghapp status`: shows the agent, the key store, git's configuration and the Apps, without starting or changing anything.

use std::process::ExitCode;

use ghapp_agent::audit::reaches_back_to;
use ghapp_agent::config::audit_file;
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{AppStatus, InstallationStatus, Status, StoreStatus};
use ghapp_protocol::pasted::first_login;
use serde::{Deserialize, Serialize};

use crate::failure::CliError;
use crate::git::{credential_section, git_config};
use crate::session::Session;
use crate::terminal::json::{self, SCHEMA};
use crate::terminal::output::printable;
use crate::terminal::wording;
use crate::{arguments, known_apps};

#[derive(Serialize)]
struct StatusOutput<'a> {
    schema: u32,
    agent: json::Agent<'a>,
    store: Option<&'a StoreStatus>,
    apps: Vec<json::App<'a>>,
    leases: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_since: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit_error: Option<&'a str>,
}

pub(crate) fn run(session: &Session<'_>, arguments: &arguments::Status) -> Result<ExitCode, CliError> {
    if arguments.check {
        return Ok(ExitCode::from(check(session)));
    }
    let status = session.agent.running_status()?;
    if let Some(status) = &status {
        session.agent.check_config(status)?;
    }
    let mut config_error = status.as_ref().and_then(|status| status.config_error.clone());
    let found = match &status {
        Some(status) => status.apps.clone(),
        None => known_apps::configured(session).unwrap_or_else(|error| {
            config_error = Some(error.message);
            Vec::new()
        }),
    };
    // That there is no log yet, or that it cannot be read, is the business of `ghapp logs`.
    let audit_since = audit_file().ok().and_then(|path| reaches_back_to(&path).ok().flatten());
    let apps: Vec<_> = known_apps::selected(session, found)?
        .into_iter()
        .map(|app| {
            let seen = if status.is_some() { seen(session, &app) } else { Vec::new() };
            (app, seen)
        })
        .collect();
    if arguments.form.json {
        session.output.json(&StatusOutput {
            schema: SCHEMA,
            agent: json::Agent::of(status.as_ref()),
            store: status.as_ref().map(|status| &status.store),
            apps: apps.iter().map(|(app, seen)| json::App::of(app, Some(seen))).collect(),
            leases: status.as_ref().map_or(0, |status| status.leases),
            audit_since: audit_since.as_deref(),
            config_error: config_error.as_deref(),
            audit_error: status.as_ref().and_then(|status| status.audit_error.as_deref()),
        })?;
    } else {
        print(session, status.as_ref(), audit_since.as_deref(), &apps)?;
        if let Some(error) = config_error {
            session.output.warning(&format!("the configuration has an error: {error}"));
        }
        if let Some(error) = status.as_ref().and_then(|status| status.audit_error.as_ref()) {
            session.output.warning(error);
        }
        for (app, key) in apps.iter().flat_map(|(app, _)| app.refused_keys.iter().map(move |key| (app, key))) {
            session.output.warning(&wording::refused_key(&app.name, key));
        }
        for (app, key) in apps.iter().flat_map(|(app, _)| app.missing_keys.iter().map(move |key| (app, key))) {
            session.output.warning(&wording::missing_key(&app.name, key));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The installations that the agent has seen. The rest of the status is worth showing without them.
fn seen(session: &Session<'_>, app: &AppStatus) -> Vec<InstallationStatus> {
    known_apps::installations(session, &app.name, false).unwrap_or_else(|error| {
        session.output.detail(&format!("installations of {}: {}", app.name, error.message));
        Vec::new()
    })
}

/// The exit code of `--check`: the first thing that would keep git from getting a token.
fn check(session: &Session<'_>) -> u8 {
    let status = session.agent.running_status().and_then(|status| match status {
        Some(status) => session.agent.check_config(&status).map(|()| Some(status)),
        None => Ok(None),
    });
    match status {
        Err(error) => error.code.exit(),
        Ok(None) => ErrorCode::AgentNotRunning.exit(),
        Ok(Some(status)) => verdict(&status, session.app.as_ref().map(ghapp_agent::model::AppName::as_str)),
    }
}

fn verdict(status: &Status, app: Option<&str>) -> u8 {
    if status.config_error.is_some() {
        return ErrorCode::Config.exit();
    }
    if status.locked {
        return ErrorCode::Locked.exit();
    }
    let mut apps = status.apps.iter().filter(|it| app.is_none_or(|app| it.name == app)).peekable();
    if apps.peek().is_none() {
        return ErrorCode::NotConfigured.exit();
    }
    // An App's state is `ok` or the name of an error code; another word is not a reason to fail.
    let failing = apps.filter_map(|app| {
        let word = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(&app.state);
        ErrorCode::deserialize(word).ok().filter(|code| *code != ErrorCode::Unknown)
    });
    failing.map(ErrorCode::exit).next().unwrap_or(0)
}

fn print(
    session: &Session<'_>,
    status: Option<&Status>,
    audit_since: Option<&str>,
    apps: &[(AppStatus, Vec<InstallationStatus>)],
) -> Result<(), CliError> {
    let output = session.output;
    let line = |label: &str, text: &str| output.line(&format!("{label:<10} {text}"));
    match status {
        None => line("agent", &format!("not running  ({})", session.agent.endpoint()))?,
        Some(status) => {
            let locked = if status.locked { ", locked" } else { "" };
            line(
                "agent",
                &format!(
                    "running  pid {}, v{}{locked}, started by {}  ({})",
                    status.pid, status.version, status.started_by, status.socket
                ),
            )?;
            line("store", &format!("{} ({})", status.store.kind, status.store.state))?;
        }
    }
    line("config", &session.config.to_string_lossy())?;
    for text in asked_about() {
        line("git", &text)?;
    }
    if let Some(status) = status {
        line("leases", &status.leases.to_string())?;
    }
    if let Some(since) = audit_since {
        line("log", &format!("since {}", printable(since)))?;
    }
    if apps.is_empty() {
        output.talk(&format!("no App is configured; add one with: {}", first_login(None)));
        return Ok(());
    }
    let rows: Vec<_> = apps.iter().map(|(app, seen)| row(app, seen)).collect();
    output.table(&["APP", "HOST", "KEY", "STATE", "INSTALLATIONS"], &rows)
}

/// The hosts and owners that git asks our helper for, one line per file.
fn asked_about() -> Vec<String> {
    let sections = match git_config::effective_sections(credential_section::is_ours) {
        Ok(sections) => sections,
        Err(error) => return vec![error.message],
    };
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for (url, file) in sections {
        match lines.iter_mut().find(|(known, _)| *known == file) {
            Some((_, urls)) => urls.push(url),
            None => lines.push((file, vec![url])),
        }
    }
    if lines.is_empty() {
        return vec!["not set up; run: ghapp setup-git".to_owned()];
    }
    let text = |(file, urls): (String, Vec<String>)| format!("asks ghapp for {}  ({file})", urls.join(", "));
    lines.into_iter().map(text).collect()
}

fn row(app: &AppStatus, seen: &[InstallationStatus]) -> Vec<String> {
    let installation = |one: &InstallationStatus| {
        let suspended = if one.suspended { ", suspended" } else { "" };
        format!("{} ({}{suspended})", one.account, one.repository_selection)
    };
    let installations =
        if seen.is_empty() { "-".to_owned() } else { seen.iter().map(installation).collect::<Vec<_>>().join(", ") };
    let key = app.key_fingerprint.as_deref().map_or("-".to_owned(), wording::short_fingerprint);
    vec![app.name.clone(), app.host.to_string(), key, app.state.clone(), installations]
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::message::Status;

    use super::verdict;

    fn status(state: &str) -> Status {
        serde_json::from_value(serde_json::json!({
            "pid": 1, "version": "0", "socket": "s", "config": "c", "started_by": "user", "leases": 0,
            "store": {"kind": "memory", "state": "ok"},
            "apps": [{"name": "bot", "host": "github.com", "store": "memory", "state": state}],
        }))
        .unwrap()
    }

    #[test]
    fn the_check_tells_the_first_thing_that_is_wrong() {
        for (state, code) in [("ok", 0), ("login_needed", 4), ("key_missing", 6), ("of_the_future", 0)] {
            assert_eq!(verdict(&status(state), None), code, "{state}");
        }
        assert_eq!(verdict(&status("ok"), Some("other")), 3);
        let mut locked = status("ok");
        locked.locked = true;
        assert_eq!(verdict(&locked, None), 4);
        locked.config_error = Some("line 3".to_owned());
        assert_eq!(verdict(&locked, None), 2);
    }
}
