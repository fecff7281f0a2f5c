//! Checks of our own configuration: the file, and the Apps in it.

use ghapp_agent::config::{self, ConfigError};
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::pasted::{first_login, shell_word};

use super::facts::Facts;
use super::fix::Fix;
use super::outcome::Outcome;
use crate::failure::CliError;
use crate::terminal::wording;

/// Can the file be read, and does it make sense?
pub(super) fn file(facts: &mut Facts<'_>) -> Outcome {
    let path = &facts.session.config;
    match config::load(path) {
        Ok(config) => {
            facts.config = config;
            let there = if path.exists() { "" } else { " (not there yet)" };
            Outcome::ok(format!("{}{there}", path.display()))
        }
        Err(error) => {
            let file = path.display().to_string();
            let fix = match &error {
                ConfigError::Content { line, .. } => {
                    Fix::Advice(format!("\"${{EDITOR:-vi}}\" +{line} {}", shell_word(&file)))
                }
                ConfigError::Unsafe { .. } => Fix::safe(&["chmod", "go-w", &file]),
                ConfigError::Read { .. } => Fix::command(&["ls", "-l", &file]),
            };
            Outcome::from(CliError::from(error)).with_fix(fix)
        }
    }
}

/// Is there an App, and one for the host in question?
pub(super) fn apps(facts: &mut Facts<'_>) -> Outcome {
    let apps = &facts.config.apps;
    if let Some(name) = &facts.session.app
        && facts.config.app(name).is_none()
    {
        let fix = Fix::command(&["ghapp", "apps"]);
        return Outcome::fail(ErrorCode::NotConfigured, format!("no App named {name} is configured"), fix);
    }
    if let Some(subject) = &facts.subject
        && !facts.config.knows(&subject.host)
    {
        let host = &subject.host;
        let fix = Fix::Advice(first_login(Some(host)));
        return Outcome::fail(ErrorCode::HostNotConfigured, format!("no App is configured for {host}"), fix);
    }
    if apps.is_empty() {
        return Outcome::fail(ErrorCode::NotConfigured, "no App is configured", Fix::Advice(first_login(None)));
    }
    let names: Vec<_> = apps.iter().map(|app| format!("{} on {}", app.name, app.host)).collect();
    Outcome::ok(match names.as_slice() {
        [name] => name.clone(),
        names => format!("{}: {}", wording::count(names.len(), "App"), names.join(", ")),
    })
}
