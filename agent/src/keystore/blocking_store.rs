//! What the stores have in common whose calls block: the system's keyring and the kernel's.

use super::error::StoreError;
use crate::model::PrivateKey;

/// How a key came to be in its store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Saved {
    /// It was put there now.
    Now,
    /// It had been there before.
    WasThere,
    /// It took the place of this file, which is encrypted.
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
}
