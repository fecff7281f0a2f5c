//! The stores of private keys: the keyring of the operating system, the kernel's, a file with a passphrase, a credential of the
//! service manager, or the agent's memory.
//!
//! Calls to a store block, may wait for a person at a prompt, and have no time limit of their own. They run on a thread of
//! their own (`worker`) and are given up after a deadline; the agent goes on and can always exit.

mod blocking_store;
mod credentials;
mod encrypted_file;
mod entries;
mod error;
mod kernel;
mod keyring;
mod os;
#[cfg(test)]
mod sizes;
mod stored_form;
mod worker;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ghapp_protocol::message::PERSON_ANSWER;
use ghapp_protocol::secret::Secret;
use zeroize::Zeroizing;

use crate::model::{AppName, KeyId, KeyPlace, PrivateKey, StoreKind};
use crate::process::memory;
use credentials::Credentials;
use encrypted_file::KeyFiles;
use entries::Entries;
use kernel::Kernel;
use keyring::Keyring;
use worker::Worker;

pub(crate) use blocking_store::Saved;
pub(crate) use entries::DEADLINE;
pub(crate) use error::StoreError;

/// How long deriving a key from a passphrase may take. It takes a second and always ends, but a machine that is busy enough gives it a
/// small part of its time, and trying again would only start over. A little less than the answer to a person may take.
pub(crate) const DERIVATION: Duration = PERSON_ANSWER.saturating_sub(DEADLINE);
/// How long `status` waits to learn whether there is a keyring.
const STATE_DEADLINE: Duration = Duration::from_secs(2);

/// A key as it was found.
#[derive(Debug)]
pub(crate) enum Found {
    /// One that we put there.
    Key(PrivateKey),
    /// A file from elsewhere, in any form.
    File(Zeroizing<Vec<u8>>),
}

/// Where those stores are that are directories.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directories {
    /// The directory of encrypted files.
    pub key_files: PathBuf,
    /// The directory of the service manager's credentials.
    pub credentials: Option<PathBuf>,
}

/// All key stores of an agent.
pub(crate) struct KeyStores {
    keyring: Entries<Keyring>,
    kernel: Entries<Kernel>,
    /// Derives keys from passphrases, one at a time: each takes much memory.
    ciphers: Worker<()>,
    files: KeyFiles,
    credentials: Credentials,
    memory: Mutex<InMemory>,
}

/// Keys that stay in the agent's memory.
#[derive(Default)]
struct InMemory {
    /// Keys that are nowhere else.
    only_here: HashMap<KeyId, PrivateKey>,
    /// Keys that came from an encrypted file.
    unsealed: HashMap<KeyId, PrivateKey>,
}

impl KeyStores {
    /// Opens no store yet.
    pub(crate) fn new(directories: Directories) -> Self {
        Self {
            keyring: Entries::new("keyring"),
            kernel: Entries::new("keyutils"),
            ciphers: Worker::new("cipher"),
            files: KeyFiles::in_directory(directories.key_files),
            credentials: Credentials::in_directory(directories.credentials),
            memory: Mutex::default(),
        }
    }

    /// Reads a key. The key of an encrypted file is [`StoreError::Locked`] until the file is opened.
    pub(crate) async fn load(&self, place: &KeyPlace) -> Result<Found, StoreError> {
        let id = &place.id;
        match place.store {
            StoreKind::Keyring => self.keyring.load(id).await.map(Found::Key),
            StoreKind::Keyutils => self.kernel.load(id).await.map(Found::Key),
            StoreKind::EncryptedFile => match self.memory().unsealed.get(id) {
                Some(key) => Ok(Found::Key(key.clone())),
                None => Err(self.files.holds(id).err().unwrap_or(StoreError::Locked)),
            },
            StoreKind::CredentialsDir => self.credential(&place.app).map(Found::File),
            StoreKind::Memory => self.memory().only_here.get(id).cloned().map(Found::Key).ok_or(StoreError::NoEntry),
        }
    }

    /// Keeps a key, replacing another one of the same name. An error leaves nothing behind, now or later.
    pub(crate) async fn save(
        &self,
        place: &KeyPlace,
        key: PrivateKey,
        passphrase: Option<Secret>,
    ) -> Result<Saved, StoreError> {
        let id = &place.id;
        match place.store {
            StoreKind::Keyring => self.keyring.save(id, key).await,
            StoreKind::Keyutils => self.kernel.save(id, key).await,
            StoreKind::EncryptedFile => {
                let passphrase = passphrase.ok_or(StoreError::NoPassphrase)?;
                self.save_file(id, key, passphrase).await
            }
            // It is there, or it could not have been read.
            StoreKind::CredentialsDir => Ok(Saved::WasThere),
            StoreKind::Memory => Ok(match keep(&mut self.memory().only_here, id, key) {
                Some(_) => Saved::WasThere,
                None => Saved::Now,
            }),
        }
    }

    async fn save_file(&self, id: &KeyId, key: PrivateKey, passphrase: Secret) -> Result<Saved, StoreError> {
        let plain = key.clone();
        let sealed = self.ciphers.run(DERIVATION, move |()| encrypted_file::seal(&plain, &passphrase)).await?;
        let before = self.files.write(id, &sealed)?;
        // Read back before anybody deletes another copy.
        if self.files.read(id)? != sealed {
            return Err(StoreError::Refused("a file was written, and another one is read".to_owned()));
        }
        keep(&mut self.memory().unsealed, id, key);
        Ok(before.map_or(Saved::Now, Saved::InPlaceOf))
    }

    /// Undoes what [`Self::save`] did, because a later step failed.
    pub(crate) async fn take_back(&self, place: &KeyPlace, saved: Saved) -> Result<(), StoreError> {
        match saved {
            Saved::WasThere => Ok(()),
            Saved::Now => self.delete(place).await.map(|_| ()),
            Saved::InPlaceOf(before) => {
                // The old file may have another passphrase, so it is closed now.
                drop(self.memory().unsealed.remove(&place.id));
                self.files.write(&place.id, &before).map(|_| ())
            }
        }
    }

    /// Opens the encrypted file of a key, and keeps nothing of it.
    pub(crate) async fn unseal(&self, id: &KeyId, passphrase: &Secret) -> Result<PrivateKey, StoreError> {
        let (sealed, passphrase) = (self.files.read(id)?, passphrase.clone());
        self.ciphers.run(DERIVATION, move |()| encrypted_file::unseal(&sealed, &passphrase)).await
    }

    /// Keeps the key of an encrypted file until [`Self::forget`].
    pub(crate) fn keep_unsealed(&self, id: &KeyId, key: PrivateKey) {
        keep(&mut self.memory().unsealed, id, key);
    }

    /// The file that the service manager handed over for an App.
    pub(crate) fn credential(&self, app: &AppName) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.credentials.read(app)
    }

    /// The Apps for which the service manager handed over a file, by name.
    pub(crate) fn credentials(&self) -> Result<Vec<AppName>, StoreError> {
        self.credentials.names()
    }

    /// Wipes the keys that are in the agent's memory. What other stores hold stays there.
    pub(crate) fn forget(&self) {
        // Dropped outside the lock: wiping is work.
        drop(std::mem::take(&mut *self.memory()));
    }

    /// Whether the agent's memory, and nothing else, holds a key.
    pub(crate) fn remembers(&self, id: &KeyId) -> bool {
        self.memory().only_here.contains_key(id)
    }

    /// Whether the agent's memory holds any key that would be gone with the agent, or closed until a passphrase is given.
    pub(crate) fn remembers_any(&self) -> bool {
        let memory = self.memory();
        !memory.only_here.is_empty() || !memory.unsealed.is_empty()
    }

    /// Deletes a key. False when there was none, or when it is not ours to delete.
    pub(crate) async fn delete(&self, place: &KeyPlace) -> Result<bool, StoreError> {
        let id = &place.id;
        match place.store {
            StoreKind::Keyring => self.keyring.delete(id).await,
            StoreKind::Keyutils => self.kernel.delete(id).await,
            StoreKind::EncryptedFile => {
                drop(self.memory().unsealed.remove(id));
                self.files.delete(id)
            }
            StoreKind::CredentialsDir => Ok(false),
            StoreKind::Memory => Ok(self.memory().only_here.remove(id).is_some()),
        }
    }

    /// What a store is called here.
    pub(crate) fn name_of(store: StoreKind) -> &'static str {
        match store {
            StoreKind::Keyring => os::KIND,
            store => store.as_str(),
        }
    }

    /// Whether the OS keyring can be reached. Says nothing about a lock: asking could make it prompt.
    pub(crate) async fn keyring_state(&self) -> Result<(), StoreError> {
        self.keyring.ask(STATE_DEADLINE, Keyring::reach).await
    }

    /// Whether a store could take a key, as far as that is known without a call that may prompt.
    pub(crate) async fn reach(&self, store: StoreKind) -> Result<(), StoreError> {
        match store {
            StoreKind::Keyring => self.keyring_state().await,
            StoreKind::Keyutils => self.kernel.ask(STATE_DEADLINE, |_| Kernel::reach()).await,
            StoreKind::EncryptedFile | StoreKind::CredentialsDir | StoreKind::Memory => Ok(()),
        }
    }

    /// Whether a key can be used, as far as that is known without a call that may prompt. `keyring` is what
    /// [`Self::keyring_state`] said.
    pub(crate) async fn state(&self, place: &KeyPlace, keyring: &Result<(), StoreError>) -> Result<(), StoreError> {
        let id = &place.id;
        match place.store {
            StoreKind::Keyring => keyring.clone(),
            StoreKind::Keyutils => {
                let name = id.to_string();
                self.kernel.ask(STATE_DEADLINE, move |_| Kernel::holds(&name)).await
            }
            StoreKind::EncryptedFile if self.memory().unsealed.contains_key(id) => Ok(()),
            StoreKind::EncryptedFile => Err(self.files.holds(id).err().unwrap_or(StoreError::Locked)),
            StoreKind::CredentialsDir => self.credentials.holds(&place.app),
            StoreKind::Memory if self.remembers(id) => Ok(()),
            StoreKind::Memory => Err(StoreError::NoEntry),
        }
    }

    fn memory(&self) -> MutexGuard<'_, InMemory> {
        // The maps are intact even if a thread panicked while it held the lock.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the key that it replaces.
fn keep(keys: &mut HashMap<KeyId, PrivateKey>, id: &KeyId, key: PrivateKey) -> Option<PrivateKey> {
    memory::keep_out_of_swap(key.expose());
    keys.insert(id.clone(), key)
}
