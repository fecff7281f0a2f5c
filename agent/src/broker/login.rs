//! Adding an App: checked with GitHub first, then all or nothing.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Login, Reply};
use ghapp_protocol::remote::Host;
use tracing::warn;
use zeroize::Zeroizing;

use super::{Broker, explain};
use crate::config::{self, Config};
use crate::github::{AppInfo, GitHubError};
use crate::keystore::{Saved, StoreError};
use crate::model::{ApiUrl, App, AppName, Caller, PrivateKey, StoreKind};
use crate::signer;

/// The nickname while GitHub has not told the App's slug.
pub(super) const UNNAMED: &str = "new";

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
        self.config()?; // a broken file is said before GitHub is asked
        self.needed();
        self.unlocked()?;
        let key = read_key(&login)?;
        let chosen_name = login.name.as_deref().map(AppName::parse).transpose();
        let chosen_name = chosen_name.map_err(|error| usage(&error))?;
        let mut app = provisional(&login, &key)?;
        self.github.reconnect(); // a CA file may have been replaced since the last attempt
        let (info, skew) = self.identify(&app, &key).await?;
        app.app_id = Some(info.id);
        app.client_id = info.client_id.or(app.client_id);
        app.slug = Some(info.slug);
        self.keep(&mut app, key, chosen_name).await?;
        if skew != 0 {
            self.state().skew.insert(app.name.clone(), skew);
        }
        Ok(app)
    }

    /// Asks GitHub who the key belongs to. Returns also GitHub's clock minus ours, in seconds, if GitHub refused ours.
    async fn identify(&self, app: &App, key: &PrivateKey) -> Result<(AppInfo, i64), WireError> {
        let mut skew = 0;
        loop {
            let server_now = self.clock.now().wall + skew;
            let jwt = signer::sign(key, &app.issuer(), server_now)
                .map_err(|_| WireError::new(ErrorCode::UnusableKey, "the private key cannot sign"))?;
            match self.github.app(app, &jwt).await {
                Ok(info) => return Ok((info, skew)),
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

    /// Finds the App its name, keeps the key and writes the configuration.
    pub(super) async fn keep(
        &self,
        app: &mut App,
        key: PrivateKey,
        chosen_name: Option<AppName>,
    ) -> Result<(), WireError> {
        let _turn = self.turn().await;
        let config = config::load(&self.config_file).map_err(|error| explain::config(&error.to_string()))?;
        let before = name(app, &config, chosen_name)?;
        app.installation = before.as_ref().and_then(|before| before.installation);
        let id = app.key_id().ok_or_else(|| explain::no_key(app))?;
        // Whatever can be known to fail fails before the keyring is asked.
        let edit = config::add_app(&self.config_file, app);
        edit.and_then(|edit| edit.rehearse()).map_err(|error| explain::edit(&error))?;
        let saved = self.stores.save(app.store, &id, key).await.map_err(|error| explain::store(&error, app))?;
        // A lock that came meanwhile has wiped the keys in memory before this one. The configuration is edited as the file is now:
        // its owner may have written it while the keyring was asked.
        let edit = || config::add_app(&self.config_file, app).and_then(config::Edit::write);
        match self.unlocked().and_then(|()| edit().map_err(|error| explain::edit(&error))) {
            Ok(config) => self.adopt(config),
            Err(error) => {
                if saved == Saved::Now
                    && let Err(error) = self.stores.delete(app.store, &id).await
                {
                    warn!(app = %app.name, %error, "a key was left in its store");
                }
                return Err(error);
            }
        }
        self.state().installations.forget_app(&app.name);
        // The key of an earlier login of the same App has been replaced and would only lie around.
        if let Some(before) = before
            && before.key_id() != Some(id)
            && let Err(error) = self.delete_key(&before).await
        {
            warn!(app = %app.name, %error, "the old key could not be deleted");
        }
        Ok(())
    }

    /// Deletes an App's key, unless another App of the configuration has the same. False when there is none, or it is kept.
    pub(super) async fn delete_key(&self, app: &App) -> Result<bool, StoreError> {
        let Some(id) = app.key_id() else { return Ok(false) };
        let config = Arc::clone(&self.state().config);
        let same =
            |other: &App| other.name != app.name && other.store == app.store && other.key_id().as_ref() == Some(&id);
        if config.apps.iter().any(same) {
            return Ok(false);
        }
        self.stores.delete(app.store, &id).await
    }
}

/// Gives the App the name that was chosen, the one that it has already, or the one that GitHub calls it by. Returns the entry that
/// it replaces.
fn name(app: &mut App, config: &Config, chosen: Option<AppName>) -> Result<Option<App>, WireError> {
    let known = config.apps.iter().find(|other| same_app(other, app));
    app.name = match (chosen, known, &app.slug) {
        (Some(chosen), _, _) => chosen,
        (None, Some(known), _) => known.name.clone(),
        (None, None, Some(slug)) => AppName::parse(slug).map_err(|error| usage(&error))?,
        (None, None, None) => app.name.clone(),
    };
    match (config.app(&app.name), known) {
        (Some(before), _) if same_app(before, app) => Ok(Some(before.clone())),
        (Some(other), _) => Err(explain_exists(other)),
        // Without a rule nobody could tell which of the two is meant.
        (None, Some(known)) => Err(explain_known(known, &app.name)),
        (None, None) => Ok(None),
    }
}

fn read_key(login: &Login) -> Result<PrivateKey, WireError> {
    let der = STANDARD.decode(login.key.expose()).map(Zeroizing::new);
    let der = der.map_err(|_| WireError::new(ErrorCode::BadRequest, "the key is not base64"))?;
    signer::from_der(der).map_err(|error| WireError::new(ErrorCode::UnusableKey, error.to_string()).hint(error.hint()))
}

/// The App as far as it is known before GitHub has spoken.
fn provisional(login: &Login, key: &PrivateKey) -> Result<App, WireError> {
    if login.app_id.is_none() && login.client_id.is_none() {
        return Err(WireError::new(ErrorCode::Usage, "an App needs its App ID or its client ID"));
    }
    let fingerprint = signer::fingerprint(key)
        .map_err(|error| WireError::new(ErrorCode::UnusableKey, error.to_string()).hint(error.hint()))?;
    let place = at(&login.host, login.api_url.as_deref(), login.ca_file.as_deref(), &login.store)?;
    Ok(App { app_id: login.app_id, client_id: login.client_id.clone(), key: Some(fingerprint), ..place })
}

/// Some App of a host, whose key goes to that store.
pub(super) fn at(host: &Host, api_url: Option<&str>, ca_file: Option<&str>, store: &str) -> Result<App, WireError> {
    let api_url = match api_url {
        None => ApiUrl::of(host),
        Some(url) => ApiUrl::parse(url).map_err(|error| usage(&error))?,
    };
    let store = StoreKind::parse(store).ok_or_else(|| {
        WireError::new(ErrorCode::Usage, format!("a key store is one of: {}", StoreKind::NAMES.join(", ")))
    })?;
    Ok(App {
        name: AppName::parse(UNNAMED).expect("it is a name"),
        host: host.clone(),
        api_url,
        ca_file: ca_file.map(Into::into),
        app_id: None,
        client_id: None,
        slug: None,
        installation: None,
        store,
        key: None,
    })
}

/// Whether a new login is one of the App that has the name already.
fn same_app(one: &App, other: &App) -> bool {
    let same_id = one.app_id.is_some() && one.app_id == other.app_id;
    let same_client = one.client_id.is_some() && one.client_id == other.client_id;
    one.host == other.host && (same_id || same_client)
}

pub(super) fn explain_exists(other: &App) -> WireError {
    let cause = format!("{} is the name of another App, {} on {}", other.name, other.issuer(), other.host);
    WireError::new(ErrorCode::AppExists, cause).hint("choose another name with --name, or log that one out first")
}

fn explain_known(known: &App, chosen: &AppName) -> WireError {
    let cause = format!("App {} on {} is configured already, as {}", known.issuer(), known.host, known.name);
    WireError::new(ErrorCode::AppExists, cause)
        .hint(format!("leave out --name {chosen}, or first run: ghapp logout {}", known.name))
}

pub(super) fn usage(error: &impl ToString) -> WireError {
    WireError::new(ErrorCode::Usage, error.to_string())
}
