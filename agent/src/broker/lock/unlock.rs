//! The way back from a lock: keys are used again, and encrypted files are opened by their passphrase.

use std::sync::Arc;

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{Reply, Unlock, Unlocked};
use ghapp_protocol::secret::Secret;

use crate::broker::{Broker, explain, explain::stores, new_record};
use crate::config::Config;
use crate::keystore::StoreError;
use crate::model::{App, Caller, KeyId, PrivateKey, StoreKind};

/// What a passphrase did.
#[derive(Default)]
struct Opened {
    keys: Vec<(KeyId, PrivateKey)>,
    /// Apps whose file has another passphrase.
    wrong: Vec<String>,
    /// Why a file could not be opened that no passphrase opens.
    broken: Option<WireError>,
}

impl Broker {
    /// Uses keys again. Encrypted files are opened with the passphrase; without one, or with a wrong one, everything stays as it is.
    pub async fn unlock(self: &Arc<Self>, unlock: Unlock, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = new_record("unlock", caller, started);
        record.app.clone_from(&unlock.app);
        let reply = match self.open(&unlock).await {
            Ok(unlocked) => Reply::Unlocked(unlocked),
            Err(error) => Reply::Error(error),
        };
        self.finish(record, started, &reply);
        reply
    }

    async fn open(&self, unlock: &Unlock) -> Result<Unlocked, WireError> {
        // One passphrase at a time: it is counted before the next is looked at.
        let _turn = self.turn().await;
        let (config, locks) = {
            let state = self.state();
            (Arc::clone(&state.config), state.locks)
        };
        let only = unlock.app.as_deref();
        let closed = self.closed_files(&config, only).await?;
        let mut opened = Opened::default();
        if !closed.is_empty() {
            let names = || -> Vec<_> {
                let mut names: Vec<_> = closed.iter().map(|(app, _)| app.name.to_string()).collect();
                names.dedup(); // an App's files come one after the other
                names
            };
            let passphrase = unlock.passphrase.as_ref().ok_or_else(|| stores::passphrase_needed(&names(), only))?;
            if let Some(until) = self.attempt_closed_until() {
                return Err(stores::too_many_passphrases(until, only));
            }
            opened = self.try_passphrase(&closed, passphrase).await;
            let now = self.clock.now();
            if !opened.keys.is_empty() {
                self.state().attempts.right();
            } else if !opened.wrong.is_empty() {
                self.state().attempts.wrong(now);
                return Err(stores::wrong_passphrase(&opened.wrong, only));
            }
        }
        self.use_keys_again(locks, opened.keys)?;
        match opened.broken {
            // Said only now: the other Apps need not wait until this one's file is mended.
            Some(error) => Err(error),
            None => Ok(Unlocked { still_closed: opened.wrong }),
        }
    }

    /// The keys whose encrypted file is there and not open, each with its App.
    async fn closed_files<'a>(
        &self,
        config: &'a Config,
        only: Option<&str>,
    ) -> Result<Vec<(&'a App, KeyId)>, WireError> {
        if let Some(only) = only.filter(|only| !config.apps.iter().any(|app| app.name.as_str() == *only)) {
            return Err(explain::unknown_app(only));
        }
        let mut closed = Vec::new();
        for app in config.apps.iter().filter(|app| only.is_none_or(|only| app.name.as_str() == only)) {
            for place in app.key_places().filter(|place| place.store == StoreKind::EncryptedFile) {
                if self.stores.state(&place, &Ok(())).await == Err(StoreError::Locked) {
                    closed.push((app, place.id));
                }
            }
        }
        Ok(closed)
    }

    pub(in crate::broker) fn attempt_closed_until(&self) -> Option<i64> {
        let now = self.clock.now();
        self.state().attempts.closed_until(now)
    }

    async fn try_passphrase(&self, closed: &[(&App, KeyId)], passphrase: &Secret) -> Opened {
        let mut opened = Opened::default();
        for (app, id) in closed {
            match self.stores.unseal(id, passphrase).await {
                Ok(key) => opened.keys.push((id.clone(), key)),
                Err(StoreError::WrongPassphrase) => opened.wrong.push(app.name.to_string()),
                Err(error) => opened.broken = Some(stores::explain(&error, app)),
            }
        }
        opened.wrong.dedup(); // an App's files come one after the other
        opened
    }

    /// Ends the lock, unless there has been another one since `locks` were counted: who locked last is right.
    fn use_keys_again(&self, locks: u64, keys: Vec<(KeyId, PrivateKey)>) -> Result<(), WireError> {
        let now = self.clock.now();
        let mut state = self.state();
        if state.locks != locks {
            return Err(explain::locked());
        }
        state.locked = false;
        state.last_needed = now;
        // With the state in our hand: a lock that comes now forgets them behind us.
        for (id, key) in keys {
            self.stores.keep_unsealed(&id, key);
        }
        Ok(())
    }
}
