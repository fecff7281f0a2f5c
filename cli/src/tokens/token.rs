//! `ghapp token`: prints a token for a person or a script.

use std::collections::BTreeMap;

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{Call, Lease, Reply, TokenCall, TokenReply};
use ghapp_protocol::pasted::first_login;
use ghapp_protocol::remote::RepositoryName;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::arguments::{Token, TokenScope, permissions, seconds};
use crate::failure::CliError;
use crate::session::Session;
use crate::terminal::json::{Repositories, SCHEMA, Time};
use crate::tokens::repository_argument::Target;

#[derive(Serialize)]
struct TokenOutput<'a> {
    schema: u32,
    token: &'a str,
    expires_at: Time,
    permissions: &'a BTreeMap<String, String>,
    repositories: Repositories<'a>,
    lease: String,
}

pub(crate) fn run(session: &Session<'_>, arguments: &Token) -> Result<(), CliError> {
    // The refusal comes before anything is minted.
    guard_terminal(session.output.is_terminal(), arguments.show)?;
    let scope = Scope::parse(&arguments.scope)?;
    let target = Target::of(arguments.target.as_deref(), "ghapp token")?;
    print(session, arguments, &ask(session, &scope, &target)?)
}

/// What a token may be used for, in the form that the agent takes.
pub(crate) struct Scope {
    permissions: BTreeMap<String, String>,
    repositories: Vec<RepositoryName>,
    /// Seconds.
    min_ttl: Option<u64>,
}

impl Scope {
    pub(crate) fn parse(arguments: &TokenScope) -> Result<Self, CliError> {
        let repositories = arguments.repositories.iter().map(|name| repository(name));
        Ok(Self {
            permissions: arguments.permissions.as_deref().map(permissions).transpose()?.unwrap_or_default(),
            repositories: repositories.collect::<Result<_, _>>()?,
            min_ttl: arguments.min_ttl.as_deref().map(|text| seconds("--min-ttl", text)).transpose()?,
        })
    }
}

/// Asks the agent for a token.
pub(crate) fn ask(session: &Session<'_>, scope: &Scope, target: &Target) -> Result<TokenReply, CliError> {
    match session.agent.ask_slow(Call::Token(call(session, scope, target)))? {
        Reply::Token(token) => Ok(*token),
        Reply::NoMatch {} => Err(no_app(target)),
        _ => Err(session.agent.unexpected()),
    }
}

/// The question to the agent.
pub(crate) fn call(session: &Session<'_>, scope: &Scope, Target { host, full_name }: &Target) -> TokenCall {
    TokenCall {
        host: host.clone(),
        repository: full_name.clone(),
        repositories: scope.repositories.clone(),
        permissions: scope.permissions.clone(),
        min_ttl: scope.min_ttl,
        app: session.app.as_ref().map(ToString::to_string),
    }
}

fn no_app(Target { host, full_name }: &Target) -> CliError {
    let (named, login) = match host {
        Some(host) => (format!("{host}/{full_name}"), format!("run: {}", first_login(Some(host)))),
        None => (full_name.to_string(), format!("run: {}", first_login(None))),
    };
    CliError::new(ErrorCode::HostNotConfigured, format!("no App is configured for {named}")).hint(login)
}

fn print(session: &Session<'_>, arguments: &Token, reply: &TokenReply) -> Result<(), CliError> {
    let TokenReply { lease: Lease { token, expires_at, .. }, id, permissions, repositories, app: _ } = reply;
    // The token itself goes to stdout.
    let token = token.expose();
    if arguments.form.json {
        return session.output.json(&TokenOutput {
            schema: SCHEMA,
            token,
            expires_at: Time(*expires_at),
            permissions,
            repositories: Repositories(repositories.as_deref()),
            lease: id.to_string(),
        });
    }
    let prefix = if arguments.header { "Authorization: Bearer " } else { "" };
    session.output.data(&Zeroizing::new(format!("{prefix}{token}\n")))
}

/// Refuses a terminal: it keeps what it showed, and another person may be looking.
fn guard_terminal(terminal: bool, show: bool) -> Result<(), CliError> {
    if terminal && !show {
        return Err(CliError::new(ErrorCode::TokenOnTerminal, "the token would be shown on your terminal")
            .hint("to see it: ghapp token --show; to use it: $(ghapp token)"));
    }
    Ok(())
}

fn repository(text: &str) -> Result<RepositoryName, CliError> {
    RepositoryName::parse(text.trim()).map_err(|_| {
        CliError::usage("--repositories takes the names of repositories without their owner")
            .hint("run: ghapp token OWNER/web --repositories api,docs")
    })
}

#[cfg(test)]
mod tests {
    use super::{guard_terminal, repository};

    #[test]
    fn a_terminal_gets_a_token_only_on_request() {
        let error = guard_terminal(true, false).unwrap_err();
        assert_eq!((error.code.id(), error.code.exit()), ("E33", 1));
        assert!(guard_terminal(true, true).is_ok());
        assert!(guard_terminal(false, false).is_ok());
    }

    #[test]
    fn further_repositories_have_no_owner() {
        assert!(repository("web").is_ok());
        assert!(repository("acme/web").is_err());
    }
}
