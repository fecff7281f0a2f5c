//! The keyring of the operating system: connected when it is needed, and again when the connection broke.

use std::sync::Arc;

use keyring_core::{CredentialStore, Entry, Error};
use zeroize::Zeroizing;

use super::blocking_store::BlockingStore;
use super::error::StoreError;
use super::{os, stored_form};
use crate::model::PrivateKey;

/// The service name of our entries.
const SERVICE: &str = "ghapp";

/// The connection to the keyring; made when it is needed, and again when it broke, so that a keyring that appears later, or
/// is restarted, is found without restarting the agent.
#[derive(Default)]
pub(super) struct Keyring {
    store: Option<Arc<CredentialStore>>,
}

impl BlockingStore for Keyring {
    fn load(&mut self, user: &str) -> Result<PrivateKey, StoreError> {
        let bytes = self.with_entry(user, |entry| entry.get_secret().map(Zeroizing::new))?;
        stored_form::decode(&bytes)
    }

    fn put(&mut self, user: &str, key: &PrivateKey) -> Result<(), StoreError> {
        let bytes = stored_form::encode(key, stored_form::OF_KEYRINGS);
        self.with_entry(user, |entry| entry.set_secret(&bytes))
    }

    fn delete(&mut self, user: &str) -> Result<bool, StoreError> {
        match self.with_entry(user, Entry::delete_credential) {
            Ok(()) => Ok(true),
            Err(StoreError::NoEntry) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Keyring {
    /// Checks that there is a keyring. Says nothing about a lock: asking could make it prompt.
    pub(super) fn reach(&mut self) -> Result<(), StoreError> {
        self.connected().map(|_| ())
    }

    fn connected(&mut self) -> Result<Arc<CredentialStore>, StoreError> {
        if let Some(store) = &self.store {
            return Ok(Arc::clone(store));
        }
        let store = os::open()?;
        self.store = Some(Arc::clone(&store));
        Ok(store)
    }

    fn with_entry<T>(&mut self, user: &str, call: impl Fn(&Entry) -> keyring_core::Result<T>) -> Result<T, StoreError> {
        let was_connected = self.store.is_some();
        let store = self.connected()?;
        match store.build(SERVICE, user, None).and_then(|entry| call(&entry)) {
            // The daemon behind an old connection may have been restarted: try once more with a new one.
            Err(Error::PlatformFailure(_)) if was_connected => {
                self.store = None;
                let store = self.connected()?;
                store.build(SERVICE, user, None).and_then(|entry| call(&entry))
            }
            outcome => outcome,
        }
        .map_err(|error| self.explain(error))
    }

    /// Translates at the border: some of the crate's errors carry the secret's bytes, so none of them goes further.
    fn explain(&mut self, error: Error) -> StoreError {
        match error {
            Error::NoEntry => StoreError::NoEntry,
            Error::NoStorageAccess(_) => StoreError::Locked,
            Error::NoDefaultStore => StoreError::Missing("none is set up".to_owned()),
            Error::PlatformFailure(source) => {
                self.store = None;
                StoreError::Missing(source.to_string())
            }
            Error::TooLong(what, limit) => StoreError::Refused(format!("{what} is longer than its limit of {limit}")),
            Error::Ambiguous(entries) => StoreError::Refused(format!("it has {} entries of that name", entries.len())),
            Error::NotSupportedByStore(_) => StoreError::Refused("it cannot do that".to_owned()),
            _ => StoreError::Refused("the entry is damaged".to_owned()),
        }
    }
}
