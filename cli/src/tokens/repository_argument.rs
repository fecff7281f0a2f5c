//! The repository that a command is about: `OWNER/REPO`, a remote's URL, or the origin of the current directory.

use ghapp_protocol::pasted::shell_word;
use ghapp_protocol::remote::{FullName, Host};

use crate::failure::CliError;
use crate::git::git_config;

/// A repository, with its host if that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: Option<Host>,
    pub(crate) full_name: FullName,
}

/// Why a text names no repository that an App can serve. The text is never repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TargetError {
    /// `http://`: a token would travel unencrypted.
    PlainHttp(Option<Target>),
    /// An ssh remote, with the HTTPS URL of the same repository, if that is known.
    Ssh(Option<Target>),
    /// Anything else.
    Form(&'static str),
}

impl Target {
    /// Reads an argument, or asks git for the origin when there is none. `command` is the command that a hint repeats.
    pub(crate) fn of(argument: Option<&str>, command: &str) -> Result<Self, CliError> {
        match argument {
            Some(text) => Self::of_argument(text, command),
            None => Self::of_origin(command).map(|(target, _)| target),
        }
    }

    /// Reads an argument.
    pub(crate) fn of_argument(text: &str, command: &str) -> Result<Self, CliError> {
        parse(text).map_err(|error| describe(error, "the argument", command))
    }

    /// Asks git for the origin. Also returns its URL, which may hold a password.
    pub(crate) fn of_origin(command: &str) -> Result<(Self, String), CliError> {
        let url = git_config::origin()
            .map_err(|error| CliError { hint: Some(format!("name the repository: {command} OWNER/REPO")), ..error })?;
        match parse(&url) {
            Ok(target) => Ok((target, url)),
            Err(error) => Err(describe(error, "the remote origin", "git remote set-url origin")),
        }
    }

    /// Reads the URL of a remote. Returns its repository, even if git does not ask helpers about such a URL, and then also what is
    /// wrong with the URL. `command` is the command that takes a better URL.
    pub(crate) fn of_remote(url: &str, what: &str, command: &str) -> (Option<Self>, Option<CliError>) {
        match parse(url) {
            Ok(target) => (Some(target), None),
            Err(error) => {
                let target = match &error {
                    TargetError::PlainHttp(target) | TargetError::Ssh(target) => target.clone(),
                    TargetError::Form(_) => None,
                };
                (target, Some(describe(error, what, command)))
            }
        }
    }

    /// Its URL, when the host is known.
    pub(crate) fn url(&self) -> Option<String> {
        let host = self.host.as_ref()?;
        Some(format!("https://{host}/{}.git", self.full_name))
    }
}

fn parse(text: &str) -> Result<Target, TargetError> {
    match text.split_once("://") {
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "https" => location(rest)
                .ok_or(TargetError::Form("is not the URL of a repository, such as https://github.com/OWNER/REPO")),
            "http" => Err(TargetError::PlainHttp(location(rest))),
            "ssh" | "git+ssh" | "ssh+git" => Err(TargetError::Ssh(location(rest).map(without_port))),
            _ => Err(TargetError::Form("is not an https URL")),
        },
        // scp's form, `git@github.com:OWNER/REPO`: a colon before the first slash (git-clone(1), "GIT URLS").
        None if text.split('/').next().is_some_and(|first| first.contains(':')) => Err(TargetError::Ssh(
            text.split_once(':')
                .and_then(|(server, path)| location(&format!("{server}/{}", path.trim_start_matches('/')))),
        )),
        None => match FullName::parse(text) {
            Ok(full_name) => Ok(Target { host: None, full_name }),
            Err(_) => Err(TargetError::Form("does not have the form OWNER/REPO or https://HOST/OWNER/REPO")),
        },
    }
}

/// Reads `[USER@]HOST/OWNER/REPO`. The user is dropped: the agent decides which identity git gets.
fn location(text: &str) -> Option<Target> {
    let (authority, path) = text.split_once('/')?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(Target { host: Some(Host::parse(host).ok()?), full_name: FullName::parse(path).ok()? })
}

/// The port of an ssh server says nothing about the one for HTTPS.
fn without_port(target: Target) -> Target {
    Target { host: target.host.and_then(|host| Host::parse(host.name()).ok()), ..target }
}

/// `command` is the command that takes a better URL.
fn describe(error: TargetError, what: &str, command: &str) -> CliError {
    let (message, secure) = match error {
        TargetError::PlainHttp(target) => (format!("{what} is an http URL: a token is never sent unencrypted"), target),
        TargetError::Ssh(target) => {
            (format!("{what} is an ssh URL: an App reaches repositories over https only"), target)
        }
        TargetError::Form(why) => (format!("{what} {why}"), None),
    };
    let error = CliError::usage(message);
    match secure.and_then(|target| target.url()) {
        Some(url) => error.hint(format!("run: {command} {}", shell_word(&url))),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::{FullName, Host};

    use super::{Target, TargetError, describe, parse};

    fn target(host: Option<&str>) -> Target {
        Target { host: host.map(|host| Host::parse(host).unwrap()), full_name: FullName::parse("acme/web").unwrap() }
    }

    #[test]
    fn a_repository_is_named_with_or_without_its_host() {
        assert_eq!(parse("acme/web"), Ok(target(None)));
        for url in [
            "https://github.com/acme/web",
            "https://github.com/acme/web.git",
            "HTTPS://GitHub.com:443/acme/web/",
            "https://x-access-token:ghs_canary@github.com/acme/web.git",
        ] {
            assert_eq!(parse(url), Ok(target(Some("github.com"))), "{url}");
        }
        assert_eq!(parse("https://ghes.corp:8443/acme/web"), Ok(target(Some("ghes.corp:8443"))));
    }

    #[test]
    fn other_protocols_are_refused_with_the_url_that_would_do() {
        for url in ["git@github.com:acme/web.git", "ssh://git@github.com:22/acme/web", "github.com:/acme/web"] {
            let error = parse(url).unwrap_err();
            assert_eq!(error, TargetError::Ssh(Some(target(Some("github.com")))), "{url}");
            let error = describe(error, "the remote origin", "git remote set-url origin");
            assert_eq!(error.hint.unwrap(), "run: git remote set-url origin https://github.com/acme/web.git");
        }
        assert!(matches!(parse("http://github.com/acme/web"), Err(TargetError::PlainHttp(Some(_)))));
    }

    #[test]
    fn nonsense_is_refused_and_not_repeated() {
        for text in [
            "",
            "web",
            "ghs_canary",
            "acme/web/tree/main",
            "https://github.com",
            "https://github.com/acme",
            "https://ghs_canary@/acme/web",
            "file:///srv/ghs_canary",
            "https://github.com/acme/we b",
            "../web",
        ] {
            let error = describe(parse(text).unwrap_err(), "the argument", "ghapp token");
            assert!(!error.message.contains("canary"), "{}", error.message);
        }
    }
}
