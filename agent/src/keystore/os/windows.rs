//! Windows: the Credential Manager of the user's logon.

use std::sync::Arc;

use keyring_core::CredentialStore;
use windows_native_keyring_store::Store;

use crate::keystore::error::StoreError;

/// What `status` calls it.
pub(crate) const KIND: &str = "wincred";

/// Opens the Credential Manager.
pub(crate) fn open() -> Result<Arc<CredentialStore>, StoreError> {
    match Store::new() {
        Ok(store) => Ok(store),
        Err(error) => Err(StoreError::Missing(error.to_string())),
    }
}
