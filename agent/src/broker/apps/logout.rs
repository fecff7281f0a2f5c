//! Forgetting an App: its keys, its place in the configuration, its tokens; in an order in which each failure leaves a whole App
//! or says what is gone.

use std::sync::Arc;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{LoggedOut, Logout, Reply};
use tokio::time::Instant;

use crate::broker::tokens::revoke::REVOKE_LIMIT;
use crate::broker::{Broker, explain, explain::stores};
use crate::config::{self, Config, EditError};
use crate::model::{App, Caller};

impl Broker {
    /// Forgets an App: its keys, its tokens, its configuration. Refused as long as a rule needs it.
    pub async fn logout(self: &Arc<Self>, logout: Logout, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = crate::broker::new_record("logout", caller, started);
        record.app.clone_from(&logout.app);
        let reply = match self.remove(&logout, caller).await {
            Ok(done) => Reply::LoggedOut(done),
            Err(error) => Reply::Error(error),
        };
        self.finish(record, started, &reply);
        reply
    }

    async fn remove(self: &Arc<Self>, logout: &Logout, caller: &Caller) -> Result<LoggedOut, WireError> {
        let turn = self.turn().await;
        let config = self.config()?;
        self.unlocked()?;
        let app = meant(&config, logout)?;
        let edit = config::remove_app(&self.config_file, &app.name);
        edit.and_then(|edit| edit.rehearse()).map_err(|error| explain_edit(&error, app))?;
        // The key first: if its store is locked, nothing has happened yet and the command can be repeated.
        let key_deleted = if logout.keep_key { false } else { self.delete_keys(app).await? };
        // From the file as it is now: its owner may have written it while the keyring was asked.
        let written = config::remove_app(&self.config_file, &app.name).and_then(config::Edit::write);
        match written {
            Ok(config) => self.adopt(config),
            Err(error) => {
                self.forget(app);
                return Err(if key_deleted { half_done(&error, app) } else { explain_edit(&error, app) });
            }
        }
        self.forget(app);
        drop(turn); // the App is forgotten; GitHub may take its time
        let deadline = Instant::now() + REVOKE_LIMIT;
        let revoked = self.revoke_where(&config, |lease| lease.scope.app == app.name, deadline, caller).await;
        Ok(LoggedOut {
            app: app.name.to_string(),
            host: app.host.clone(),
            revoked: revoked.revoked.len(),
            not_revoked: revoked.failed.len(),
            key_deleted,
        })
    }

    /// Deletes an App's keys. The one that is configured first goes last: when it cannot be done, the App works as before.
    async fn delete_keys(&self, app: &App) -> Result<bool, WireError> {
        let places: Vec<_> = app.key_places().collect();
        let mut deleted = false;
        for place in places.iter().rev() {
            deleted |= self.delete_key(place).await.map_err(|error| stores::explain(&error, app))?;
        }
        Ok(deleted)
    }

    /// Forgets what was learned with the App's keys.
    fn forget(&self, app: &App) {
        let mut state = self.state();
        state.forget_jwts(&app.name);
        state.skew.remove(&app.name);
        state.installations.forget_app(&app.name);
    }
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
        // The file was good, and is not without the App.
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
