//! What every command gets: the way to the user, the way to the agent, and the settings from flags and environment.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use ghapp_agent::config::config_file;
use ghapp_agent::model::AppName;

use crate::arguments::Global;
use crate::connection::Connection;
use crate::failure::CliError;
use crate::terminal::output::Output;

/// The environment variable that names the configuration file. An agent that we start inherits it.
pub(crate) const CONFIG_VARIABLE: &str = "GHAPP_CONFIG";
/// The environment variable that names the App to use.
const APP_VARIABLE: &str = "GHAPP_APP";

/// What every command gets.
pub(crate) struct Session<'a> {
    pub(crate) output: &'a Output,
    pub(crate) agent: Connection<'a>,
    /// The App that `--app` or `GHAPP_APP` names.
    pub(crate) app: Option<AppName>,
    /// The configuration file.
    pub(crate) config: PathBuf,
    /// Whether the user can be asked: there is a terminal, and `--no-input` is not given.
    pub(crate) asks: bool,
    /// Whether `--no-input` forbids all questions.
    pub(crate) no_input: bool,
}

impl<'a> Session<'a> {
    /// Combines the flags and the environment.
    pub(crate) fn open(global: &Global, output: &'a Output) -> Result<Self, CliError> {
        let config = config_file(global.config.clone())?;
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let explicit = global.config.is_some() || variable(CONFIG_VARIABLE).is_some();
        Ok(Self {
            output,
            agent: Connection::new(global.socket.as_deref(), explicit.then(|| config.clone()), output)?,
            app: match &global.app {
                Some(name) => Some(name.clone()),
                None => variable(APP_VARIABLE).as_ref().map(app_from_environment).transpose()?,
            },
            config,
            asks: !global.no_input && io::stdin().is_terminal() && io::stderr().is_terminal(),
            no_input: global.no_input,
        })
    }
}

fn app_from_environment(value: &OsString) -> Result<AppName, CliError> {
    let name = value.to_str().and_then(|name| AppName::parse(name).ok());
    name.ok_or_else(|| CliError::usage(format!("{APP_VARIABLE} does not hold an App's name")))
}
