//! A key in a file that a passphrase protects, in the format of `age` (age-encryption.org/v1): `age -d` opens it as well. Owns the
//! `age` crate.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use age::scrypt::{Identity, Recipient};
use age::secrecy::SecretString;
use age::{DecryptError, EncryptError};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ghapp_protocol::secret::Secret;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::error::StoreError;
use super::stored_form;
use crate::files::{private_directory, regular_file};
use crate::model::{KeyId, PrivateKey};

/// Work for one guess of a passphrase, as a power of two: 128 MiB and some tenths of a second (OWASP's Password Storage Cheat Sheet:
/// at least 2^17 with a block size of 8, which is age's).
const WORK: u8 = 17;
/// Most work that a file may ask for, which is what `age -p` writes: 256 MiB. A file that asks for more would keep the agent busy,
/// or take all of the machine's memory.
const MAX_WORK: u8 = 18;
/// Largest file that is read; one of ours has less than 3 KiB.
const MAX_FILE: u64 = 64 * 1024;
/// Most letters of an App's id in a file's name.
const MAX_ISSUER: usize = 40;

/// Encrypts a key. Slow on purpose: never call it on the runtime's thread.
pub(super) fn seal(key: &PrivateKey, passphrase: &Secret) -> Result<Vec<u8>, StoreError> {
    let mut recipient = Recipient::new(secret(passphrase));
    recipient.set_work_factor(WORK);
    let bytes = stored_form::encode(key, stored_form::Form::Bytes);
    age::encrypt(&recipient, &bytes).map_err(|error| match error {
        EncryptError::Io(error) => StoreError::Refused(error.to_string()),
        _ => StoreError::Refused("the key could not be encrypted".to_owned()),
    })
}

/// Decrypts a key. Slow on purpose: never call it on the runtime's thread.
pub(super) fn unseal(sealed: &[u8], passphrase: &Secret) -> Result<PrivateKey, StoreError> {
    let mut identity = Identity::new(secret(passphrase));
    identity.set_max_work_factor(MAX_WORK);
    let bytes = age::decrypt(&identity, sealed).map(Zeroizing::new).map_err(|error| explain(&error))?;
    stored_form::decode(&bytes)
}

fn secret(passphrase: &Secret) -> SecretString {
    SecretString::from(passphrase.expose())
}

fn explain(error: &DecryptError) -> StoreError {
    let refused = |why: &str| StoreError::Refused(why.to_owned());
    match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => StoreError::WrongPassphrase,
        DecryptError::ExcessiveWork { required, .. } => StoreError::Refused(format!(
            "the file asks for scrypt work of 2^{required}, and 2^{MAX_WORK} is the most that is done"
        )),
        DecryptError::NoMatchingKeys => refused("the file is encrypted, but not with a passphrase"),
        _ => refused("the file is damaged, or no age file"),
    }
}

/// The directory of the files, private to its user.
pub(super) struct KeyFiles {
    directory: PathBuf,
}

impl KeyFiles {
    pub(super) fn in_directory(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Checks that there is a file for the key.
    pub(super) fn holds(&self, id: &KeyId) -> Result<(), StoreError> {
        match fs::metadata(self.path(id)) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.unusable(&error)),
        }
    }

    pub(super) fn read(&self, id: &KeyId) -> Result<Vec<u8>, StoreError> {
        regular_file::read(&self.path(id), MAX_FILE).map_err(|error| self.unusable(&error))
    }

    /// Puts a file in its place, whole or not at all, and safe from a loss of power. Returns the one that was there.
    pub(super) fn write(&self, id: &KeyId, sealed: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let before = match self.read(id) {
            Ok(before) => Some(before),
            Err(StoreError::NoEntry) => None,
            Err(error) => return Err(error),
        };
        self.replace(&self.path(id), sealed).map_err(|error| self.unusable(&error))?;
        Ok(before)
    }

    /// Deletes a file. False when there was none.
    pub(super) fn delete(&self, id: &KeyId) -> Result<bool, StoreError> {
        match fs::remove_file(self.path(id)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.unusable(&error)),
        }
    }

    fn replace(&self, path: &Path, sealed: &[u8]) -> io::Result<()> {
        private_directory::create(&self.directory)?;
        let mut file = NamedTempFile::new_in(&self.directory)?; // 0600
        file.write_all(sealed)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        sync(&self.directory)
    }

    /// The App's id, for people, and a hash, since a key's name may have characters that a file's must not.
    fn path(&self, id: &KeyId) -> PathBuf {
        let issuer: String = id.issuer.to_string().chars().take(MAX_ISSUER).collect();
        let hash = Sha256::digest(id.to_string());
        let hash = URL_SAFE_NO_PAD.encode(&hash[..16]);
        self.directory.join(format!("{issuer}-{hash}.age"))
    }

    fn unusable(&self, error: &io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::NotFound => StoreError::NoEntry,
            _ => StoreError::Refused(format!("{}: {error}", self.directory.display())),
        }
    }
}

/// Makes a file's new name survive a loss of power. Windows does that together with the file.
fn sync(directory: &Path) -> io::Result<()> {
    if cfg!(windows) { Ok(()) } else { File::open(directory)?.sync_all() }
}

#[cfg(test)]
mod tests {
    use age::scrypt::Recipient;
    use age::secrecy::SecretString;
    use ghapp_protocol::remote::Host;
    use ghapp_protocol::secret::Secret;
    use zeroize::Zeroizing;

    use super::{KeyFiles, MAX_WORK, StoreError, seal, unseal};
    use crate::model::{Fingerprint, Issuer, KeyId, PrivateKey};

    fn passphrase(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn id(issuer: &str, host: &str) -> KeyId {
        KeyId {
            host: Host::parse(host).unwrap(),
            issuer: Issuer::ClientId(issuer.to_owned()),
            fingerprint: Fingerprint::parse("SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=").unwrap(),
        }
    }

    #[test]
    fn a_file_is_opened_by_its_passphrase_and_by_no_other() {
        let key = PrivateKey::from_der(Zeroizing::new(vec![7; 1191]));
        let sealed = seal(&key, &passphrase("correct horse")).unwrap();
        assert!(!sealed.windows(16).any(|window| window == [7; 16]));
        assert!(unseal(&sealed, &passphrase("correct horse")).unwrap() == key);
        assert_eq!(unseal(&sealed, &passphrase("correct Horse")), Err(StoreError::WrongPassphrase));
    }

    #[test]
    fn what_is_no_file_of_ours_is_not_called_a_wrong_passphrase() {
        let refused = |bytes: &[u8]| match unseal(bytes, &passphrase("x")) {
            Err(StoreError::Refused(why)) => why,
            other => panic!("{other:?}"),
        };
        let key = PrivateKey::from_der(Zeroizing::new(vec![7; 100]));
        let sealed = seal(&key, &passphrase("x")).unwrap();
        assert!(refused(&sealed[..sealed.len() - 1]).contains("damaged"));
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert!(refused(&changed).contains("damaged"));
        assert!(refused(b"").contains("damaged"));
        assert!(refused(b"-----BEGIN RSA PRIVATE KEY-----").contains("damaged"));
        // Well sealed, but something else.
        let mut cheap = Recipient::new(SecretString::from("x"));
        cheap.set_work_factor(1);
        assert!(refused(&age::encrypt(&cheap, b"hunter2").unwrap()).contains("not written by ghapp"));
        let stranger = age::x25519::Identity::generate().to_public();
        assert!(refused(&age::encrypt(&stranger, b"x").unwrap()).contains("not with a passphrase"));
    }

    #[test]
    fn a_file_cannot_ask_for_work_without_end() {
        let mut recipient = Recipient::new(SecretString::from("x"));
        recipient.set_work_factor(1);
        let sealed = age::encrypt(&recipient, b"x").unwrap();
        let header = String::from_utf8_lossy(&sealed).into_owned();
        let line = header.lines().find(|line| line.starts_with("-> scrypt ")).unwrap().to_owned();
        let greedy = format!("{} {}", line.rsplit_once(' ').unwrap().0, MAX_WORK + 1);
        let at = sealed.windows(line.len()).position(|window| window == line.as_bytes()).unwrap();
        let greedy = [&sealed[..at], greedy.as_bytes(), &sealed[at + line.len()..]].concat();
        let Err(StoreError::Refused(why)) = unseal(&greedy, &passphrase("x")) else { panic!("it was tried") };
        assert_eq!(why, "the file asks for scrypt work of 2^19, and 2^18 is the most that is done");
    }

    #[test]
    fn a_file_is_written_whole_and_the_one_before_is_handed_back() {
        let temp = tempfile::tempdir().unwrap();
        let files = KeyFiles::in_directory(temp.path().join("a/keys"));
        let (one, other) = (id("Iv1", "github.com"), id("Iv1", "ghe.example:8443"));
        assert_eq!((files.holds(&one), files.read(&one)), (Err(StoreError::NoEntry), Err(StoreError::NoEntry)));
        assert_eq!(files.write(&one, b"first"), Ok(None));
        assert_eq!(files.write(&other, b"another App's"), Ok(None));
        assert_eq!(files.write(&one, b"second"), Ok(Some(b"first".to_vec())));
        assert_eq!((files.holds(&one), files.read(&one)), (Ok(()), Ok(b"second".to_vec())));
        assert_eq!(std::fs::read_dir(temp.path().join("a/keys")).unwrap().count(), 2, "nothing else is left");
        assert_eq!((files.delete(&one), files.delete(&one)), (Ok(true), Ok(false)));
        assert_eq!(files.read(&other), Ok(b"another App's".to_vec()));
    }

    #[cfg(unix)]
    #[test]
    fn file_and_directory_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let files = KeyFiles::in_directory(temp.path().join("keys"));
        files.write(&id("1", "github.com"), b"x").unwrap();
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let file = std::fs::read_dir(temp.path().join("keys")).unwrap().next().unwrap().unwrap();
        assert_eq!((mode(&temp.path().join("keys")), mode(&file.path())), (0o700, 0o600));
    }

    #[test]
    fn what_is_not_a_file_is_not_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let files = KeyFiles::in_directory(temp.path().to_owned());
        let id = id("1", "github.com");
        std::fs::create_dir(files.path(&id)).unwrap();
        assert!(matches!(files.write(&id, b"x"), Err(StoreError::Refused(_))));
        assert!(files.path(&id).is_dir());
    }
}
