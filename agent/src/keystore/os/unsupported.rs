//! Systems without a keyring that we know.

use std::sync::Arc;

use keyring_core::CredentialStore;

use crate::keystore::error::StoreError;

/// What `status` calls it.
pub(crate) const KIND: &str = "none";

/// There is nothing to open.
pub(crate) fn open() -> Result<Arc<CredentialStore>, StoreError> {
    Err(StoreError::Missing("this system has no keyring that ghapp knows".to_owned()))
}
