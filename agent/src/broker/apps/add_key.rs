//! Giving an App one more key, so that keys can be replaced while git goes on: proved with GitHub first, then all or nothing.

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{AddKey, AddedKey, KeyStatus, Reply};
use ghapp_protocol::remote::Owner;
use ghapp_protocol::secret::Secret;

use super::keeping::save_with;
use super::login::{check_passphrase, read_key, unusable};
use crate::audit::Record;
use crate::broker::explain::stores;
use crate::broker::lock::{note_passphrase, passphrases_closed_until};
use crate::broker::{Broker, explain};
use crate::config;
use crate::github::AppInfo;
use crate::keystore::StoreError;
use crate::model::{App, Caller, Fingerprint, PrivateKey, StoreKind};
use crate::signer;

/// What `type` says of an organization in GitHub's JSON.
const ORGANIZATION: &str = "Organization";

/// Gives an App one more key, or puts one that it has into its store again. Makes it the key that signs if that is wanted.
pub(crate) async fn add_key(broker: &Broker, call: AddKey, caller: &Caller) -> Reply {
    let mut entry = broker.shared.entry(if call.signs { "key_rotate" } else { "key_add" }, caller);
    entry.record.app = Some(call.app.clone());
    let reply = match take_key(broker, call, &mut entry.record).await {
        Ok(added) => Reply::KeyAdded(Box::new(added)),
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

async fn take_key(broker: &Broker, call: AddKey, record: &mut Record) -> Result<AddedKey, WireError> {
    let config = broker.shared.config()?;
    broker.shared.needed();
    broker.shared.unlocked()?;
    let app = config.apps.iter().find(|app| app.name.as_str() == call.app);
    let app = app.ok_or_else(|| explain::unknown_app(&call.app))?;
    record.host = Some(app.host.to_string());
    if app.store == StoreKind::CredentialsDir {
        return Err(explain::keys_of_the_service_manager(app));
    }
    check_passphrase(call.passphrase.as_ref(), app.store)?;
    let key = read_key(&call.key)?;
    let fingerprint = signer::fingerprint(&key).map_err(unusable)?;
    record.key = Some(fingerprint.to_string());
    has_room(app, &fingerprint)?; // said before GitHub is asked
    broker.shared.github.reconnect(); // a CA file may have been replaced since the last attempt
    // The JWT claims to be this App's: GitHub refuses it if the key belongs to another one.
    let (info, skew) = broker.app_api.introduce(&app.with_keys(vec![fingerprint.clone()]), &key).await?;
    let app = keep_key(broker, app, key, &fingerprint, call.signs, call.passphrase).await?;
    if skew != 0 {
        broker.app_api.learn_skew(&app.name, skew);
    }
    Ok(added(broker, &app, &fingerprint, &info))
}

/// Stores the key beside the others and writes the configuration. Returns the App as it is afterwards.
async fn keep_key(
    broker: &Broker,
    app: &App,
    key: PrivateKey,
    fingerprint: &Fingerprint,
    signs: bool,
    passphrase: Option<Secret>,
) -> Result<App, WireError> {
    let _turn = broker.turn().await;
    // The file as it is now: since then it may have got another key of the App, or another App under that name.
    let config = config::load(&broker.shared.config_file).map_err(|error| explain::config(&error.to_string()))?;
    let now = config.app(&app.name).filter(|now| now.place_of(fingerprint) == app.place_of(fingerprint));
    let app = now.ok_or_else(|| explain::unknown_app(app.name.as_str()))?;
    has_room(app, fingerprint)?;
    if let Some(passphrase) = &passphrase {
        check_against_others(broker, app, passphrase).await?;
    }
    let edit =
        || config::change_keys(&broker.shared.config_file, &app.name, |keys| put(keys, fingerprint.clone(), signs));
    let place = app.place_of(fingerprint);
    save_with(broker, edit, &place, key, passphrase, |error| stores::explain(error, app)).await?;
    let now = broker.shared.state().key_added(&app.name, fingerprint);
    Ok(now.unwrap_or_else(|| app.clone()))
}

/// Checks that it is the passphrase of the App's other files, so that one passphrase opens them all. A wrong one counts as it does
/// for `unlock`: this is no second way to guess.
async fn check_against_others(broker: &Broker, app: &App, passphrase: &Secret) -> Result<(), WireError> {
    for place in app.key_places().filter(|place| place.store == StoreKind::EncryptedFile) {
        if let Some(until) = passphrases_closed_until(broker) {
            return Err(stores::too_many_passphrases(until, Some(app.name.as_str())));
        }
        let outcome = broker.shared.stores.unseal(&place.id, passphrase).await;
        match outcome {
            Ok(_) => {
                note_passphrase(broker, true);
                return Ok(());
            }
            Err(StoreError::WrongPassphrase) => {
                note_passphrase(broker, false);
                return Err(stores::wrong_passphrase(&[app.name.to_string()], None)
                    .hint("give the one that opens the App's other keys"));
            }
            // A file that is gone or damaged says nothing about its passphrase.
            Err(_) => {}
        }
    }
    Ok(())
}

fn added(broker: &Broker, app: &App, fingerprint: &Fingerprint, info: &AppInfo) -> AddedKey {
    let order = broker.app_api.order_of(app);
    let added = KeyStatus {
        app: app.name.to_string(),
        fingerprint: fingerprint.to_string(),
        store: app.store.as_str().to_owned(),
        state: "ok".to_owned(),
        signing: order.first() == Some(fingerprint),
        error: None,
    };
    let others = order.iter().filter(|key| *key != fingerprint).map(ToString::to_string).collect();
    AddedKey { added, others, page: keys_page(app, info) }
}

/// Whether an App can have that key, or has it.
fn has_room(app: &App, key: &Fingerprint) -> Result<(), WireError> {
    let others = app.keys().filter(|other| *other != key).count();
    if others < App::MAX_KEYS { Ok(()) } else { Err(explain::too_many_keys(app)) }
}

/// Puts a key first, or last unless it has a place already.
fn put(keys: &mut Vec<Fingerprint>, key: Fingerprint, first: bool) {
    if first {
        keys.retain(|other| *other != key);
        keys.insert(0, key);
    } else if !keys.contains(&key) {
        keys.push(key);
    }
}

/// Where an App's keys are made and deleted (GitHub docs, "Managing private keys for GitHub Apps").
fn keys_page(app: &App, info: &AppInfo) -> String {
    let (host, slug) = (&app.host, &info.slug);
    let organization = info.owner.as_ref().filter(|owner| owner.kind.as_deref() == Some(ORGANIZATION));
    match organization.and_then(|owner| Owner::parse(owner.login.as_deref()?).ok()) {
        Some(owner) => format!("https://{host}/organizations/{owner}/settings/apps/{slug}"),
        None => format!("https://{host}/settings/apps/{slug}"),
    }
}

#[cfg(test)]
mod tests {
    use super::put;
    use crate::model::Fingerprint;

    #[test]
    fn a_key_comes_last_or_first_and_never_twice() {
        let key = |letter: &str| Fingerprint::from_base64(letter);
        let mut keys = Vec::new();
        put(&mut keys, key("a"), false);
        put(&mut keys, key("b"), false);
        put(&mut keys, key("a"), false);
        assert_eq!(keys, [key("a"), key("b")]);
        put(&mut keys, key("c"), true);
        put(&mut keys, key("b"), true);
        assert_eq!(keys, [key("b"), key("c"), key("a")]);
    }
}
