//! `ghapp config`: where the configuration is, whether it makes sense, and its values.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ghapp_agent::config::{self, ConfigError, Dotted, EditError, UnknownKey};
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{Call, Reply};
use serde::Serialize;

use crate::arguments::{Config, Form, Get, Set};
use crate::connection::NETWORK_TIMEOUT;
use crate::failure::CliError;
use crate::session::Session;
use crate::terminal::json::SCHEMA;
use crate::terminal::wording::count;

/// How often a change is tried when another process changes the file meanwhile. Twice is a coincidence.
const ATTEMPTS: usize = 3;
/// How long another program's turn is waited for, and how often: nothing tells of its end, and it takes as long as a file takes to be
/// written.
const WAIT: Duration = Duration::from_millis(10);
const WAITS: usize = 500;

#[derive(Serialize)]
struct PathOutput<'a> {
    schema: u32,
    path: &'a str,
}

#[derive(Serialize)]
struct CheckOutput<'a> {
    schema: u32,
    path: &'a str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    apps: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rules: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<MistakeOutput>,
}

#[derive(Serialize)]
struct MistakeOutput {
    line: Option<usize>,
    column: Option<usize>,
    message: String,
}

#[derive(Serialize)]
struct ValueOutput<'a> {
    schema: u32,
    path: &'a str,
    key: String,
    value: serde_json::Value,
    set: bool,
    /// After a change: whether a running agent has read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reloaded: Option<bool>,
}

pub(crate) fn run(session: &Session<'_>, command: &Config) -> Result<(), CliError> {
    match command {
        Config::Get(arguments) => get(session, arguments),
        Config::Set(arguments) => set(session, arguments),
        Config::Path(form) => path(session, *form),
        Config::Check(form) => check(session, *form),
        Config::Example => session.output.data(&config::example()),
    }
}

fn path(session: &Session<'_>, form: Form) -> Result<(), CliError> {
    let path = session.config.to_string_lossy();
    if form.json {
        return session.output.json(&PathOutput { schema: SCHEMA, path: &path });
    }
    session.output.data(&format!("{path}\n"))
}

fn check(session: &Session<'_>, form: Form) -> Result<(), CliError> {
    let path = session.config.to_string_lossy();
    let output = |apps, rules, error: Option<MistakeOutput>| CheckOutput {
        schema: SCHEMA,
        path: &path,
        ok: error.is_none(),
        apps,
        rules,
        error,
    };
    match config::load(&session.config) {
        Ok(config) if form.json => {
            session.output.json(&output(Some(config.apps.len()), Some(config.rules.len()), None))
        }
        Ok(_) if !session.config.exists() => {
            session.output.line(&format!("{path}: not there, so nothing is configured"))
        }
        Ok(config) => {
            let (apps, rules) = (count(config.apps.len(), "App"), count(config.rules.len(), "rule"));
            session.output.line(&format!("{path}: ok, {apps}, {rules}"))
        }
        Err(error) => {
            if form.json {
                session.output.json(&output(None, None, Some(mistake(&error))))?;
            }
            Err(error.into())
        }
    }
}

fn mistake(error: &ConfigError) -> MistakeOutput {
    match error {
        ConfigError::Content { line, column, message, .. } => {
            MistakeOutput { line: Some(*line), column: Some(*column), message: message.clone() }
        }
        error => MistakeOutput { line: None, column: None, message: error.to_string() },
    }
}

fn get(session: &Session<'_>, arguments: &Get) -> Result<(), CliError> {
    let key = Dotted::parse(&arguments.key).map_err(|error| unknown_key(&error, "get"))?;
    let found = config::value_of(&session.config, &key).map_err(|error| cannot(&error, &key, "read"))?;
    if !arguments.form.json {
        return found.map_or(Ok(()), |found| session.output.line(&found.text));
    }
    let set = found.as_ref().is_some_and(|found| found.written);
    let value = found.map_or(serde_json::Value::Null, |found| found.json);
    let path = session.config.to_string_lossy();
    session.output.json(&ValueOutput { schema: SCHEMA, path: &path, key: key.to_string(), value, set, reloaded: None })
}

fn set(session: &Session<'_>, arguments: &Set) -> Result<(), CliError> {
    let key = Dotted::parse(&arguments.key).map_err(|error| unknown_key(&error, "set"))?;
    if let Some(command) = key.key.changed_by {
        return Err(CliError::usage(format!("{key} says where the App's key is, and is not changed by itself"))
            .hint(format!("see: {command} --help")));
    }
    write(session, &key, arguments.value.as_deref()).map_err(|error| cannot(&error, &key, "set"))?;
    let reloaded = reload(session)?;
    if arguments.form.json {
        let found = config::value_of(&session.config, &key).map_err(|error| cannot(&error, &key, "read"))?;
        let value = found.map_or(serde_json::Value::Null, |found| found.json);
        let (path, set) = (session.config.to_string_lossy(), !arguments.unset);
        let reloaded = Some(reloaded);
        return session.output.json(&ValueOutput {
            schema: SCHEMA,
            path: &path,
            key: key.to_string(),
            value,
            set,
            reloaded,
        });
    }
    let verb = if arguments.unset { "taken out of" } else { "set in" };
    let agent = if reloaded { "the agent has read it" } else { "an agent that starts reads it" };
    session.output.report(&format!("{key} {verb} {}; {agent}", session.config.display()))?;
    if reloaded && key.key.name == "lock_with_screen" {
        session.output.talk("ghapp: the agent looks for logind when it starts; run: ghapp agent restart");
    }
    Ok(())
}

fn write(session: &Session<'_>, key: &Dotted, value: Option<&str>) -> Result<(), EditError> {
    let (mut attempt, mut waits) = (1, 0);
    loop {
        match config::set_value(&session.config, key, value)?.write() {
            Err(EditError::Changed { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(EditError::Busy { .. }) if waits < WAITS => {
                waits += 1;
                std::thread::park_timeout(WAIT);
            }
            outcome => return outcome.map(drop),
        }
    }
}

/// Makes an agent that runs with this file read it again. False when there is none.
fn reload(session: &Session<'_>) -> Result<bool, CliError> {
    let Some(status) = session.agent.running_status()? else { return Ok(false) };
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if real(Path::new(&status.config)) != real(&session.config) {
        session.output.talk(&format!("ghapp: the running agent uses {}", status.config));
        return Ok(false);
    }
    match session.agent.ask_running(Call::Reload {}, NETWORK_TIMEOUT)? {
        Some(Reply::Reloaded {}) => Ok(true),
        Some(_) => Err(session.agent.unexpected()),
        None => Ok(false),
    }
}

fn unknown_key(error: &UnknownKey, verb: &str) -> CliError {
    let hint = match &error.nearest {
        Some(nearest) => format!("did you mean: ghapp config {verb} {nearest}"),
        None => "run: ghapp help config".to_owned(),
    };
    CliError::usage(error.to_string()).hint(hint)
}

fn cannot(error: &EditError, key: &Dotted, verb: &str) -> CliError {
    match error {
        // Without line and column: they belong to a file that was not written.
        EditError::Outcome(ConfigError::Content { message, .. }) => {
            CliError::new(ErrorCode::Config, format!("cannot {verb} {key}: {message}")).hint("run: ghapp help config")
        }
        EditError::Config(error) | EditError::Outcome(error) => CliError::new(ErrorCode::Config, error.to_string()),
        EditError::Missing { .. } => CliError::usage(error.to_string()).hint("run: ghapp config path"),
        error => CliError::new(ErrorCode::File, error.to_string()).hint("nothing was changed; try again"),
    }
}
