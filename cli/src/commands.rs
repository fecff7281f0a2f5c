//! Reads the command line, runs the command that it names, and reports the outcome.

use std::process::ExitCode;

use clap::Parser;
use ghapp_protocol::{BUILD_VERSION, secret, trace};

use crate::agent::{control, lock};
use crate::arguments::{Arguments, Command, Global};
use crate::failure::CliError;
use crate::git::{identity, setup_git};
use crate::login::{add_app, key, logout};
use crate::manual::{self, help};
use crate::reports::{apps, leases, logs, repos, status, which};
use crate::session::Session;
use crate::terminal::output::{ColorChoice, Output, Volume};
use crate::tokens::{exec, revoke, token};
use crate::{config, doctor};

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
    // Every other code is one that the command itself may exit with.
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
    // The reader may be gone, which is not a reason to fail.
    drop(error.print());
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn run(global: &Global, command: Command, output: &Output) -> Result<ExitCode, CliError> {
    // Packages are built where there is no home and no configuration.
    match &command {
        Command::Completion(it) => return manual::completion(it.shell, output).map(|()| ExitCode::SUCCESS),
        Command::Man(it) => return manual::manual(&it.dir, output).map(|()| ExitCode::SUCCESS),
        Command::Help(it) => return help::run(it, output).map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    let session = Session::open(global, output)?;
    match command {
        Command::Login(login) => add_app::run(&session, login)?,
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
        Command::Agent(agent) => return control::run(&session, &agent),
        Command::Config(command) => config::run(&session, &command)?,
        Command::Completion(_) | Command::Man(_) | Command::Help(_) => {
            unreachable!("they need no session and are answered above")
        }
    }
    Ok(ExitCode::SUCCESS)
}
