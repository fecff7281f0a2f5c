//! What the checks have found out so far: each fact is learned once, by the check that it belongs to.

use std::collections::BTreeMap;

use ghapp_agent::config::Config;
use ghapp_protocol::message::{AppStatus, Call, Examine, Examined, InstallationStatus, Reply, Status};
use ghapp_protocol::remote::{Host, Owner};

use super::fix::Fix;
use super::subject::Subject;
use crate::connection::NETWORK_TIMEOUT;
use crate::failure::CliError;
use crate::git::credential_section;
use crate::git::helper_chain::{Chain, Entry, Remote};
use crate::session::Session;

/// A host, or an owner on it, for which git should ask our helper.
pub(super) struct Place {
    pub(super) host: Host,
    /// The owner, if git's configuration names one or should.
    pub(super) owner: Option<Owner>,
    pub(super) remote: Remote,
}

/// All that is known.
pub(super) struct Facts<'a> {
    pub(super) session: &'a Session<'a>,
    /// Options of this run that a pasted command needs too.
    pub(super) options: Vec<String>,
    /// The repository that it is about.
    pub(super) subject: Option<Subject>,
    /// The configuration, once it has been read.
    pub(super) config: Config,
    /// What git's configuration says about credentials.
    pub(super) entries: Vec<Entry>,
    /// Where git asks us.
    pub(super) places: Vec<Place>,
    /// What the agent says about itself.
    pub(super) status: Option<Status>,
    /// How far each App gets.
    pub(super) examined: BTreeMap<String, Examined>,
    /// Each App's installations that matter here.
    pub(super) installations: BTreeMap<String, Vec<InstallationStatus>>,
}

impl<'a> Facts<'a> {
    /// Before the first check.
    pub(super) fn new(
        session: &'a Session<'a>,
        options: Vec<String>,
        config: Config,
        subject: Option<Subject>,
    ) -> Self {
        Self {
            session,
            options,
            subject,
            config,
            entries: Vec::new(),
            places: Vec::new(),
            status: None,
            examined: BTreeMap::new(),
            installations: BTreeMap::new(),
        }
    }

    /// The hosts of the selected Apps, each once.
    pub(super) fn hosts(&self) -> Vec<Host> {
        let meant = |name: &ghapp_agent::model::AppName| self.session.app.as_ref().is_none_or(|app| app == name);
        let mut hosts: Vec<Host> =
            self.config.apps.iter().filter(|app| meant(&app.name)).map(|app| app.host.clone()).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// The selected Apps, as the agent knows them.
    pub(super) fn apps(&self) -> Vec<AppStatus> {
        let all = self.status.as_ref().map(|status| status.apps.clone()).unwrap_or_default();
        all.into_iter().filter(|one| self.session.app.as_ref().is_none_or(|app| app.as_str() == one.name)).collect()
    }

    /// The helpers that git asks about a place.
    pub(super) fn chain(&self, place: &Place) -> Chain {
        Chain::of(&place.remote, &self.entries)
    }

    /// A command of ours, with the options of this run.
    pub(super) fn ghapp(&self, words: &[&str]) -> Vec<String> {
        let words = std::iter::once("ghapp").chain(words.iter().copied()).map(str::to_owned);
        words.chain(self.options.iter().cloned()).collect()
    }

    /// `ghapp setup-git` for a place, in the configuration file that is named as git shows it.
    pub(super) fn setup_git(&self, place: &Place, file: Option<&str>, further: &[&str]) -> Vec<String> {
        let mut words: Vec<String> = ["ghapp", "setup-git"].map(str::to_owned).into();
        words.extend(file.into_iter().flat_map(file_option));
        words.extend(["--host".to_owned(), place.host.to_string()]);
        if let Some(owner) = &place.owner {
            words.extend(["--owner".to_owned(), owner.to_string()]);
        }
        words.extend(further.iter().map(ToString::to_string));
        // A helper that was named by its path keeps it: PATH may not lead to it.
        if further.is_empty() && self.names_path() {
            words.push("--absolute".to_owned());
        }
        words
    }

    /// Whether git's configuration names our helper by its path anywhere.
    fn names_path(&self) -> bool {
        self.entries.iter().filter_map(Entry::helper).any(|helper| helper.is_ours() && helper.program().is_some())
    }

    /// Commands that make us the last in the chain of a place, behind a reset: in `file`, which git reads last.
    pub(super) fn rewire(&self, place: &Place, file: &str) -> Fix {
        let section = credential_section::url(&place.host, place.owner.as_ref());
        let is_there = |entry: &Entry| {
            entry.file == file && entry.section.as_ref() == Some(&section) && credential_section::is_ours(&entry.value)
        };
        let mut commands = Vec::new();
        if self.entries.iter().any(is_there) {
            commands.push(self.setup_git(place, Some(file), &["--remove"]));
        }
        commands.push(self.setup_git(place, Some(file), &[]));
        Fix::Safe(commands)
    }

    /// Asks the agent how far an App gets.
    pub(super) fn examine(&mut self, app: &str) -> Result<&Examined, CliError> {
        let agent = &self.session.agent;
        // Other commands replace an agent that does not know the question. A check only reports it.
        let reply = agent.ask_running(Call::Examine(Examine { app: app.to_owned() }), NETWORK_TIMEOUT)?;
        let Some(Reply::Examined(examined)) = reply else {
            return Err(agent.unexpected());
        };
        self.examined.insert(app.to_owned(), *examined);
        Ok(&self.examined[app])
    }
}

/// The option that names a file to `ghapp setup-git`, which needs none for the user's own.
fn file_option(file: &str) -> Vec<String> {
    match named(file) {
        Named::Global => Vec::new(),
        Named::Local => vec!["--local".to_owned()],
        Named::Other => vec!["--file".to_owned(), file.to_owned()],
    }
}

/// The option that names a file to `git config`, which always needs one.
pub(super) fn git_file_option(file: &str) -> Vec<String> {
    if matches!(named(file), Named::Global) { vec!["--global".to_owned()] } else { file_option(file) }
}

enum Named {
    Global,
    Local,
    Other,
}

fn named(file: &str) -> Named {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let global = variable("GIT_CONFIG_GLOBAL")
        .map(std::path::PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".gitconfig")));
    if global.is_some_and(|global| global.as_os_str() == file) {
        Named::Global
    } else if file == ".git/config" {
        // git names it from the top of the working tree.
        Named::Local
    } else {
        Named::Other
    }
}
