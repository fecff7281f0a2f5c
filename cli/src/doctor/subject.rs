//! The repository that the checks are about: the one that was named, or the origin of the current directory.

use ghapp_agent::config::Config;
use ghapp_protocol::remote::Host;

use crate::failure::CliError;
use crate::git::git_config;
use crate::git::helper_chain::Remote;
use crate::tokens::repository_argument::Target;

/// The command that a hint repeats with another repository.
const COMMAND: &str = "ghapp doctor";

/// A repository, and how git gets to it.
pub(super) struct Subject {
    pub(super) host: Host,
    pub(super) target: Target,
    /// The URL as it was given or configured. It may hold a password: never shown.
    pub(super) written: String,
    /// The URL that git makes of `written`. Never shown either.
    pub(super) used: String,
    /// What is wrong with `used`, if git asks no helper about it.
    pub(super) trouble: Option<CliError>,
    /// Whether it is the origin of the current directory.
    pub(super) is_origin: bool,
}

impl Subject {
    /// Reads the argument, or takes the origin of the current directory. Without either there is no subject.
    pub(super) fn find(argument: Option<&str>, config: &Config) -> Result<Option<Self>, CliError> {
        match argument {
            Some(".") => Self::origin().and_then(|found| found.map(Some).map_err(|error| *error)),
            Some(text) => Self::named(text, config).map(Some),
            None => {
                let found = Self::origin().ok().and_then(Result::ok);
                // git does not ask our helper about a repository of another forge.
                Ok(found.filter(|subject| config.knows(&subject.host)))
            }
        }
    }

    fn named(text: &str, config: &Config) -> Result<Self, CliError> {
        let url = match Target::of_argument(text, COMMAND) {
            Ok(target) if target.host.is_none() => {
                let host = only_host(config)?;
                let target = Target { host: Some(host), ..target };
                target.url().expect("it has a host")
            }
            _ => text.to_owned(),
        };
        let used = git_config::line(&["ls-remote", "--get-url", "--", &url]).ok().filter(|used| !used.is_empty());
        // The check of git reports what is wrong with git.
        let used = used.unwrap_or_else(|| url.clone());
        Self::of(url, used, false, "the URL", COMMAND).map_err(|error| *error)
    }

    /// The outer error is that there is no origin.
    fn origin() -> Result<Result<Self, Box<CliError>>, CliError> {
        let hint = |error: CliError| error.hint(format!("name the repository: {COMMAND} OWNER/REPO"));
        let written = git_config::line(&["config", "--get", "remote.origin.url"]).map_err(hint)?;
        let used = git_config::origin().map_err(hint)?;
        Ok(Self::of(written, used, true, "the remote origin", "git remote set-url origin"))
    }

    fn of(written: String, used: String, is_origin: bool, what: &str, command: &str) -> Result<Self, Box<CliError>> {
        let (target, trouble) = Target::of_remote(&used, what, command);
        match target {
            Some(Target { host: Some(host), full_name }) => {
                let target = Target { host: Some(host.clone()), full_name };
                Ok(Self { host, target, written, used, trouble, is_origin })
            }
            _ => Err(Box::new(trouble.unwrap_or_else(|| CliError::usage("the remote names no host")))),
        }
    }

    /// The remote as git compares it with its configuration: the repository over https, whatever the URL is.
    pub(super) fn remote(&self) -> Remote {
        let url = self.target.url().expect("a subject has a host");
        Remote::of(&self.used).or_else(|| Remote::of(&url)).expect("a host and a repository make a URL")
    }
}

fn only_host(config: &Config) -> Result<Host, CliError> {
    let mut hosts: Vec<&Host> = config.apps.iter().map(|app| &app.host).collect();
    hosts.sort();
    hosts.dedup();
    match hosts[..] {
        [host] => Ok(host.clone()),
        // Nothing is configured, which the first checks report.
        [] => Ok(Host::parse("github.com").expect("it is a host")),
        _ => Err(CliError::usage(format!("there are Apps on {} hosts", hosts.len()))
            .hint(format!("name the repository with its host: {COMMAND} https://{}/OWNER/REPO", hosts[0]))),
    }
}
