//! The configured Apps, which of them are selected, and where they are installed: as the agent says or, without one, the
//! configuration file.

use ghapp_agent::config;
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{AppStatus, Call, InstallationStatus, InstallationsCall, Reply};

use crate::failure::CliError;
use crate::session::Session;

/// The state of an App when no agent can tell.
const UNKNOWN_STATE: &str = "unknown";

/// The Apps of the configuration file, for when no agent runs.
pub(crate) fn configured(session: &Session<'_>) -> Result<Vec<AppStatus>, CliError> {
    let config = config::load(&session.config)?;
    let status = |app: ghapp_agent::model::App| AppStatus {
        name: app.name.to_string(),
        host: app.host,
        app_id: app.app_id,
        client_id: app.client_id,
        slug: app.slug,
        key_fingerprint: app.key.map(|key| key.to_string()),
        store: app.store.as_str().to_owned(),
        state: UNKNOWN_STATE.to_owned(),
        refused_keys: Vec::new(),
        missing_keys: Vec::new(),
    };
    Ok(config.apps.into_iter().map(status).collect())
}

/// The selected Apps: all, or the one that `--app` names.
pub(crate) fn selected(session: &Session<'_>, mut apps: Vec<AppStatus>) -> Result<Vec<AppStatus>, CliError> {
    if let Some(name) = &session.app {
        apps.retain(|app| app.name == name.as_str());
        if apps.is_empty() {
            return Err(CliError::new(ErrorCode::NotConfigured, format!("no App named {name} is configured"))
                .hint("run: ghapp apps"));
        }
    }
    Ok(apps)
}

/// The installations of an App: those that the agent has seen, or those that GitHub has now.
pub(crate) fn installations(
    session: &Session<'_>,
    app: &str,
    refresh: bool,
) -> Result<Vec<InstallationStatus>, CliError> {
    let ask = |after: Option<u64>| {
        let call = Call::Installations(InstallationsCall {
            app: app.to_owned(),
            // Only the first page asks GitHub; further pages are from the same answer.
            refresh: refresh && after.is_none(),
            after,
        });
        match if refresh { session.agent.ask_slow(call)? } else { session.agent.ask(call)? } {
            Reply::Installations { installations, more } => Ok((installations, more)),
            _ => Err(session.agent.unexpected()),
        }
    };
    session.agent.pages(|one: &InstallationStatus| one.id, ask)
}
