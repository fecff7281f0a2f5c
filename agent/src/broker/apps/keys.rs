//! The keys that an App has: listed, proved with GitHub, removed.

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{KeyStatus, KeysCall, RemoveKey, RemovedKey, Reply};
use tracing::warn;

use super::keeping::{adopt, delete_key};
use crate::audit::Record;
use crate::broker::explain::stores;
use crate::broker::telling::{key_state, key_statuses, proved_key_statuses};
use crate::broker::{Broker, explain};
use crate::config::{self, Config};
use crate::failures::Failure;
use crate::keystore::StoreError;
use crate::model::{App, Caller, Fingerprint, StoreKind};

/// The state of a key that GitHub refused: the name of that error on the wire.
const REFUSED: &str = "key_refused";
/// The same for a key that is not in its store, where only a call that may prompt can tell.
const MISSING: &str = "key_missing";

/// The keys of an App: as far as the agent knows, or with GitHub's word about each.
pub(crate) async fn keys(broker: &Broker, call: &KeysCall, caller: &Caller) -> Reply {
    if !call.verify {
        return known_keys(broker, call).await.map_or_else(Reply::Error, |keys| Reply::Keys { keys });
    }
    let mut entry = broker.shared.entry("key_verify", caller);
    entry.record.app = Some(call.app.clone());
    entry.record.key.clone_from(&call.fingerprint);
    let reply = match proved_keys(broker, call).await {
        Ok(keys) => {
            let error = keys.iter().find_map(|key| key.error.as_ref());
            entry.record.outcome = error.map_or("ok".to_owned(), |error| format!("error {}", error.code.id()));
            Reply::Keys { keys }
        }
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

async fn known_keys(broker: &Broker, call: &KeysCall) -> Result<Vec<KeyStatus>, WireError> {
    let config = broker.shared.config()?;
    let (app, wanted) = meant_keys(broker, &config, call)?;
    let asks_keyring = app.store == StoreKind::Keyring;
    let keyring = if asks_keyring { broker.shared.stores.keyring_state().await } else { Ok(()) };
    let found = broker.app_api.found_keys(app, &keyring).await;
    let signing = found.first().map(|(key, _)| key.clone());
    let outcomes = found.into_iter().filter(|(key, _)| wanted.contains(key)).map(|(key, outcome)| {
        let failure = broker.app_api.failure(&app.name, &key);
        let state = match (&outcome, failure) {
            (Ok(()), Some(Failure::Refused)) => REFUSED,
            (Ok(()), Some(Failure::Missing)) => MISSING,
            _ => key_state(&outcome, app.store),
        };
        (key, state.to_owned(), None)
    });
    Ok(key_statuses(app, signing.as_ref(), outcomes))
}

async fn proved_keys(broker: &Broker, call: &KeysCall) -> Result<Vec<KeyStatus>, WireError> {
    let config = broker.shared.config()?;
    broker.shared.needed();
    broker.shared.unlocked()?;
    let (app, wanted) = meant_keys(broker, &config, call)?;
    Ok(proved_key_statuses(app, broker.app_api.prove_keys(app, wanted).await))
}

/// The App, and those of its keys that are meant, in the order in which they are used.
fn meant_keys<'a>(
    broker: &Broker,
    config: &'a Config,
    call: &KeysCall,
) -> Result<(&'a App, Vec<Fingerprint>), WireError> {
    let app = config.apps.iter().find(|app| app.name.as_str() == call.app);
    let app = app.ok_or_else(|| explain::unknown_app(&call.app))?;
    let mut keys = broker.app_api.order_of(app);
    if let Some(only) = &call.fingerprint {
        keys.retain(|key| key.as_str() == only);
        if keys.is_empty() {
            return Err(explain::unknown_key(&app.name, only));
        }
    }
    Ok((app, keys))
}

/// Forgets one of several keys of an App. When it is the one that signs, the next one does.
pub(crate) async fn remove_key(broker: &Broker, call: RemoveKey, caller: &Caller) -> Reply {
    let mut entry = broker.shared.entry("key_remove", caller);
    entry.record.app = Some(call.app.clone());
    let reply = match drop_key(broker, &call, &mut entry.record).await {
        Ok(removed) => Reply::KeyRemoved(removed),
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

async fn drop_key(broker: &Broker, call: &RemoveKey, record: &mut Record) -> Result<RemovedKey, WireError> {
    let _turn = broker.turn().await;
    let config = broker.shared.config()?;
    broker.shared.unlocked()?;
    let app = config.apps.iter().find(|app| app.name.as_str() == call.app);
    let app = app.ok_or_else(|| explain::unknown_app(&call.app))?;
    record.host = Some(app.host.to_string());
    let found = app.keys().enumerate().find(|(_, key)| key.as_str() == call.fingerprint);
    let (at, key) = found.ok_or_else(|| explain::unknown_key(&app.name, &call.fingerprint))?;
    record.key = Some(key.to_string());
    if app.keys().count() == 1 {
        return Err(explain::last_key(app));
    }
    // The configuration first: a question for a token meanwhile goes by it, and finds the next key there.
    let without = config::change_keys(&broker.shared.config_file, &app.name, |keys| keys.retain(|other| other != key));
    let changed = without.and_then(config::Edit::write).map_err(|error| explain::edit(&error))?;
    adopt(broker, changed);
    let deleted = match delete_key(broker, &app.place_of(key)).await {
        Ok(deleted) => deleted,
        Err(error) => return Err(put_back(broker, app, key, at, &error)),
    };
    let signing = broker.app_api.order(app).into_iter().next().ok_or_else(|| explain::no_key(app))?;
    Ok(RemovedKey { app: app.name.to_string(), fingerprint: key.to_string(), signing: signing.to_string(), deleted })
}

/// The store did not delete a key: the App keeps it, so that it is not forgotten in there. Returns why.
fn put_back(broker: &Broker, app: &App, key: &Fingerprint, at: usize, error: &StoreError) -> WireError {
    let with =
        config::change_keys(&broker.shared.config_file, &app.name, |keys| keys.insert(at.min(keys.len()), key.clone()));
    let explained = stores::explain(error, app);
    match with.and_then(config::Edit::write) {
        Ok(config) => {
            adopt(broker, config);
            explained
        }
        Err(edit) => {
            warn!(app = %app.name, %key, error = %edit, "a key was left in its store");
            let WireError { code, message, .. } = explained;
            WireError::new(code, format!("{message}; the key is not used any more, and left in its store"))
                .hint(format!("add it again, and then remove it: ghapp key add --pem FILE --app {}", app.name))
        }
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::error::ErrorCode;

    use super::{MISSING, REFUSED};

    #[test]
    fn a_key_that_failed_has_the_name_of_its_error() {
        assert_eq!(ErrorCode::KeyRefused.word(), REFUSED);
        assert_eq!(ErrorCode::KeyMissing.word(), MISSING);
    }
}
