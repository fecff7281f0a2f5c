//! `ghapp setup-git`: makes git ask our helper for the hosts and owners of our Apps, and undoes that.

use std::path::{Path, PathBuf};

use ghapp_agent::config;
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::pasted::{first_login, shell_word};
use ghapp_protocol::remote::{Host, Owner};
use ghapp_protocol::start::sibling;

use crate::arguments::{Besides, SetupGit};
use crate::failure::CliError;
use crate::git::additions::{self, Addition, written};
use crate::git::credential_section::{self, BARE_HELPER, HELPER_PROGRAM};
use crate::git::git_config::{ConfigFile, git_version};
use crate::git::identity;
use crate::process::search_path::{in_path, search_path};
use crate::session::Session;
use crate::terminal::output::Output;

/// The first git that can show a token unasked.
const GIT_WITH_AHEAD: (u32, u32) = (2, 46);

pub(crate) fn run(session: &Session<'_>, arguments: &SetupGit) -> Result<(), CliError> {
    let host = match &arguments.host {
        Some(host) => host.clone(),
        None => configured_host(session)?,
    };
    let file = ConfigFile::of(&arguments.place);
    let owners = distinct(&arguments.owners);
    let output = session.output;
    let besides = arguments.besides;
    if arguments.remove {
        let removed = if besides.any() {
            additions::remove(&file, &host, &owners, besides, output)?
        } else {
            remove(&file, &host, &owners, output)?
        };
        if removed == 0 {
            output.report(&format!("nothing of ghapp for {host} in {}", file.name()))?;
        }
        return Ok(());
    }
    let helper = if arguments.absolute { absolute_helper()? } else { BARE_HELPER.to_owned() };
    let urls = urls(&host, &owners);
    let added = added(session, besides, &host, &owners)?;
    if arguments.print {
        print(&urls, &helper, output)?;
        return additions::print(&added, output);
    }
    write(&file, &urls, &helper, output)?;
    additions::write(&file, &added, output)?;
    output.report(&format!("undo: {}", undo(&file, &host)))?;
    if !arguments.absolute {
        warn_unless_in_path(output);
    }
    Ok(())
}

/// What to write besides the helper.
fn added(session: &Session<'_>, besides: Besides, host: &Host, owners: &[Owner]) -> Result<Vec<Addition>, CliError> {
    let mut added = Vec::new();
    if besides.ssh_remotes {
        added.extend(additions::ssh_remotes(host, owners));
    }
    if besides.public {
        // For all owners of a host git would ask for a user name wherever we have no token, and public repositories are there, too.
        let owner = "--public needs --owner: where there is no token, git asks a person for one or gives up";
        if owners.is_empty() {
            return Err(
                CliError::usage(owner).hint(format!("run: ghapp setup-git --host {host} --owner OWNER --public"))
            );
        }
        if git_version().is_some_and(|version| version < GIT_WITH_AHEAD) {
            session.output.warning("this git is older than 2.46 and does not know http.proactiveAuth yet");
        }
        added.extend(additions::public(host, owners));
    }
    if besides.identity {
        let app = match &session.app {
            Some(name) => Some(name.to_string()),
            None => only_app(session, host)?,
        };
        added.extend(additions::identity(&identity::of_app(session, app)?));
    }
    Ok(added)
}

/// The App of a host, if it is the only one there. Otherwise the agent says what to do.
fn only_app(session: &Session<'_>, host: &Host) -> Result<Option<String>, CliError> {
    let config = config::load(&session.config)?;
    let mut apps = config.apps.iter().filter(|app| app.host == *host);
    let first = apps.next().ok_or_else(|| {
        CliError::new(ErrorCode::HostNotConfigured, format!("no App is configured for {host}"))
            .hint(format!("run: {}", first_login(Some(host))))
    })?;
    Ok(apps.next().is_none().then(|| first.name.to_string()))
}

/// The owners that were named, each once: GitHub does not tell them apart by case.
fn distinct(owners: &[Owner]) -> Vec<Owner> {
    let mut distinct: Vec<Owner> = Vec::new();
    for owner in owners {
        if !distinct.contains(owner) {
            distinct.push(owner.clone());
        }
    }
    distinct
}

/// Writes a section for each of these owners into the user's configuration: what `login --setup-git` does.
pub(crate) fn write_for_owners(host: &Host, owners: &[Owner], output: &Output) -> Result<(), CliError> {
    write(&ConfigFile::Global, &urls(host, owners), BARE_HELPER, output)?;
    output.report(&format!("undo: {}", undo(&ConfigFile::Global, host)))?;
    warn_unless_in_path(output);
    Ok(())
}

/// Removes everything of ours for a host, or only for some of its owners, from a file. Returns how much there was.
pub(crate) fn remove(file: &ConfigFile, host: &Host, owners: &[Owner], output: &Output) -> Result<usize, CliError> {
    let meant =
        |url: &str| owners.is_empty() || credential_section::owner_of(url, host).is_some_and(|it| owners.contains(&it));
    let sections = file.sections(|url, value| {
        credential_section::is_ours(value) && credential_section::is_about(url, host) && meant(url)
    })?;
    for url in &sections {
        output.report(&format!("{}: [credential \"{url}\"]", file.name()))?;
        let (helper, path) = (key(url, "helper"), key(url, "useHttpPath"));
        let before = file.values(&helper)?;
        let after = credential_section::without_helper(&before);
        file.set(&helper, &before, &after)?;
        output.report(&format!("    before: helper = {}", written(&before)))?;
        output.report(&format!("    now: helper = {}", written(&after)))?;
        let before = file.values(&path)?;
        let after = credential_section::without_path(&before);
        if after != before {
            file.set(&path, &before, &after)?;
            output.report("  - useHttpPath = true")?;
        }
    }
    Ok(sections.len() + additions::remove(file, host, owners, Besides::ALL, output)?)
}

fn write(file: &ConfigFile, urls: &[String], helper: &str, output: &Output) -> Result<(), CliError> {
    for url in urls {
        let (helper_key, path_key) = (key(url, "helper"), key(url, "useHttpPath"));
        let (helpers, paths) = (file.values(&helper_key)?, file.values(&path_key)?);
        let wanted_helpers = credential_section::with_helper(&helpers, helper);
        let wanted_paths = credential_section::with_path(&paths);
        if helpers == wanted_helpers && paths == wanted_paths {
            output.report(&format!("{}: [credential \"{url}\"] is set up already", file.name()))?;
            continue;
        }
        output.report(&format!("{}: [credential \"{url}\"]", file.name()))?;
        if !helpers.is_empty() {
            output.report(&format!("    before: helper = {}", written(&helpers)))?;
        }
        if helpers != wanted_helpers {
            file.set(&helper_key, &helpers, &wanted_helpers)?;
            output.report(&format!("  + helper = {}", written(&[String::new(), helper.to_owned()])))?;
        }
        if !paths.is_empty() {
            output.report(&format!("    before: useHttpPath = {}", written(&paths)))?;
        }
        if paths != wanted_paths {
            file.set(&path_key, &paths, &wanted_paths)?;
            output.report("  + useHttpPath = true")?;
        }
    }
    Ok(())
}

fn print(urls: &[String], helper: &str, output: &Output) -> Result<(), CliError> {
    for url in urls {
        let helper = credential_section::in_a_file(helper);
        output.data(&format!("[credential \"{url}\"]\n\thelper =\n\thelper = {helper}\n\tuseHttpPath = true\n"))?;
    }
    Ok(())
}

fn key(url: &str, name: &str) -> String {
    format!("credential.{url}.{name}")
}

fn urls(host: &Host, owners: &[Owner]) -> Vec<String> {
    if owners.is_empty() {
        return vec![credential_section::url(host, None)];
    }
    owners.iter().map(|owner| credential_section::url(host, Some(owner))).collect()
}

fn undo(file: &ConfigFile, host: &Host) -> String {
    let flag = file.flag().iter().map(|word| shell_word(&word.to_string_lossy())).collect::<Vec<_>>();
    format!("ghapp setup-git --remove {} --host {host}", flag.join(" "))
}

/// The host of the App that `--app` names, or the one that all Apps share.
fn configured_host(session: &Session<'_>) -> Result<Host, CliError> {
    let config = config::load(&session.config)?;
    if let Some(name) = &session.app {
        return match config.app(name) {
            Some(app) => Ok(app.host.clone()),
            None => Err(CliError::new(ErrorCode::NotConfigured, format!("no App named {name} is configured"))
                .hint("run: ghapp apps")),
        };
    }
    let mut hosts: Vec<&Host> = config.apps.iter().map(|app| &app.host).collect();
    hosts.sort();
    hosts.dedup();
    match hosts[..] {
        [host] => Ok(host.clone()),
        [] => Err(CliError::new(ErrorCode::NotConfigured, "no App is configured, so --host is needed")
            .hint("run: ghapp setup-git --host github.com")),
        [first, ..] => Err(CliError::usage(format!("there are Apps on {} hosts, so --host is needed", hosts.len()))
            .hint(format!("run: ghapp setup-git --host {first}"))),
    }
}

/// The helper by its path, in the spelling of `PATH` if that leads to the program beside this one: a link is not followed, since
/// an upgrade turns it to the next version.
fn absolute_helper() -> Result<String, CliError> {
    let beside = sibling(HELPER_PROGRAM).map_err(CliError::own_program)?;
    if !beside.is_file() {
        return Err(CliError::new(ErrorCode::File, format!("there is no {}", beside.display()))
            .hint("install git-credential-ghapp beside ghapp"));
    }
    let same = |path: &PathBuf| std::fs::canonicalize(path).ok() == std::fs::canonicalize(&beside).ok();
    let program = in_path(HELPER_PROGRAM, &search_path()).filter(same).unwrap_or(beside.clone());
    let program = program.to_str().ok_or_else(|| {
        CliError::new(ErrorCode::File, format!("{} cannot be written into git's configuration", program.display()))
    })?;
    Ok(credential_section::absolute_helper(program))
}

fn warn_unless_in_path(output: &Output) {
    if in_path(HELPER_PROGRAM, &search_path()).is_some() {
        return;
    }
    let directory = sibling(HELPER_PROGRAM).ok().filter(|program| program.is_file());
    let directory = directory.as_deref().and_then(Path::parent);
    let advice = directory.map_or_else(
        || "install it".to_owned(),
        |directory| format!("add {} to PATH, or run: ghapp setup-git --absolute", directory.display()),
    );
    output.warning(&format!("git will not find {HELPER_PROGRAM}: it is not in PATH; {advice}"));
}
