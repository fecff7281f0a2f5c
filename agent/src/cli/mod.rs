//! `ghapp`, the control program: translates a command line into questions to the agent, and the answers into text.
//!
//! It holds no key longer than the hand-over to the agent takes, and it never talks to GitHub itself. One file per command;
//! `connection` is the way to the agent, `output` the way to the person, `failure` what ends a command.

mod additions;
mod agent;
mod apps;
mod arguments;
mod bounded;
mod browser;
mod chain;
mod config;
mod connection;
mod create;
mod doctor;
mod exec;
mod expose;
mod failure;
mod git_config;
mod help;
mod identity;
mod in_place;
mod installing;
mod json;
mod key;
mod known_apps;
mod leases;
mod lock;
mod login;
mod logout;
mod logs;
mod manual;
mod output;
mod passphrase;
mod pem;
mod private_agent;
mod private_directory;
mod program_version;
mod progress;
mod prompt;
mod renewal;
mod repos;
mod revoke;
mod search_path;
mod setup_git;
mod shell_exports;
mod status;
mod target;
mod token;
mod which;
mod wiring;
mod wizard;
mod wording;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use ghapp_protocol::{BUILD_VERSION, secret, trace};

use arguments::{Arguments, Command, Global};
use connection::Connection;
use failure::CliError;
use output::{ColorChoice, Output, Volume};

use crate::config::config_file;
use crate::model::AppName;

/// The environment variable that names the configuration file. An agent that we start inherits it.
const CONFIG_VARIABLE: &str = "GHAPP_CONFIG";
/// The environment variable that names the App to use.
const APP_VARIABLE: &str = "GHAPP_APP";

/// Runs `ghapp` with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let Arguments { global, command } = arguments;
    let volume = match (global.quiet, global.verbose) {
        (true, _) => Volume::Quiet,
        (_, true) => Volume::Verbose,
        _ => Volume::Normal,
    };
    let output = Output::new(volume, global.color);
    // Every other code is one that the command may end with.
    let own_code = matches!(command, Command::Exec(_)).then_some(exec::NOT_RUN);
    trace::event(|| format!("ghapp {BUILD_VERSION} begins"));
    run(&global, command, &output).unwrap_or_else(|error| {
        trace::event(|| format!("it ends with {}", error.code.id()));
        output.failure(&error);
        ExitCode::from(own_code.unwrap_or(error.code.exit()))
    })
}

/// Prints help on stdout, or on stderr what is wrong with the command line.
fn refuse(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    if secret::MARKS.iter().any(|mark| text.contains(mark)) {
        // clap repeats what it does not understand.
        let error = CliError::usage("there is a key or a token on the command line, where other users can see it")
            .hint("give a key with --pem FILE, or on standard input with --pem -");
        Output::new(Volume::Normal, ColorChoice::Auto).failure(&error);
        return ExitCode::from(error.code.exit());
    }
    // Nobody may be left to read it.
    drop(error.print());
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// What every command is given.
struct Session<'a> {
    output: &'a Output,
    agent: Connection<'a>,
    /// The App that `--app` or `GHAPP_APP` names.
    app: Option<AppName>,
    /// The configuration file.
    config: PathBuf,
    /// Whether a person can be asked: there is a terminal, and nobody forbade it.
    asks: bool,
    /// Nobody may be asked anything.
    no_input: bool,
}

fn run(global: &Global, command: Command, output: &Output) -> Result<ExitCode, CliError> {
    // Packages are built where there is no home and no configuration.
    match &command {
        Command::Completion(it) => return manual::completion(it.shell, output).map(|()| ExitCode::SUCCESS),
        Command::Man(it) => return manual::manual(&it.dir, output).map(|()| ExitCode::SUCCESS),
        Command::Help(it) => return help::run(it, output).map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    let config = config_file(global.config.clone())?;
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let explicit = global.config.is_some() || variable(CONFIG_VARIABLE).is_some();
    let session = Session {
        output,
        agent: Connection::new(global.socket.as_deref(), explicit.then(|| config.clone()), output)?,
        app: match &global.app {
            Some(name) => Some(name.clone()),
            None => variable(APP_VARIABLE).as_ref().map(app_from_environment).transpose()?,
        },
        config,
        asks: !global.no_input && io::stdin().is_terminal() && io::stderr().is_terminal(),
        no_input: global.no_input,
    };
    match command {
        Command::Login(login) => login::run(&session, login)?,
        Command::Logout(logout) => logout::run(&session, logout)?,
        Command::SetupGit(setup) => setup_git::run(&session, &setup)?,
        Command::Status(status) => return status::run(&session, &status),
        Command::Which(which) => which::run(&session, &which)?,
        Command::Doctor(doctor) => return doctor::run(&session, global, &doctor),
        Command::Token(token) => token::run(&session, &token)?,
        Command::Exec(exec) => return exec::run(&session, &exec),
        Command::Leases(form) => leases::run(&session, form)?,
        Command::Revoke(revoke) => revoke::run(&session, &revoke)?,
        Command::Lock(arguments) => lock::lock(&session, &arguments)?,
        Command::Unlock(arguments) => lock::unlock(&session, &arguments)?,
        Command::Logs(logs) => logs::run(&session, &logs)?,
        Command::Apps(apps) => apps::list(&session, &apps)?,
        Command::Installations(installations) => {
            apps::list_installations(&session, &installations)?;
        }
        Command::Key(key) => return key::run(&session, key),
        Command::Repos(repos) => repos::list(&session, &repos)?,
        Command::Identity(identity) => identity::run(&session, &identity)?,
        Command::Agent(agent) => return agent::run(&session, &agent),
        Command::Config(command) => config::run(&session, &command)?,
        Command::Completion(_) | Command::Man(_) | Command::Help(_) => {
            unreachable!("they need no session and are answered above")
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn app_from_environment(value: &OsString) -> Result<AppName, CliError> {
    let name = value.to_str().and_then(|name| AppName::parse(name).ok());
    name.ok_or_else(|| CliError::usage(format!("{APP_VARIABLE} does not hold an App's name")))
}
