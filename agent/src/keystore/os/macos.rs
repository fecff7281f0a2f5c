//! macOS: the login keychain.

use std::sync::Arc;

use apple_native_keyring_store::keychain::Store;
use keyring_core::CredentialStore;

use crate::keystore::error::StoreError;

/// What `status` calls it.
pub(crate) const KIND: &str = "keychain";

/// Opens the keychain.
pub(crate) fn open() -> Result<Arc<CredentialStore>, StoreError> {
    match Store::new() {
        Ok(store) => Ok(store),
        Err(error) => Err(StoreError::Missing(error.to_string())),
    }
}
