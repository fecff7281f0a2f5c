//! What the stores with blocking calls have in common: the system's keyring and the kernel's.

use super::error::StoreError;
use crate::model::PrivateKey;

/// What saving a key did to its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Saved {
    /// The key is new there.
    Now,
    /// The key was there before.
    WasThere,
    /// The key took the place of this encrypted file.
    InPlaceOf(Vec<u8>),
}

/// A store whose calls block, on the thread of its worker.
pub(super) trait BlockingStore: Default + 'static {
    fn load(&mut self, name: &str) -> Result<PrivateKey, StoreError>;
    fn put(&mut self, name: &str, key: &PrivateKey) -> Result<(), StoreError>;
    /// False when there was none.
    fn delete(&mut self, name: &str) -> Result<bool, StoreError>;

    /// Saves a key, unless it is there already.
    fn save(&mut self, name: &str, key: &PrivateKey) -> Result<Saved, StoreError> {
        match self.load(name) {
            Ok(there) if there == *key => return Ok(Saved::WasThere),
            // Nothing, something else, or something damaged: it is replaced.
            Ok(_) | Err(StoreError::NoEntry | StoreError::Refused(_)) => {}
            Err(error) => return Err(error),
        }
        self.put(name, key)?;
        Ok(Saved::Now)
    }

    /// Reads back a key that was put: no caller may say that it is kept, or delete another copy, before.
    fn confirm(&mut self, name: &str, key: &PrivateKey) -> Result<(), StoreError> {
        match self.load(name) {
            Ok(there) if there == *key => Ok(()),
            Ok(_) => Err(StoreError::Refused("it took the key, and gives back another one".to_owned())),
            Err(StoreError::NoEntry) => Err(StoreError::Refused("it took the key, and does not have it".to_owned())),
            Err(error) => Err(error),
        }
    }
}
