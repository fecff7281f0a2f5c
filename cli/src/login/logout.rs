//! `ghapp logout`: removes an App, its key, and what `setup-git` wrote for it.

use ghapp_protocol::message::{Call, LoggedOut, Logout, Reply};

use crate::arguments;
use crate::failure::CliError;
use crate::git::git_config::ConfigFile;
use crate::git::setup_git;
use crate::session::Session;
use crate::terminal::wording;

pub(crate) fn run(session: &Session<'_>, arguments: arguments::Logout) -> Result<(), CliError> {
    let app = arguments.app.or_else(|| session.app.clone());
    let call = Call::Logout(Logout { app: app.map(|name| name.to_string()), keep_key: arguments.keep_key });
    let Reply::LoggedOut(outcome) = session.agent.ask_slow(call)? else {
        return Err(session.agent.unexpected());
    };
    let LoggedOut { app, host, revoked, not_revoked, key_deleted } = &outcome;
    let key = match (key_deleted, arguments.keep_key) {
        (true, _) => "key deleted",
        (false, true) => "key kept",
        (false, false) => "no key deleted",
    };
    session.output.report(&format!("removed {app}: {} revoked, {key}", wording::count(*revoked, "lease")))?;
    if *not_revoked > 0 {
        session.output.warning(&wording::left_alive(*not_revoked));
    }
    let still_used = session.agent.status()?.apps.iter().any(|other| other.host == *host);
    if still_used {
        session.output.detail(&format!("git's configuration stays: another App is on {host}"));
        return Ok(());
    }
    // The App is gone. What is left in git's configuration does no harm, so a failure here is only a warning.
    if let Err(error) = setup_git::remove(&ConfigFile::Global, host, &[], session.output) {
        session.output.warning(&format!("git's configuration is as it was: {}", error.message));
    }
    Ok(())
}
