//! `ghapp identity`: the name and email that an App's bot commits with, for git's configuration and for people.

use ghapp_protocol::message::{Call, Identity, IdentityCall, Reply};
use serde::Serialize;

use crate::arguments::{self, IdentityPlace};
use crate::failure::CliError;
use crate::git::additions;
use crate::git::git_config::ConfigFile;
use crate::session::Session;
use crate::terminal::json::SCHEMA;

#[derive(Serialize)]
struct IdentityOutput<'a> {
    schema: u32,
    app: &'a str,
    host: &'a str,
    name: &'a str,
    email: &'a str,
    user_id: u64,
}

pub(crate) fn run(session: &Session<'_>, arguments: &arguments::Identity) -> Result<(), CliError> {
    let bot = of_app(session, session.app.as_ref().map(ToString::to_string))?;
    let output = session.output;
    if let Some(place) = arguments.write {
        let (file, flag) = match place {
            IdentityPlace::Global => (ConfigFile::Global, "--global"),
            IdentityPlace::Local => (ConfigFile::Local, "--local"),
        };
        additions::write(&file, &additions::identity(&bot), output)?;
        return output.report(&format!("undo: ghapp setup-git --remove --identity {flag} --host {}", bot.host));
    }
    let Identity { app, host, name, email, user_id } = &bot;
    if arguments.form.json {
        let host = host.as_str();
        return output.json(&IdentityOutput { schema: SCHEMA, app, host, name, email, user_id: *user_id });
    }
    output.line(&format!("user.name={name}"))?;
    output.line(&format!("user.email={email}"))
}

/// The identity that the App of that name commits with; the only App's when none is named.
pub(crate) fn of_app(session: &Session<'_>, app: Option<String>) -> Result<Identity, CliError> {
    match session.agent.ask_slow(Call::Identity(IdentityCall { app }))? {
        Reply::Identity(identity) => Ok(*identity),
        _ => Err(session.agent.unexpected()),
    }
}
