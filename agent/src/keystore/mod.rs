//! Where private keys are kept: the keyring of the operating system, or the agent's memory.
//!
//! Keyring calls block, may wait for a person at a prompt, and have no time limit of their own. They run on a thread of
//! their own (`worker`) and are given up after a deadline; the agent goes on and can always end.

mod os;
mod stored_form;
mod worker;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{info, warn};

use crate::memory;
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

/// How a key came to be in its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It was put there now.
    Now,
    /// It had been there before.
    WasThere,
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

    /// Keeps a key, replacing another one of the same name. An error leaves nothing behind, now or later.
    pub async fn save(&self, store: StoreKind, id: &KeyId, key: PrivateKey) -> Result<Saved, StoreError> {
        match store {
            StoreKind::Keyring => {
                let (id, late) = (id.to_string(), id.to_string());
                let undo = move |keyring: &mut worker::Keyring, saved| {
                    if saved == Saved::WasThere {
                        return;
                    }
                    match keyring.delete(&late) {
                        Ok(_) => info!("a key that was saved too late was taken back"),
                        Err(error) => warn!(%error, "a key that was saved too late was left in the keyring"),
                    }
                };
                self.keyring.run_or_undo(DEADLINE, move |keyring| keyring.save(&id, &key), undo).await
            }
            StoreKind::Memory => {
                memory::keep_out_of_swap(key.expose());
                match self.memory().insert(id.clone(), key) {
                    Some(_) => Ok(Saved::WasThere),
                    None => Ok(Saved::Now),
                }
            }
        }
    }

    /// Whether the agent's memory holds a key.
    pub fn remembers(&self, id: &KeyId) -> bool {
        self.memory().contains_key(id)
    }

    /// Wipes the keys that are in the agent's memory and nowhere else. What a keyring holds stays there.
    pub fn forget(&self) {
        // Dropped outside the lock: wiping is work.
        drop(std::mem::take(&mut *self.memory()));
    }

    /// Whether the agent's memory holds any key.
    pub fn remembers_any(&self) -> bool {
        !self.memory().is_empty()
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

    fn memory(&self) -> MutexGuard<'_, HashMap<KeyId, PrivateKey>> {
        // A map of finished values is whole even if a thread panicked with the lock in its hand.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
