//! `ghapp agent expose`, `unexpose` and `exposed`: further sockets that give out little, for containers and coding agents.

use std::collections::BTreeMap;

use ghapp_agent::clock::{Clock, SystemClock};
use ghapp_protocol::endpoint::{EXPOSED_NAME, Endpoint};
use ghapp_protocol::message::{Call, Expose, ExposureStatus, Reply, Unexpose, Unexposed};
use ghapp_protocol::remote::{Host, Owner, RepositoryName};
use serde::Serialize;

use crate::arguments::{self, Form};
use crate::connection::NETWORK_TIMEOUT;
use crate::failure::CliError;
use crate::session::Session;
use crate::terminal::json::{SCHEMA, Time};
use crate::terminal::wording;
use crate::tokens::repository_argument::Target;

#[derive(Serialize)]
struct ExposedOutput<'a> {
    schema: u32,
    exposed: Vec<Exposed<'a>>,
}

/// An exposed socket.
#[derive(Serialize)]
struct Exposed<'a> {
    label: &'a str,
    path: &'a str,
    app: &'a str,
    host: &'a str,
    account: &'a str,
    repositories: &'a [RepositoryName],
    permissions: &'a BTreeMap<String, String>,
    uid: Option<u32>,
    created_at: Time,
    expires_at: Time,
}

impl<'a> Exposed<'a> {
    fn of(exposed: &'a ExposureStatus) -> Self {
        Self {
            label: exposed.label.as_str(),
            path: &exposed.path,
            app: &exposed.app,
            host: exposed.host.as_str(),
            account: exposed.owner.as_str(),
            repositories: &exposed.repositories,
            permissions: &exposed.permissions,
            uid: exposed.uid,
            created_at: Time(exposed.created_at),
            expires_at: Time(exposed.expires_at),
        }
    }
}

#[derive(Serialize)]
struct UnexposedOutput<'a> {
    schema: u32,
    label: &'a str,
    revoked: usize,
    left_alive: usize,
}

pub(crate) fn open(session: &Session<'_>, arguments: &arguments::Expose) -> Result<(), CliError> {
    let (host, owner, repositories) = repositories(&arguments.repositories)?;
    let call = Expose {
        host,
        owner,
        repositories,
        permissions: arguments.permissions.as_deref().map(arguments::permissions).transpose()?.unwrap_or_default(),
        ttl: arguments.ttl.as_deref().map(|text| arguments::seconds("--ttl", text)).transpose()?,
        path: arguments.path.as_deref().map(absolute).transpose()?,
        label: arguments.label.clone(),
        uid: arguments.uid.as_deref().map(uid).transpose()?,
        app: session.app.as_ref().map(ToString::to_string),
    };
    let Reply::Exposed(exposed) = session.agent.ask_slow(Call::Expose(Box::new(call)))? else {
        return Err(session.agent.unexpected());
    };
    if arguments.form.json {
        session.output.json(&ExposedOutput { schema: SCHEMA, exposed: vec![Exposed::of(&exposed)] })?;
    } else {
        session.output.line(&exposed.path)?;
        session.output.talk(&format!(
            "exposed as {}: {} with {} until {}",
            exposed.label,
            wording::reach(exposed.owner.as_str(), Some(&exposed.repositories)),
            wording::permissions(&exposed.permissions),
            Time(exposed.expires_at)
        ));
    }
    if !Endpoint::at(&exposed.path)?.is_exposed() {
        session.output.warning(&format!(
            "set GHAPP_NO_AUTOSTART=1 where it is used: only behind a name that ends in {EXPOSED_NAME} no agent is ever started"
        ));
    }
    Ok(())
}

pub(crate) fn close(session: &Session<'_>, arguments: &arguments::Unexpose) -> Result<(), CliError> {
    // A label has no slash; a path is made absolute, so that it has one.
    let which =
        if arguments.which.contains('/') { absolute(arguments.which.as_ref())? } else { arguments.which.clone() };
    let call = Call::Unexpose(Unexpose { which, revoke: arguments.revoke });
    let Unexposed { label, revoked, left_alive } = match session.agent.ask_running(call, NETWORK_TIMEOUT)? {
        Some(Reply::Unexposed(outcome)) => outcome,
        Some(_) => return Err(session.agent.unexpected()),
        None => return session.output.report("the agent is not running and exposes nothing"),
    };
    if arguments.form.json {
        let label = label.as_str();
        return session.output.json(&UnexposedOutput { schema: SCHEMA, label, revoked, left_alive });
    }
    session.output.report(&if arguments.revoke {
        format!("{label} is closed: {} revoked", wording::count(revoked, "lease"))
    } else {
        format!("{label} is closed")
    })?;
    if left_alive > 0 && arguments.revoke {
        session.output.warning(&wording::left_alive(left_alive));
    } else if left_alive > 0 {
        session.output.talk(&format!(
            "{} given out over it will expire within the hour; to kill them: ghapp revoke",
            wording::count(left_alive, "lease")
        ));
    }
    Ok(())
}

pub(crate) fn list(session: &Session<'_>, form: Form) -> Result<(), CliError> {
    let exposed = all(session)?;
    if form.json {
        return session
            .output
            .json(&ExposedOutput { schema: SCHEMA, exposed: exposed.iter().map(Exposed::of).collect() });
    }
    if exposed.is_empty() {
        session.output.talk("no exposed sockets");
        return Ok(());
    }
    let now = SystemClock.now().wall;
    let rows: Vec<_> = exposed.iter().map(|exposed| row(exposed, now)).collect();
    session.output.table(&["LABEL", "APP", "REPOSITORIES", "PERMISSIONS", "CLOSES", "SOCKET"], &rows)
}

/// Starts no agent: where none runs, none exposes a socket.
fn all(session: &Session<'_>) -> Result<Vec<ExposureStatus>, CliError> {
    let ask = |after| match session.agent.ask_running(Call::Exposed { after }, NETWORK_TIMEOUT)? {
        None => Ok((Vec::new(), false)),
        Some(Reply::Exposures { exposed, more }) => Ok((exposed, more)),
        Some(_) => Err(session.agent.unexpected()),
    };
    session.agent.pages(|exposed: &ExposureStatus| exposed.label.clone(), ask)
}

fn row(exposed: &ExposureStatus, now: i64) -> Vec<String> {
    let user = exposed.uid.map(|uid| format!(" (uid {uid})")).unwrap_or_default();
    vec![
        exposed.label.to_string(),
        exposed.app.clone(),
        wording::reach(exposed.owner.as_str(), Some(&exposed.repositories)),
        wording::permissions(&exposed.permissions),
        wording::time_left(now, exposed.expires_at),
        format!("{}{user}", exposed.path),
    ]
}

/// The host, if one was named, the owner, and the repositories of a socket: they share the first two.
fn repositories(texts: &[String]) -> Result<(Option<Host>, Owner, Vec<RepositoryName>), CliError> {
    let command = "ghapp agent expose --repo";
    let targets = texts.iter().map(|text| Target::of_argument(text, command)).collect::<Result<Vec<_>, _>>()?;
    let hint = format!("run: {command} OWNER/web --repo OWNER/api");
    let first = targets.first().ok_or_else(|| CliError::usage("name at least one repository").hint(hint))?;
    let (host, owner) = (targets.iter().find_map(|target| target.host.clone()), first.full_name.owner.clone());
    if targets
        .iter()
        .any(|it| it.full_name.owner != owner || it.host.as_ref().is_some_and(|it| Some(it) != host.as_ref()))
    {
        return Err(CliError::usage("an exposed socket is for repositories of one owner on one host")
            .hint("expose a socket for each owner"));
    }
    Ok((host, owner, targets.into_iter().map(|target| target.full_name.repository).collect()))
}

/// A path in the form that the agent takes: absolute and in UTF-8.
fn absolute(path: &std::path::Path) -> Result<String, CliError> {
    let absolute = std::path::absolute(path).ok().and_then(|path| path.into_os_string().into_string().ok());
    absolute.ok_or_else(|| CliError::usage("the agent cannot be told that path").hint("name a plainer one"))
}

/// A user's number, from the number or the name.
fn uid(text: &str) -> Result<u32, CliError> {
    let unknown = || CliError::usage("--uid takes a user's number or name").hint("run: ghapp agent expose --uid 1000");
    if let Ok(uid) = text.parse() {
        return Ok(uid);
    }
    // Names come from many places (files, LDAP, systemd); the tool that asks them all is POSIX.
    let output = std::process::Command::new("id").args(["-u", "--", text]).output().map_err(|_| unknown())?;
    let number = String::from_utf8(output.stdout).ok().filter(|_| output.status.success());
    number.and_then(|number| number.trim().parse().ok()).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::{repositories, uid};

    #[test]
    fn all_repositories_have_one_owner_and_one_host() {
        let read = |texts: &[&str]| repositories(&texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        let (host, owner, names) = read(&["acme/web", "https://ghes.corp/Acme/api"]).unwrap();
        assert_eq!((host.unwrap().as_str(), owner.as_str(), names.len()), ("ghes.corp", "acme", 2));
        for wrong in
            [&["acme/web", "octo/web"][..], &["https://a.corp/acme/web", "https://b.corp/acme/web"], &[], &["web"]]
        {
            assert_eq!(read(wrong).unwrap_err().code.exit(), 2, "{wrong:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_user_is_named_by_number_or_name() {
        assert_eq!(uid("1000").unwrap(), 1000);
        assert_eq!(uid("root").unwrap(), 0);
        for wrong in ["", "-1", "--help", "no-such-user-here"] {
            assert_eq!(uid(wrong).unwrap_err().code.exit(), 2, "{wrong}");
        }
    }
}
