//! Linux: the Secret Service (GNOME Keyring, `KWallet`, `KeePassXC`) over the session bus.

use std::path::Path;
use std::sync::Arc;

use keyring_core::CredentialStore;
use zbus_secret_service_keyring_store::Store;

use crate::keystore::error::StoreError;

/// What `status` calls it.
pub(crate) const KIND: &str = "secret-service";

/// Connects to the keyring.
pub(crate) fn open() -> Result<Arc<CredentialStore>, StoreError> {
    match Store::new() {
        Ok(store) => Ok(store),
        Err(_) if !has_session_bus() => Err(StoreError::NoBus),
        Err(error) => Err(StoreError::Missing(error.to_string())),
    }
}

/// Whether there is the address of a bus; whether a bus answers there shows when it is used.
fn has_session_bus() -> bool {
    let named = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some_and(|value| !value.is_empty());
    let login = std::env::var_os("XDG_RUNTIME_DIR").map(|directory| Path::new(&directory).join("bus"));
    named || login.is_some_and(|bus| bus.exists())
}
