//! Forgetting an App: its keys, its entry in the configuration, its tokens. Their order is such that each failure leaves a whole
//! App or says what is gone.

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{LoggedOut, Logout, Reply};
use tokio::time::Instant;

use super::keeping::{adopt, delete_key};
use crate::broker::explain::stores;
use crate::broker::tokens::REVOKE_LIMIT;
use crate::broker::{Broker, explain};
use crate::config::{self, Config, EditError};
use crate::model::{App, Caller};

/// Forgets an App: its keys, its tokens, its configuration. Refused as long as a rule needs it.
pub(crate) async fn logout(broker: &Broker, logout: Logout, caller: &Caller) -> Reply {
    let mut entry = broker.shared.entry("logout", caller);
    entry.record.app.clone_from(&logout.app);
    let reply = match remove(broker, &logout, caller).await {
        Ok(done) => Reply::LoggedOut(done),
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

async fn remove(broker: &Broker, logout: &Logout, caller: &Caller) -> Result<LoggedOut, WireError> {
    let turn = broker.turn().await;
    let config = broker.shared.config()?;
    broker.shared.unlocked()?;
    let app = meant(&config, logout)?;
    let edit = config::remove_app(&broker.shared.config_file, &app.name);
    edit.and_then(|edit| edit.rehearse()).map_err(|error| explain_edit(&error, app))?;
    // The key first: if its store is locked, nothing has happened yet and the command can be repeated.
    let key_deleted = if logout.keep_key { false } else { delete_keys(broker, app).await? };
    // From the file as it is now: its owner may have written it while the keyring was asked.
    let written = config::remove_app(&broker.shared.config_file, &app.name).and_then(config::Edit::write);
    match written {
        Ok(config) => adopt(broker, config),
        Err(error) => {
            broker.shared.state().forget_app(app);
            return Err(if key_deleted { half_done(&error, app) } else { explain_edit(&error, app) });
        }
    }
    broker.shared.state().forget_app(app);
    drop(turn); // the App is forgotten; GitHub may take its time
    let deadline = Instant::now() + REVOKE_LIMIT;
    let revoked = broker.tokens.revoke_where(&config, |lease| lease.scope.app == app.name, deadline, caller).await;
    Ok(LoggedOut {
        app: app.name.to_string(),
        host: app.host.clone(),
        revoked: revoked.revoked.len(),
        not_revoked: revoked.failed.len(),
        key_deleted,
    })
}

/// Deletes an App's keys. The one that is configured first goes last: when it cannot be done, the App works as before.
async fn delete_keys(broker: &Broker, app: &App) -> Result<bool, WireError> {
    let places: Vec<_> = app.key_places().collect();
    let mut deleted = false;
    for place in places.iter().rev() {
        deleted |= delete_key(broker, place).await.map_err(|error| stores::explain(&error, app))?;
    }
    Ok(deleted)
}

/// The App to forget: the one that was named, or the only one.
fn meant<'a>(config: &'a Config, logout: &Logout) -> Result<&'a App, WireError> {
    match (&logout.app, config.apps.as_slice()) {
        (Some(name), apps) => {
            apps.iter().find(|app| app.name.as_str() == name).ok_or_else(|| explain::unknown_app(name))
        }
        (None, [app]) => Ok(app),
        (None, []) => Err(explain::not_configured()),
        (None, apps) => {
            let names: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
            Err(WireError::new(ErrorCode::Usage, format!("several Apps are configured: {}", names.join(", ")))
                .hint(format!("name one: ghapp logout {}", names[0])))
        }
    }
}

fn explain_edit(error: &EditError, app: &App) -> WireError {
    match error {
        // The file was good, and would not be without the App.
        EditError::Outcome(error) => WireError::new(ErrorCode::Config, format!("a rule needs {}: {error}", app.name))
            .hint("remove the rule first; the file is the one that this prints: ghapp config path"),
        error => explain::edit(error),
    }
}

/// The key is gone and the App is still configured.
fn half_done(error: &EditError, app: &App) -> WireError {
    WireError::new(ErrorCode::File, format!("the key of {} is deleted, but its entry is not: {error}", app.name))
        .hint(format!("when the file can be written, run again: ghapp logout {}", app.name))
}
