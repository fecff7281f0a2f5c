//! Adding an App: checked with GitHub first, then all or nothing.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Login, Reply};
use ghapp_protocol::remote::Host;
use ghapp_protocol::secret::Secret;
use tracing::warn;
use zeroize::Zeroizing;

use super::keeping::{delete_key, save_with};
use crate::broker::explain::stores;
use crate::broker::telling::app_status;
use crate::broker::{Broker, explain};
use crate::config::{self, Config};
use crate::model::{ApiUrl, App, AppName, Caller, Fingerprint, PrivateKey, StoreKind};
use crate::signer::{self, ImportError};

/// Shortest passphrase of an encrypted file, in bytes. Each guess costs work; with eight letters guessing is rarely worth it.
const MIN_PASSPHRASE: usize = 8;

/// Adds an App: proves with `GET /app` that the key is the App's, keeps the key, writes the configuration. When a step
/// fails, the ones before it are undone.
pub(crate) async fn login(broker: &Broker, login: Login, caller: &Caller) -> Reply {
    let mut entry = broker.shared.entry("login", caller);
    entry.record.host = Some(login.host.to_string());
    let reply = match add(broker, login).await {
        Ok(app) => {
            entry.record.app = Some(app.name.to_string());
            let state = "ok".to_owned();
            Reply::LoggedIn(Box::new(app_status(&app, state)))
        }
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

async fn add(broker: &Broker, mut login: Login) -> Result<App, WireError> {
    broker.shared.config()?; // a broken file is reported before GitHub is asked
    broker.shared.needed();
    broker.shared.unlocked()?;
    let chosen_name = login.name.as_deref().map(AppName::parse).transpose();
    let mut chosen_name = chosen_name.map_err(|error| usage(&error))?;
    let mut app = provisional(&login)?;
    let key = match app.store {
        StoreKind::CredentialsDir => {
            let (name, key) = credential(broker, &login, &mut app, chosen_name)?;
            chosen_name = Some(name);
            key
        }
        store => {
            check_passphrase(login.passphrase.as_ref(), store)?;
            let key = login.key.as_ref().ok_or_else(|| usage(&"this store needs the key: --pem FILE"))?;
            read_key(key)?
        }
    };
    app.key = Some(signer::fingerprint(&key).map_err(unusable)?);
    broker.shared.github.reconnect(); // a CA file may have been replaced since the last attempt
    let (info, skew) = broker.app_api.introduce(&app, &key).await?;
    app.app_id = Some(info.id);
    app.client_id = info.client_id.or(app.client_id);
    app.slug = Some(info.slug);
    keep(broker, &mut app, key, chosen_name, login.passphrase.take()).await?;
    if skew != 0 {
        broker.app_api.learn_skew(&app.name, skew);
    }
    Ok(app)
}

/// The key that the service manager handed over, and the App's name, which is that of the credential.
fn credential(
    broker: &Broker,
    login: &Login,
    app: &mut App,
    chosen: Option<AppName>,
) -> Result<(AppName, PrivateKey), WireError> {
    if login.key.is_some() {
        return Err(WireError::new(ErrorCode::Usage, "the service manager gives the key, and nobody else can")
            .hint(format!("run: {}", explain::login_command(app, app.store))));
    }
    let name = if let Some(chosen) = chosen {
        chosen
    } else {
        only_credential(broker.shared.stores.credentials().map_err(|error| stores::explain(&error, app))?)?
    };
    app.name.clone_from(&name);
    let file = broker.shared.stores.credential(&name).map_err(|error| stores::explain(&error, app))?;
    let key = signer::from_file(&file).map_err(|error| {
        WireError::new(ErrorCode::UnusableKey, format!("cannot use the credential ghapp-{name}: {error}"))
            .hint(error.hint())
    })?;
    Ok((name, key))
}

/// Finds the App its name, keeps the key and writes the configuration.
pub(in crate::broker) async fn keep(
    broker: &Broker,
    app: &mut App,
    key: PrivateKey,
    chosen_name: Option<AppName>,
    passphrase: Option<Secret>,
) -> Result<(), WireError> {
    let _turn = broker.turn().await;
    let config = config::load(&broker.shared.config_file).map_err(|error| explain::config(&error.to_string()))?;
    let before = name(app, &config, chosen_name)?;
    app.installation = before.as_ref().and_then(|before| before.installation);
    let fingerprint = app.key.clone().ok_or_else(|| explain::no_key(app))?;
    let place = app.place_of(&fingerprint);
    if let Some(before) = &before {
        // The new key replaces the one that signs; the others stay, if they are where they would be looked for.
        let stays = |key: &&Fingerprint| app.place_of(key) == before.place_of(key) && **key != fingerprint;
        app.more_keys = before.more_keys.iter().filter(stays).cloned().collect();
    }
    let edit = || config::add_app(&broker.shared.config_file, app);
    save_with(broker, edit, &place, key, passphrase, |error| stores::explain_new(error, app)).await?;
    broker.shared.state().key_replaced(&app.name, &fingerprint);
    // The key of an earlier login of the same App, or the same key in another store, would only be left lying around.
    for old in before.iter().flat_map(App::key_places).filter(|old| app.key_places().all(|place| place != *old)) {
        if let Err(error) = delete_key(broker, &old).await {
            warn!(app = %app.name, %error, "the old key could not be deleted");
        }
    }
    Ok(())
}

/// The one credential that can be meant when the App's name was not given.
fn only_credential(names: Vec<AppName>) -> Result<AppName, WireError> {
    match <[_; 1]>::try_from(names) {
        Ok([name]) => Ok(name),
        Err(names) if names.is_empty() => {
            Err(WireError::new(ErrorCode::KeyMissing, "the service manager handed over no credential ghapp-NAME")
                .hint("add to the agent's unit: LoadCredentialEncrypted=ghapp-NAME:FILE"))
        }
        Err(names) => {
            let listed: Vec<_> = names.iter().map(AppName::as_str).collect();
            Err(WireError::new(ErrorCode::Usage, format!("there are credentials for {}", listed.join(", ")))
                .hint(format!("name one of them: --name {}", names[0])))
        }
    }
}

/// Checks that there is a passphrase if the store needs one, before GitHub or a store is asked.
pub(in crate::broker) fn check_passphrase(passphrase: Option<&Secret>, store: StoreKind) -> Result<(), WireError> {
    match (passphrase, store) {
        (None, StoreKind::EncryptedFile) => Err(stores::no_passphrase()),
        (Some(passphrase), StoreKind::EncryptedFile) if passphrase.expose().len() < MIN_PASSPHRASE => {
            Err(usage(&format!("a passphrase has at least {MIN_PASSPHRASE} letters")))
        }
        _ => Ok(()),
    }
}

pub(in crate::broker) fn unusable(error: ImportError) -> WireError {
    WireError::new(ErrorCode::UnusableKey, error.to_string()).hint(error.hint())
}

/// Gives the App the name that was chosen, the name that it has already, or the one that GitHub calls it by. Returns the entry that
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
        // Without a rule it could not be told which of the two is meant.
        (None, Some(known)) => Err(explain_known(known, &app.name)),
        (None, None) => Ok(None),
    }
}

/// A key as it comes over the socket.
pub(in crate::broker) fn read_key(key: &Secret) -> Result<PrivateKey, WireError> {
    let der = STANDARD.decode(key.expose()).map(Zeroizing::new);
    let der = der.map_err(|_| WireError::new(ErrorCode::BadRequest, "the key is not base64"))?;
    signer::from_der(der).map_err(unusable)
}

/// The App as far as it is known before its key is read and GitHub has spoken.
fn provisional(login: &Login) -> Result<App, WireError> {
    if login.app_id.is_none() && login.client_id.is_none() {
        return Err(WireError::new(ErrorCode::Usage, "an App needs its App ID or its client ID"));
    }
    let place = at(&login.host, login.api_url.as_deref(), login.ca_file.as_deref(), &login.store)?;
    Ok(App { app_id: login.app_id, client_id: login.client_id.clone(), ..place })
}

/// An App of a host as far as its place is known: its key goes to that store.
pub(in crate::broker) fn at(
    host: &Host,
    api_url: Option<&str>,
    ca_file: Option<&str>,
    store: &str,
) -> Result<App, WireError> {
    let api_url = match api_url {
        None => ApiUrl::of(host),
        Some(url) => ApiUrl::parse(url).map_err(|error| usage(&error))?,
    };
    let store = StoreKind::parse(store).ok_or_else(|| {
        WireError::new(ErrorCode::Usage, format!("a key store is one of: {}", StoreKind::NAMES.join(", ")))
    })?;
    Ok(App {
        name: AppName::unnamed(),
        host: host.clone(),
        api_url,
        ca_file: ca_file.map(Into::into),
        app_id: None,
        client_id: None,
        slug: None,
        installation: None,
        store,
        key: None,
        more_keys: Vec::new(),
    })
}

/// Whether two entries are the same App of GitHub's.
fn same_app(one: &App, other: &App) -> bool {
    let same_id = one.app_id.is_some() && one.app_id == other.app_id;
    let same_client = one.client_id.is_some() && one.client_id == other.client_id;
    one.host == other.host && (same_id || same_client)
}

pub(in crate::broker) fn explain_exists(other: &App) -> WireError {
    let cause = format!("{} is the name of another App, {} on {}", other.name, other.issuer(), other.host);
    WireError::new(ErrorCode::AppExists, cause).hint("choose another name with --name, or log that one out first")
}

fn explain_known(known: &App, chosen: &AppName) -> WireError {
    let cause = format!("App {} on {} is configured already, as {}", known.issuer(), known.host, known.name);
    WireError::new(ErrorCode::AppExists, cause)
        .hint(format!("leave out --name {chosen}, or first run: ghapp logout {}", known.name))
}

pub(in crate::broker) fn usage(error: &impl ToString) -> WireError {
    WireError::new(ErrorCode::Usage, error.to_string())
}
