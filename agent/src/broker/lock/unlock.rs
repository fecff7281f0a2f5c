//! The way back from a lock: keys are used again, and encrypted files are opened by their passphrase.

use std::sync::Arc;

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{Reply, Unlock, Unlocked};
use ghapp_protocol::secret::Secret;

use crate::broker::Broker;
use crate::broker::explain::{self, stores};
use crate::config::Config;
use crate::keystore::StoreError;
use crate::model::{App, Caller, KeyId, PrivateKey, StoreKind};

/// What a passphrase did.
#[derive(Default)]
struct Opened {
    keys: Vec<(KeyId, PrivateKey)>,
    /// Apps whose file has another passphrase.
    wrong: Vec<String>,
    /// Why a file could not be opened, if it was not the passphrase.
    broken: Option<WireError>,
}

/// Uses keys again. Encrypted files are opened with the passphrase; without one, or with a wrong one, everything stays as it is.
pub(crate) async fn unlock(broker: &Broker, unlock: Unlock, caller: &Caller) -> Reply {
    let mut entry = broker.shared.entry("unlock", caller);
    entry.record.app.clone_from(&unlock.app);
    let reply = match open(broker, &unlock).await {
        Ok(unlocked) => Reply::Unlocked(unlocked),
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

async fn open(broker: &Broker, unlock: &Unlock) -> Result<Unlocked, WireError> {
    // One passphrase at a time: each is counted before the next is tried.
    let _turn = broker.turn().await;
    let (config, locks) = {
        let state = broker.shared.state();
        (Arc::clone(state.config.current()), state.locking.locks())
    };
    let only = unlock.app.as_deref();
    let closed = closed_files(broker, &config, only).await?;
    let mut opened = Opened::default();
    if !closed.is_empty() {
        let names = || -> Vec<_> {
            let mut names: Vec<_> = closed.iter().map(|(app, _)| app.name.to_string()).collect();
            names.dedup(); // an App's files come one after the other
            names
        };
        let passphrase = unlock.passphrase.as_ref().ok_or_else(|| stores::passphrase_needed(&names(), only))?;
        if let Some(until) = passphrases_closed_until(broker) {
            return Err(stores::too_many_passphrases(until, only));
        }
        opened = try_passphrase(broker, &closed, passphrase).await;
        if !opened.keys.is_empty() {
            note_passphrase(broker, true);
        } else if !opened.wrong.is_empty() {
            note_passphrase(broker, false);
            return Err(stores::wrong_passphrase(&opened.wrong, only));
        }
    }
    use_keys_again(broker, locks, opened.keys)?;
    match opened.broken {
        // Returned only now: the other Apps need not wait until this one's file is mended.
        Some(error) => Err(error),
        None => Ok(Unlocked { still_closed: opened.wrong }),
    }
}

/// The keys whose encrypted file is there and not open, each with its App.
async fn closed_files<'a>(
    broker: &Broker,
    config: &'a Config,
    only: Option<&str>,
) -> Result<Vec<(&'a App, KeyId)>, WireError> {
    if let Some(only) = only.filter(|only| !config.apps.iter().any(|app| app.name.as_str() == *only)) {
        return Err(explain::unknown_app(only));
    }
    let mut closed = Vec::new();
    for app in config.apps.iter().filter(|app| only.is_none_or(|only| app.name.as_str() == only)) {
        for place in app.key_places().filter(|place| place.store == StoreKind::EncryptedFile) {
            if broker.shared.stores.state(&place, &Ok(())).await == Err(StoreError::Locked) {
                closed.push((app, place.id));
            }
        }
    }
    Ok(closed)
}

/// Until when no passphrase is tried, after too many wrong ones.
pub(in crate::broker) fn passphrases_closed_until(broker: &Broker) -> Option<i64> {
    let now = broker.shared.now();
    broker.shared.state().locking.attempts().closed_until(now)
}

/// Counts a passphrase that was right or wrong: too many wrong ones close the way for a while.
pub(in crate::broker) fn note_passphrase(broker: &Broker, is_right: bool) {
    let now = broker.shared.now();
    let mut state = broker.shared.state();
    let attempts = state.locking.attempts();
    if is_right { attempts.right() } else { attempts.wrong(now) }
}

async fn try_passphrase(broker: &Broker, closed: &[(&App, KeyId)], passphrase: &Secret) -> Opened {
    let mut opened = Opened::default();
    for (app, id) in closed {
        match broker.shared.stores.unseal(id, passphrase).await {
            Ok(key) => opened.keys.push((id.clone(), key)),
            Err(StoreError::WrongPassphrase) => opened.wrong.push(app.name.to_string()),
            Err(error) => opened.broken = Some(stores::explain(&error, app)),
        }
    }
    opened.wrong.dedup(); // an App's files come one after the other
    opened
}

/// Ends the lock, unless there has been another one since `locks` were counted: the last lock holds.
fn use_keys_again(broker: &Broker, locks: u64, keys: Vec<(KeyId, PrivateKey)>) -> Result<(), WireError> {
    let now = broker.shared.now();
    let mut state = broker.shared.state();
    state.locking.unlock(locks, now)?;
    // While the state is held: a lock that comes now waits, and then forgets these keys.
    for (id, key) in keys {
        broker.shared.stores.keep_unsealed(&id, key);
    }
    Ok(())
}
