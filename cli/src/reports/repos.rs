//! `ghapp repos`: lists the repositories that Apps reach, installation by installation.

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{AppStatus, Call, InstallationStatus, Reply, RepositoriesCall, RepositoryStatus};
use ghapp_protocol::pasted::first_login;
use serde::Serialize;

use crate::arguments::Repos;
use crate::failure::CliError;
use crate::known_apps;
use crate::session::Session;
use crate::terminal::json::SCHEMA;

#[derive(Serialize)]
struct ReposOutput<'a> {
    schema: u32,
    repositories: Vec<RepositoryOutput<'a>>,
}

#[derive(Serialize)]
struct RepositoryOutput<'a> {
    id: u64,
    app: &'a str,
    host: &'a str,
    installation_id: u64,
    owner: &'a str,
    name: &'a str,
    full_name: String,
    private: bool,
    archived: bool,
}

/// A repository, and the App and installation that reach it.
struct Reached {
    app: String,
    host: String,
    installation: u64,
    repository: RepositoryStatus,
}

pub(crate) fn list(session: &Session<'_>, arguments: &Repos) -> Result<(), CliError> {
    let apps = known_apps::selected(session, session.agent.status()?.apps)?;
    if apps.is_empty() {
        return Err(
            CliError::new(ErrorCode::NotConfigured, "no App is configured").hint(format!("run: {}", first_login(None)))
        );
    }
    let mut all = Vec::new();
    let mut failure = None;
    for app in &apps {
        if let Err(error) = gather(session, app, arguments.refresh, &mut all) {
            failure.get_or_insert(error);
        }
    }
    all.sort_by(|one, other| {
        let key = |it: &Reached| (it.host.clone(), it.repository.name.to_string().to_ascii_lowercase(), it.app.clone());
        key(one).cmp(&key(other))
    });
    match failure {
        // An empty list would say "none", which would be a lie.
        Some(error) if all.is_empty() => Err(error),
        failure => print(session, arguments, &all).and(failure.map_or(Ok(()), Err)),
    }
}

/// Adds the repositories that an App reaches. An account that refuses (an IP allow list, a suspension) does not hide those of the
/// others: the first failure is returned at the end.
fn gather(session: &Session<'_>, app: &AppStatus, refresh: bool, all: &mut Vec<Reached>) -> Result<(), CliError> {
    let mut outcome = Ok(());
    for InstallationStatus { id, account, suspended, .. } in installations(session, app, refresh)? {
        if suspended {
            session.output.talk(&format!("the installation of {} on {account} is suspended", app.name));
            continue;
        }
        match repositories(session, &app.name, id, refresh) {
            Ok(found) => all.extend(found.into_iter().map(|repository| Reached {
                app: app.name.clone(),
                host: app.host.to_string(),
                installation: id,
                repository,
            })),
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    outcome
}

fn print(session: &Session<'_>, arguments: &Repos, all: &[Reached]) -> Result<(), CliError> {
    if arguments.form.json {
        let repositories = all.iter().map(shape).collect();
        return session.output.json(&ReposOutput { schema: SCHEMA, repositories });
    }
    if all.is_empty() {
        session.output.talk("no repository is reached; see: ghapp installations --refresh");
        return Ok(());
    }
    let rows = all.iter().map(|Reached { app, installation, repository, .. }| {
        let who = if repository.private { "private" } else { "public" };
        let state = if repository.archived { "archived" } else { "ok" };
        vec![repository.name.to_string(), app.clone(), installation.to_string(), who.to_owned(), state.to_owned()]
    });
    session.output.table(&["REPOSITORY", "APP", "INSTALLATION", "VISIBILITY", "STATE"], &rows.collect::<Vec<_>>())
}

fn shape(reached: &Reached) -> RepositoryOutput<'_> {
    let RepositoryStatus { id, name, private, archived } = &reached.repository;
    RepositoryOutput {
        id: *id,
        app: &reached.app,
        host: &reached.host,
        installation_id: reached.installation,
        owner: name.owner.as_str(),
        name: name.repository.as_str(),
        full_name: name.to_string(),
        private: *private,
        archived: *archived,
    }
}

/// The installations of an App: those that the agent has seen, or all when it has seen none yet.
fn installations(session: &Session<'_>, app: &AppStatus, refresh: bool) -> Result<Vec<InstallationStatus>, CliError> {
    let seen = known_apps::installations(session, &app.name, refresh)?;
    if seen.is_empty() && !refresh { known_apps::installations(session, &app.name, true) } else { Ok(seen) }
}

/// The repositories that an installation reaches.
fn repositories(
    session: &Session<'_>,
    app: &str,
    installation: u64,
    refresh: bool,
) -> Result<Vec<RepositoryStatus>, CliError> {
    let ask = |after: Option<u64>| {
        let call = Call::Repositories(RepositoriesCall {
            app: app.to_owned(),
            installation,
            // Only the first page asks GitHub; further pages are from the same answer.
            refresh: refresh && after.is_none(),
            after,
        });
        match session.agent.ask_slow(call)? {
            Reply::Repositories { repositories, more } => Ok((repositories, more)),
            _ => Err(session.agent.unexpected()),
        }
    };
    session.agent.pages(|one: &RepositoryStatus| one.id, ask)
}
