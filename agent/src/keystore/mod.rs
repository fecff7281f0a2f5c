//! Where private keys are kept: the keyring of the operating system, or the agent's memory.
//!
//! Keyring calls block, may wait for a person at a prompt, and have no time limit of their own. They run on a thread of
//! their own (`worker`) and are given up after a deadline; the agent goes on and can always end.

mod os;
mod stored_form;
mod worker;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::model::{KeyId, PrivateKey, StoreKind};

/// How long a keyring may take. A person at an unlock prompt gets this long before git is told; the prompt stays.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long `status` waits to learn whether there is a keyring.
const STATE_DEADLINE: Duration = Duration::from_secs(2);

/// Why a key store did not do what it was asked. Four states that need four different remedies, and two that are rare.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no session bus, so no keyring can be reached.
    #[error("no D-Bus session bus")]
    NoBus,
    /// There is no keyring.
    #[error("no keyring answers: {0}")]
    Missing(String),
    /// It is locked and nobody unlocked it.
    #[error("the keyring is locked")]
    Locked,
    /// It is open and has no such key.
    #[error("the keyring has no such key")]
    NoEntry,
    /// It did not answer in time.
    #[error("the keyring did not answer within {} seconds", DEADLINE.as_secs())]
    Silent,
    /// It answered with a refusal or with something that is no key of ours.
    #[error("the keyring refused: {0}")]
    Refused(String),
}

/// All key stores of an agent.
#[derive(Default)]
pub struct KeyStores {
    keyring: worker::Worker,
    memory: Mutex<HashMap<KeyId, PrivateKey>>,
}

impl KeyStores {
    /// Reads a key.
    pub async fn load(&self, store: StoreKind, id: &KeyId) -> Result<PrivateKey, StoreError> {
        match store {
            StoreKind::Keyring => {
                let id = id.to_string();
                self.keyring.run(DEADLINE, move |keyring| keyring.load(&id)).await
            }
            StoreKind::Memory => self.memory().get(id).cloned().ok_or(StoreError::NoEntry),
        }
    }

    /// Keeps a key, replacing one of the same name.
    pub async fn save(&self, store: StoreKind, id: &KeyId, key: PrivateKey) -> Result<(), StoreError> {
        match store {
            StoreKind::Keyring => {
                let id = id.to_string();
                self.keyring.run(DEADLINE, move |keyring| keyring.save(&id, &key)).await
            }
            StoreKind::Memory => {
                self.memory().insert(id.clone(), key);
                Ok(())
            }
        }
    }

    /// Deletes a key. False when there was none.
    pub async fn delete(&self, store: StoreKind, id: &KeyId) -> Result<bool, StoreError> {
        match store {
            StoreKind::Keyring => {
                let id = id.to_string();
                self.keyring.run(DEADLINE, move |keyring| keyring.delete(&id)).await
            }
            StoreKind::Memory => Ok(self.memory().remove(id).is_some()),
        }
    }

    /// What the OS keyring is called here.
    pub fn keyring_kind() -> &'static str {
        os::KIND
    }

    /// Whether the OS keyring can be reached. Says nothing about a lock: asking could make it prompt.
    pub async fn keyring_state(&self) -> Result<(), StoreError> {
        self.keyring.run(STATE_DEADLINE, worker::Keyring::reach).await
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, HashMap<KeyId, PrivateKey>> {
        // A map of finished values is whole even if a thread panicked with the lock in its hand.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
