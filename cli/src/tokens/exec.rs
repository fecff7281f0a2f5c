//! `ghapp exec -- CMD`: runs a command with tokens in its environment.
//!
//! A token is never an argument, since other users can see arguments. This process becomes the command, so no other has the token.

use std::process::{Command, ExitCode};

use ghapp_protocol::remote::Host;

use crate::arguments::Exec;
use crate::failure::CliError;
use crate::git::identity;
use crate::process::in_place;
use crate::session::Session;
use crate::tokens::renewal::{FILE_VARIABLE, Renewal};
use crate::tokens::repository_argument::Target;
use crate::tokens::token::{self, Scope};

/// Exit code when there is no token, so that the command does not run: shells and usual programs do not exit with it.
pub(crate) const NOT_RUN: u8 = 111;

/// Where `gh`, and most that works with GitHub, looks for a token.
const TOKEN_VARIABLE: &str = "GH_TOKEN";
/// Where `gh` looks for the token of a GitHub Enterprise Server (`gh help environment`).
const ENTERPRISE_VARIABLE: &str = "GH_ENTERPRISE_TOKEN";
/// The host that `gh` means when nothing else says so.
const HOST_VARIABLE: &str = "GH_HOST";
/// The host for which `gh` needs no variable.
const GITHUB: &str = "github.com";
/// Variables that would make the command act with another identity if it inherited them.
const CONTRADICTING: &[&str] = &[TOKEN_VARIABLE, "GITHUB_TOKEN", ENTERPRISE_VARIABLE, "GITHUB_ENTERPRISE_TOKEN"];

/// The variables with the name and address that git commits with. They count more than its configuration (git(1), "Git Commits").
const IDENTITY_VARIABLES: [&str; 4] =
    ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"];

/// The command that a hint repeats with a repository.
const SAY_WHICH: &str = "ghapp exec";

pub(crate) fn run(session: &Session<'_>, arguments: &Exec) -> Result<ExitCode, CliError> {
    let (program, rest) =
        arguments.command.split_first().ok_or_else(|| CliError::usage("there is no command to run"))?;
    let scope = Scope::parse(&arguments.scope)?;
    // The whole command line is read before anything is minted.
    let wanted = wanted(arguments)?;
    let mut command = Command::new(program);
    command.args(rest);
    for name in CONTRADICTING {
        command.env_remove(name);
    }
    let mut app = None;
    for (variable, target) in &wanted {
        let reply = token::ask(session, &scope, target)?;
        app = app.or_else(|| reply.app.clone());
        let token = reply.lease.token.expose();
        command.env(variable, token);
        if *variable == TOKEN_VARIABLE {
            let host = host(session, target)?;
            if host.as_str() == GITHUB {
                command.env_remove(HOST_VARIABLE); // the token is for no other host
            } else {
                command.env(HOST_VARIABLE, host.as_str());
            }
            // A user who named that variable with -e decides what is in it.
            if is_server(&host) && !wanted.iter().any(|(name, _)| *name == ENTERPRISE_VARIABLE) {
                command.env(ENTERPRISE_VARIABLE, token);
            }
        }
        session.output.detail(&format!("{variable} holds a token for {}", target.full_name));
    }
    if arguments.identity {
        let bot = identity::of_app(session, app.or_else(|| session.app.as_ref().map(ToString::to_string)))?;
        for (variable, value) in IDENTITY_VARIABLES.iter().zip([&bot.name, &bot.email].into_iter().cycle()) {
            command.env(variable, value);
        }
    }
    if !arguments.renew {
        return Ok(in_place::run(session.output, command));
    }
    let target = match &arguments.target {
        Some(text) => Target::of_argument(text, SAY_WHICH)?,
        None => wanted.into_iter().next().map(|(_, target)| target).ok_or_else(|| session.agent.unexpected())?,
    };
    let renewal = Renewal::begin(session, &scope, &target)?;
    command.env(FILE_VARIABLE, renewal.file());
    Ok(renewal.run(session.output, command))
}

/// The variables, each with the repository that its token is for.
fn wanted(arguments: &Exec) -> Result<Vec<(&str, Target)>, CliError> {
    let default = || Target::of(arguments.target.as_deref(), SAY_WHICH);
    if arguments.variables.is_empty() {
        return Ok(vec![(TOKEN_VARIABLE, default()?)]);
    }
    let mut wanted: Vec<(&str, Target)> = Vec::new();
    for text in &arguments.variables {
        let (name, target) = match text.split_once('=') {
            Some((name, target)) => (variable(name)?, Target::of_argument(target, SAY_WHICH)?),
            None => (variable(text)?, default()?),
        };
        if wanted.iter().any(|(known, _)| *known == name) {
            return Err(CliError::usage(format!("-e names {name} twice")));
        }
        wanted.push((name, target));
    }
    let idle =
        arguments.target.is_some() && !arguments.renew && arguments.variables.iter().all(|text| text.contains('='));
    if idle {
        return Err(CliError::usage("a repository is named that no variable is for: each -e has one of its own"));
    }
    Ok(wanted)
}

/// Reads the name of a variable, by the rules of shells. The name is not repeated: it may be a token, given by mistake.
fn variable(name: &str) -> Result<&str, CliError> {
    let begins_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    if begins_well && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_') {
        return Ok(name);
    }
    Err(CliError::usage("-e takes the name of a variable, and a repository if it is another one")
        .hint("run: ghapp exec -e GH_TOKEN=OWNER/REPO -- CMD"))
}

/// The host that a token is for. The agent serves a repository without one only if all its Apps are on one host.
fn host(session: &Session<'_>, target: &Target) -> Result<Host, CliError> {
    if let Some(host) = &target.host {
        return Ok(host.clone());
    }
    let status = session.agent.status()?;
    status.apps.into_iter().next().map(|app| app.host).ok_or_else(|| session.agent.unexpected())
}

/// Whether `gh` takes the host for a GitHub Enterprise Server, whose token it looks for elsewhere.
fn is_server(host: &Host) -> bool {
    host.as_str() != GITHUB && !host.name().ends_with(".ghe.com")
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::Host;

    use super::{is_server, variable};

    #[test]
    fn a_variable_has_a_name_that_shells_know() {
        for name in ["GH_TOKEN", "_x", "a1"] {
            assert_eq!(variable(name).unwrap(), name);
        }
        for name in ["", "1a", "A-B", "A B", "ä", "canary:x"] {
            assert!(!variable(name).unwrap_err().message.contains("canary"), "{name}");
        }
    }

    #[test]
    fn a_server_is_neither_github_com_nor_a_tenant_of_ghe_com() {
        let server = |host: &str| is_server(&Host::parse(host).unwrap());
        assert!(!server("github.com") && !server("octo.ghe.com"));
        assert!(server("ghes.corp:8443") && server("notghe.com"));
    }
}
