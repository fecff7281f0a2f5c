//! `ghapp apps` and `ghapp installations`: the configured Apps, and where they are installed.

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::pasted::first_login;
use serde::Serialize;

use crate::arguments::Listing;
use crate::failure::CliError;
use crate::known_apps::{configured, installations, selected};
use crate::session::Session;
use crate::terminal::json::{self, SCHEMA};
use crate::terminal::wording;

#[derive(Serialize)]
struct AppsOutput<'a> {
    schema: u32,
    apps: Vec<json::App<'a>>,
}

#[derive(Serialize)]
struct InstallationsOutput<'a> {
    schema: u32,
    installations: Vec<json::Installation<'a>>,
}

pub(crate) fn list(session: &Session<'_>, arguments: &Listing) -> Result<(), CliError> {
    let running = if arguments.refresh { Some(session.agent.status()?) } else { session.agent.running_status()? };
    let apps = match running {
        Some(status) => {
            session.agent.check_config(&status)?;
            // The Apps are unknown then; "none" would be a lie.
            if let Some(error) = status.config_error {
                return Err(CliError::new(ErrorCode::Config, error).hint("mend the file, then run: ghapp agent reload"));
            }
            selected(session, status.apps)?
        }
        None => selected(session, configured(session)?)?,
    };
    // The agent goes by GitHub's new answer from now on, which is how it learns of widened grants.
    let seen: Vec<_> = if arguments.refresh {
        apps.iter().map(|app| installations(session, &app.name, true).map(Some)).collect::<Result<_, _>>()?
    } else {
        vec![None; apps.len()]
    };
    if arguments.form.json {
        let apps = apps.iter().zip(&seen).map(|(app, seen)| json::App::of(app, seen.as_deref()));
        return session.output.json(&AppsOutput { schema: SCHEMA, apps: apps.collect() });
    }
    if apps.is_empty() {
        session.output.talk(&format!("no App is configured; add one with: {}", first_login(None)));
        return Ok(());
    }
    let dash = || "-".to_owned();
    let rows = apps.iter().map(|app| {
        vec![
            app.name.clone(),
            app.host.to_string(),
            app.app_id.map_or_else(dash, |id| id.to_string()),
            app.slug.clone().unwrap_or_else(dash),
            app.key_fingerprint.clone().unwrap_or_else(dash),
            app.store.clone(),
            app.state.clone(),
        ]
    });
    session.output.table(&["APP", "HOST", "ID", "SLUG", "KEY", "STORE", "STATE"], &rows.collect::<Vec<_>>())
}

pub(crate) fn list_installations(session: &Session<'_>, arguments: &Listing) -> Result<(), CliError> {
    let apps = selected(session, session.agent.status()?.apps)?;
    if apps.is_empty() {
        return Err(
            CliError::new(ErrorCode::NotConfigured, "no App is configured").hint(format!("run: {}", first_login(None)))
        );
    }
    let mut all = Vec::new();
    for app in &apps {
        let found = installations(session, &app.name, arguments.refresh)?;
        all.extend(found.into_iter().map(|one| (app.name.as_str(), one)));
    }
    if arguments.form.json {
        let shapes = all.iter().map(|(app, one)| json::Installation::of(Some(app), one));
        return session.output.json(&InstallationsOutput { schema: SCHEMA, installations: shapes.collect() });
    }
    if all.is_empty() {
        session.output.talk(if arguments.refresh {
            "not installed anywhere"
        } else {
            "the agent has seen no installation yet; ask GitHub with: ghapp installations --refresh"
        });
        return Ok(());
    }
    let rows = all.iter().map(|(app, one)| {
        vec![
            one.id.to_string(),
            (*app).to_owned(),
            one.account.clone(),
            one.repository_selection.clone(),
            wording::permissions(&one.permissions),
            if one.suspended { "suspended" } else { "ok" }.to_owned(),
        ]
    });
    session.output.table(&["ID", "APP", "ACCOUNT", "REPOSITORIES", "PERMISSIONS", "STATE"], &rows.collect::<Vec<_>>())
}
