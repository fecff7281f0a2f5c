//! The user's persistent keyring (persistent-keyring(7)): memory of the kernel that is never swapped. Owns the `linux-keyutils`
//! crate.
//!
//! The kernel has four keyrings that could do. A session keyring ends with its login, and another login does not see it. The user
//! keyring ends with the user's last process. A process keyring ends with the agent. The persistent keyring outlives all of them,
//! until the machine is switched off, or until it was not used for some days
//! (`/proc/sys/kernel/keys/persistent_keyring_expiry`, three as delivered); each use starts that time again.
//!
//! A process can read a key that it *possesses*, which means: reaches from one of its own keyrings. So each call links the
//! persistent keyring into the keyring of this thread, and it does not matter in which session the agent runs, if in any.

use linux_keyutils::{Key, KeyError, KeyRing, KeyRingIdentifier};
use zeroize::Zeroizing;

use crate::keystore::blocking_store::BlockingStore;
use crate::keystore::error::StoreError;
use crate::keystore::stored_form;
use crate::model::PrivateKey;

/// What stands before a key's own name.
const PREFIX: &str = "ghapp:";
/// Longest payload of a key of type `user`, and so of what can be read (keyrings(7)).
const MAX_PAYLOAD: usize = 32_767;

/// The kernel's keyrings, called from one thread.
#[derive(Default)]
pub(crate) struct Kernel;

impl Kernel {
    /// Checks that the kernel keeps keys for us.
    pub(crate) fn reach() -> Result<(), StoreError> {
        persistent().map(|_| ())
    }

    /// Checks that the key is there, without reading it.
    pub(crate) fn holds(name: &str) -> Result<(), StoreError> {
        find(name).map(|_| ())
    }
}

impl BlockingStore for Kernel {
    fn load(&mut self, name: &str) -> Result<PrivateKey, StoreError> {
        let (_, key) = find(name)?;
        let mut bytes = Zeroizing::new(vec![0; MAX_PAYLOAD]);
        let length = key.read(&mut *bytes).map_err(explain)?;
        stored_form::decode(bytes.get(..length).ok_or_else(damaged)?)
    }

    fn put(&mut self, name: &str, key: &PrivateKey) -> Result<(), StoreError> {
        let keyring = persistent()?;
        let bytes = stored_form::encode(key, stored_form::Form::Bytes);
        // A possessor may do everything, the user's other processes see the name: the kernel's own default.
        keyring.add_key(&description(name), &bytes[..]).map(|_| ()).map_err(explain)
    }

    fn delete(&mut self, name: &str) -> Result<bool, StoreError> {
        match find(name) {
            Ok((keyring, key)) => {
                // Wiped at once, and not at the kernel's next garbage collection.
                key.invalidate().or_else(|_| keyring.unlink_key(key)).map_err(explain)?;
                Ok(true)
            }
            Err(StoreError::NoEntry) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The persistent keyring, linked into this thread's; its time starts again.
fn persistent() -> Result<KeyRing, StoreError> {
    KeyRing::get_persistent(KeyRingIdentifier::Thread).map_err(|error| match error {
        KeyError::OperationNotSupported => {
            StoreError::Missing("this kernel has no persistent keyrings (CONFIG_PERSISTENT_KEYRINGS)".to_owned())
        }
        // A container's system call filter says EPERM, a kernel without keyrings ENOSYS.
        KeyError::PermissionDenied | KeyError::Unknown(_) => {
            StoreError::Missing(format!("the system forbids keyctl(2), as many containers do: {error}"))
        }
        error => explain(error),
    })
}

fn find(name: &str) -> Result<(KeyRing, Key), StoreError> {
    let keyring = persistent()?;
    let key = keyring.search(&description(name)).map_err(explain)?;
    Ok((keyring, key))
}

fn description(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn damaged() -> StoreError {
    StoreError::Refused("the entry is damaged".to_owned())
}

fn explain(error: KeyError) -> StoreError {
    match error {
        KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked | KeyError::KeyringDoesNotExist => {
            StoreError::NoEntry
        }
        KeyError::QuotaExceeded => StoreError::Refused(
            "your quota of kernel keys is used up; see /proc/key-users and /proc/sys/kernel/keys/maxbytes".to_owned(),
        ),
        error => StoreError::Refused(error.to_string()),
    }
}
