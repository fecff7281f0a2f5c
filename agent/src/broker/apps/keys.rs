//! The keys that an App has: listed, proved with GitHub, removed.

use std::sync::Arc;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{KeyStatus, KeysCall, RemoveKey, RemovedKey, Reply};
use tracing::warn;

use crate::audit::Record;
use crate::broker::app_api::call::{is_absence, pending};
use crate::broker::telling::status::key_state;
use crate::broker::{Broker, explain, explain::stores, new_record};
use crate::config::{self, Config};
use crate::failed_keys::Failure;
use crate::keystore::StoreError;
use crate::model::{App, Caller, Fingerprint, StoreKind};

/// What a key's state is called when GitHub refused it: the name of that error on the wire.
const REFUSED: &str = "key_refused";
/// The same for one that its store does not have, where only a call that may prompt tells that.
const MISSING: &str = "key_missing";

/// How a store has a key.
type Stored = Result<(), StoreError>;

impl Broker {
    /// The keys of an App: as far as the agent knows, or with GitHub's word about each.
    pub async fn keys(self: &Arc<Self>, call: &KeysCall, caller: &Caller) -> Reply {
        if !call.verify {
            return self.known_keys(call).await.map_or_else(Reply::Error, |keys| Reply::Keys { keys });
        }
        let started = self.clock.now();
        let mut record = new_record("key_verify", caller, started);
        record.app = Some(call.app.clone());
        record.key.clone_from(&call.fingerprint);
        let reply = match self.proved_keys(call).await {
            Ok(keys) => {
                let error = keys.iter().find_map(|key| key.error.as_ref());
                record.outcome = error.map_or("ok".to_owned(), |error| format!("error {}", error.code.id()));
                Reply::Keys { keys }
            }
            Err(error) => Reply::Error(error),
        };
        self.finish(record, started, &reply);
        reply
    }

    async fn known_keys(&self, call: &KeysCall) -> Result<Vec<KeyStatus>, WireError> {
        let config = self.config()?;
        let (app, wanted) = self.meant_keys(&config, call)?;
        let asks_keyring = app.store == StoreKind::Keyring;
        let keyring = if asks_keyring { self.stores.keyring_state().await } else { Ok(()) };
        let found = self.found_keys(app, &keyring).await;
        let signing = found.first().map(|(key, _)| key.clone());
        let outcomes = found.into_iter().filter(|(key, _)| wanted.contains(key)).map(|(key, outcome)| {
            let failure = self.state().failed_keys.failure(&app.name, &key);
            let state = match (&outcome, failure) {
                (Ok(()), Some(Failure::Refused)) => REFUSED,
                (Ok(()), Some(Failure::Missing)) => MISSING,
                _ => key_state(&outcome, app.store),
            };
            (key, state.to_owned(), None)
        });
        Ok(statuses(app, signing.as_ref(), outcomes.collect()))
    }

    /// The keys of an App, each with how its store has it as far as that is known, in the order in which a call would come to them:
    /// those that are known to be gone come last. `keyring` is how the keyring is.
    pub(in crate::broker) async fn found_keys(
        &self,
        app: &App,
        keyring: &Result<(), StoreError>,
    ) -> Vec<(Fingerprint, Stored)> {
        let order = self.state().failed_keys.order(app);
        let mut found = Vec::new();
        for key in order {
            let outcome = self.stores.state(&app.place_of(&key), keyring).await;
            found.push((key, outcome));
        }
        found.sort_by_key(|(_, outcome)| *outcome == Err(StoreError::NoEntry)); // stable
        found
    }

    async fn proved_keys(self: &Arc<Self>, call: &KeysCall) -> Result<Vec<KeyStatus>, WireError> {
        let config = self.config()?;
        self.needed();
        self.unlocked()?;
        let (app, wanted) = self.meant_keys(&config, call)?;
        Ok(self.prove_keys(app, wanted).await)
    }

    /// The App, and those of its keys that are meant, in the order in which they are used.
    fn meant_keys<'a>(&self, config: &'a Config, call: &KeysCall) -> Result<(&'a App, Vec<Fingerprint>), WireError> {
        let app = config.apps.iter().find(|app| app.name.as_str() == call.app);
        let app = app.ok_or_else(|| explain::unknown_app(&call.app))?;
        let mut keys = self.state().failed_keys.order(app);
        if let Some(only) = &call.fingerprint {
            keys.retain(|key| key.as_str() == only);
            if keys.is_empty() {
                return Err(explain::unknown_key(&app.name, only));
            }
        }
        Ok((app, keys))
    }

    /// The keys of an App that do not sign, with GitHub's word about each. An App with one key costs nothing.
    pub(in crate::broker) async fn other_keys(self: &Arc<Self>, app: &App) -> Vec<KeyStatus> {
        let all = self.state().failed_keys.order(app);
        if all.len() < 2 {
            return Vec::new();
        }
        // All of them: that one is refused says something only if another one is accepted.
        let proved = self.prove_keys(app, all).await;
        proved.into_iter().filter(|key| !key.signing).collect()
    }

    async fn prove_keys(self: &Arc<Self>, app: &App, keys: Vec<Fingerprint>) -> Vec<KeyStatus> {
        let mut outcomes = Vec::new();
        for key in keys {
            let error = self.prove_key(app, &key).await.err();
            let state = error.as_ref().map_or("ok".to_owned(), |error| error.code.word());
            outcomes.push((key, state, error));
        }
        let failed: Vec<_> =
            outcomes.iter().filter_map(|(key, _, error)| Some((key, failure(error.as_ref()?)?))).collect();
        for (accepted, ..) in outcomes.iter().filter(|(.., error)| error.is_none()) {
            self.heard(app, accepted, &failed);
        }
        let signing = self.state().failed_keys.signing(app);
        statuses(app, signing.as_ref(), outcomes)
    }

    /// Shows GitHub one key. It is read for that: a JWT at hand would hide that it has gone from its store since.
    async fn prove_key(self: &Arc<Self>, app: &App, key: &Fingerprint) -> Result<(), WireError> {
        self.sign(app, key).await?;
        let call = |jwt| pending(async move { self.github.app(app, &jwt).await });
        let outcome = self.ask_with(app, key, &call).await?;
        outcome.map(drop).map_err(|error| explain::github(&error, &app.with_keys(vec![key.clone()])))
    }

    /// Forgets one of several keys of an App. When it is the one that signs, the next one does.
    pub async fn remove_key(self: &Arc<Self>, call: RemoveKey, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = new_record("key_remove", caller, started);
        record.app = Some(call.app.clone());
        let reply = match self.drop_key(&call, &mut record).await {
            Ok(removed) => Reply::KeyRemoved(removed),
            Err(error) => Reply::Error(error),
        };
        self.finish(record, started, &reply);
        reply
    }

    async fn drop_key(&self, call: &RemoveKey, record: &mut Record) -> Result<RemovedKey, WireError> {
        let _turn = self.turn().await;
        let config = self.config()?;
        self.unlocked()?;
        let app = config.apps.iter().find(|app| app.name.as_str() == call.app);
        let app = app.ok_or_else(|| explain::unknown_app(&call.app))?;
        record.host = Some(app.host.to_string());
        let found = app.keys().enumerate().find(|(_, key)| key.as_str() == call.fingerprint);
        let (at, key) = found.ok_or_else(|| explain::unknown_key(&app.name, &call.fingerprint))?;
        record.key = Some(key.to_string());
        if app.keys().count() == 1 {
            return Err(explain::last_key(app));
        }
        // The configuration first: whoever asks for a token meanwhile goes by it, and finds the next key there.
        let without = config::change_keys(&self.config_file, &app.name, |keys| keys.retain(|other| other != key));
        let changed = without.and_then(config::Edit::write).map_err(|error| explain::edit(&error))?;
        self.adopt(changed);
        let deleted = match self.delete_key(&app.place_of(key)).await {
            Ok(deleted) => deleted,
            Err(error) => return Err(self.put_back(app, key, at, &error)),
        };
        let signing = self.order(app).into_iter().next().ok_or_else(|| explain::no_key(app))?;
        Ok(RemovedKey {
            app: app.name.to_string(),
            fingerprint: key.to_string(),
            signing: signing.to_string(),
            deleted,
        })
    }

    /// The store did not let a key go: the App keeps it, so that it is not forgotten there. Returns why.
    fn put_back(&self, app: &App, key: &Fingerprint, at: usize, error: &StoreError) -> WireError {
        let with =
            config::change_keys(&self.config_file, &app.name, |keys| keys.insert(at.min(keys.len()), key.clone()));
        let explained = stores::explain(error, app);
        match with.and_then(config::Edit::write) {
            Ok(config) => {
                self.adopt(config);
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
}

fn statuses(
    app: &App,
    signing: Option<&Fingerprint>,
    outcomes: Vec<(Fingerprint, String, Option<WireError>)>,
) -> Vec<KeyStatus> {
    let status = |(key, state, error)| KeyStatus {
        app: app.name.to_string(),
        signing: signing == Some(&key),
        fingerprint: key.to_string(),
        store: app.store.as_str().to_owned(),
        state,
        error,
    };
    outcomes.into_iter().map(status).collect()
}

/// How a key failed, if the error is about the key.
fn failure(error: &WireError) -> Option<Failure> {
    match error.code {
        ErrorCode::KeyRefused => Some(Failure::Refused),
        _ => is_absence(error).then_some(Failure::Missing),
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
