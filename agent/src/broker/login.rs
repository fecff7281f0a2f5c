//! Adding an App and forgetting one: checked with GitHub first, all or nothing.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{LoggedOut, Login, Logout, Reply};
use tracing::warn;
use zeroize::Zeroizing;

use super::{Broker, explain};
use crate::config::{self, EditError};
use crate::github::{AppInfo, GitHubError};
use crate::model::{ApiUrl, App, AppName, Caller, PrivateKey, StoreKind};
use crate::signer;

/// The nickname while GitHub has not told the App's slug.
const UNNAMED: &str = "new";

impl Broker {
    /// Adds an App: proves with `GET /app` that the key is the App's, keeps the key, writes the configuration. When a step
    /// fails, the ones before it are undone.
    pub async fn login(self: &Arc<Self>, login: Login, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = super::new_record("login", caller, started);
        record.host = Some(login.host.to_string());
        let reply = match self.add(login).await {
            Ok(app) => {
                record.app = Some(app.name.to_string());
                let state = "ok".to_owned();
                Reply::LoggedIn(Box::new(super::listing::app_status(&app, state)))
            }
            Err(error) => Reply::Error(error),
        };
        self.finish(record, started, &reply);
        reply
    }

    async fn add(&self, login: Login) -> Result<App, WireError> {
        let config = self.config()?;
        let key = read_key(&login)?;
        let chosen_name = login.name.as_deref().map(AppName::parse).transpose();
        let chosen_name = chosen_name.map_err(|error| usage(&error))?;
        let mut app = provisional(&login, &key)?;
        self.github.reconnect(); // a CA file may have been replaced since the last attempt
        let info = self.identify(&mut app, &key).await?;
        app.app_id = Some(info.id);
        app.client_id = info.client_id.or(app.client_id);
        app.name = match chosen_name {
            Some(name) => name,
            None => AppName::parse(&info.slug).map_err(|error| usage(&error))?,
        };
        app.slug = Some(info.slug);
        let before = config.app(&app.name).cloned();
        if let Some(other) = before.as_ref().filter(|other| !same_app(other, &app)) {
            return Err(explain_exists(other));
        }
        app.installation = before.as_ref().and_then(|before| before.installation);
        self.keep(&app, key, before).await?;
        Ok(app)
    }

    /// Asks GitHub who the key belongs to.
    async fn identify(&self, app: &mut App, key: &PrivateKey) -> Result<AppInfo, WireError> {
        let mut skew = 0;
        loop {
            let server_now = self.clock.now().wall + skew;
            let jwt = signer::sign(key, &app.issuer(), server_now)
                .map_err(|_| WireError::new(ErrorCode::UnusableKey, "the private key cannot sign"))?;
            match self.github.app(app, &jwt).await {
                Ok(info) => {
                    if skew != 0 {
                        self.state().skew.insert(app.name.clone(), skew);
                    }
                    return Ok(info);
                }
                // Once: the second answer is final.
                Err(GitHubError::Clock { server_time: Some(server_time) }) if skew == 0 => {
                    skew = server_time - self.clock.now().wall;
                    if skew == 0 {
                        return Err(explain::github(&GitHubError::Clock { server_time: Some(server_time) }, app));
                    }
                }
                Err(error) => return Err(explain::github(&error, app)),
            }
        }
    }

    /// Keeps the key and writes the configuration.
    async fn keep(&self, app: &App, key: PrivateKey, before: Option<App>) -> Result<(), WireError> {
        let id = app.key_id().ok_or_else(|| explain::no_key(app))?;
        let edit = config::add_app(&self.config_file, app).map_err(|error| explain_edit(&error))?;
        let was_there = self.stores.load(app.store, &id).await.is_ok();
        self.stores.save(app.store, &id, key).await.map_err(|error| explain::store(&error, app))?;
        match edit.write() {
            Ok(config) => self.adopt(config),
            Err(error) => {
                if !was_there && let Err(error) = self.stores.delete(app.store, &id).await {
                    warn!(app = %app.name, %error, "a key was left in its store");
                }
                return Err(explain_edit(&error));
            }
        }
        self.state().installations.forget_app(&app.name);
        // The key of an earlier login of the same App has been replaced and would only lie around.
        if let Some(before) = before
            && let Some(old) = before.key_id()
            && (old != id || before.store != app.store)
            && let Err(error) = self.stores.delete(before.store, &old).await
        {
            warn!(app = %app.name, %error, "the old key could not be deleted");
        }
        Ok(())
    }

    /// Forgets an App: its key, its tokens, its configuration. Refused as long as a rule needs it.
    pub async fn logout(self: &Arc<Self>, logout: Logout, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = super::new_record("logout", caller, started);
        record.app.clone_from(&logout.app);
        let reply = match self.remove(&logout).await {
            Ok(done) => Reply::LoggedOut(done),
            Err(error) => Reply::Error(error),
        };
        self.finish(record, started, &reply);
        reply
    }

    async fn remove(self: &Arc<Self>, logout: &Logout) -> Result<LoggedOut, WireError> {
        let config = self.config()?;
        let app = match (&logout.app, config.apps.as_slice()) {
            (Some(name), apps) => {
                apps.iter().find(|app| app.name.as_str() == name).ok_or_else(|| explain::unknown_app(name))?
            }
            (None, [app]) => app,
            (None, []) => return Err(explain::not_configured()),
            (None, apps) => {
                let names: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
                return Err(WireError::new(
                    ErrorCode::Usage,
                    format!("several Apps are configured: {}", names.join(", ")),
                )
                .hint(format!("name one: ghapp logout {}", names[0])));
            }
        };
        let edit = config::remove_app(&self.config_file, &app.name);
        let edit = edit.map_err(|error| match error {
            // The text without the App was refused: a rule still names it.
            EditError::Config(error) => {
                WireError::new(ErrorCode::Config, format!("a rule needs {}: {error}", app.name))
                    .hint("remove the rule first; the file is the one that this prints: ghapp config path")
            }
            error => explain_edit(&error),
        })?;
        // The key first: if its store is locked, nothing has happened yet and the command can be repeated.
        let key_deleted = match app.key_id() {
            Some(id) if !logout.keep_key => {
                let deleted = self.stores.delete(app.store, &id).await;
                deleted.map_err(|error| explain::store(&error, app))?
            }
            _ => false,
        };
        let revoked = self.revoke_where(|lease| lease.scope.app == app.name).await;
        self.adopt(edit.write().map_err(|error| explain_edit(&error))?);
        self.state().installations.forget_app(&app.name);
        Ok(LoggedOut {
            app: app.name.to_string(),
            host: app.host.clone(),
            revoked: revoked.revoked.len(),
            not_revoked: revoked.failed.len(),
            key_deleted,
        })
    }
}

fn read_key(login: &Login) -> Result<PrivateKey, WireError> {
    let der = STANDARD.decode(login.key.expose()).map(Zeroizing::new);
    let der = der.map_err(|_| WireError::new(ErrorCode::BadRequest, "the key is not base64"))?;
    signer::from_der(der).map_err(|error| WireError::new(ErrorCode::UnusableKey, error.to_string()).hint(error.hint()))
}

/// The App as far as it is known before GitHub has spoken.
fn provisional(login: &Login, key: &PrivateKey) -> Result<App, WireError> {
    let api_url = match &login.api_url {
        None => ApiUrl::of(&login.host),
        Some(url) => ApiUrl::parse(url).map_err(|error| usage(&error))?,
    };
    if login.app_id.is_none() && login.client_id.is_none() {
        return Err(WireError::new(ErrorCode::Usage, "an App needs its App ID or its client ID"));
    }
    let store = StoreKind::parse(&login.store).ok_or_else(|| {
        WireError::new(ErrorCode::Usage, format!("a key store is one of: {}", StoreKind::NAMES.join(", ")))
    })?;
    let fingerprint = signer::fingerprint(key)
        .map_err(|error| WireError::new(ErrorCode::UnusableKey, error.to_string()).hint(error.hint()))?;
    Ok(App {
        name: AppName::parse(UNNAMED).expect("it is a name"),
        host: login.host.clone(),
        api_url,
        ca_file: login.ca_file.as_ref().map(Into::into),
        app_id: login.app_id,
        client_id: login.client_id.clone(),
        slug: None,
        installation: None,
        store,
        key: Some(fingerprint),
    })
}

/// Whether a new login is one of the App that has the name already.
fn same_app(one: &App, other: &App) -> bool {
    let same_id = one.app_id.is_some() && one.app_id == other.app_id;
    let same_client = one.client_id.is_some() && one.client_id == other.client_id;
    one.host == other.host && (same_id || same_client)
}

fn explain_exists(other: &App) -> WireError {
    let cause = format!("{} is the name of another App, {} on {}", other.name, other.issuer(), other.host);
    WireError::new(ErrorCode::AppExists, cause).hint("choose another name with --name, or log that one out first")
}

fn explain_edit(error: &EditError) -> WireError {
    match error {
        EditError::Config(error) => explain::config(&error.to_string()),
        EditError::Form { .. } | EditError::Write { .. } => {
            WireError::new(ErrorCode::File, error.to_string()).hint("nothing was changed; see: ghapp config path")
        }
    }
}

fn usage(error: &impl ToString) -> WireError {
    WireError::new(ErrorCode::Usage, error.to_string())
}
