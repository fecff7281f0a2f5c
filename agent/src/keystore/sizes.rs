//! Whether the keys that people have fit into every store: tests only.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use ghapp_protocol::frame;
use ghapp_protocol::message::{Call, Request, Unlock};
use ghapp_protocol::remote::Host;
use ghapp_protocol::secret::Secret;
use zeroize::Zeroizing;

use super::stored_form::{Form, encode};
use super::{Directories, Found, KeyStores, Saved};
use crate::model::{AppName, Fingerprint, Issuer, KeyId, KeyPlace, PrivateKey, StoreKind};

/// `CRED_MAX_CREDENTIAL_BLOB_SIZE` of Windows' wincred.h, in bytes.
const WINDOWS: usize = 5 * 512;
/// Longest payload of a key of type `user` (keyrings(7)).
const KERNEL: usize = 32_767;
/// Most that all keys of a user may take together (`/proc/sys/kernel/keys/maxbytes` as delivered).
const KERNEL_QUOTA: usize = 20_000;
/// Where the PKCS#1 key begins inside a PKCS#8 one: behind a sequence, a version and an algorithm (RFC 5208).
const PKCS1_IN_PKCS8: usize = 26;

/// New keys of all sizes that GitHub takes and people make.
fn keys() -> Vec<PrivateKey> {
    let new = |size| {
        let der: Pkcs8V1Der<'_> = KeyPair::generate(size).unwrap().as_der().unwrap();
        PrivateKey::from_der(Zeroizing::new(der.as_ref()[PKCS1_IN_PKCS8..].to_vec()))
    };
    [KeySize::Rsa2048, KeySize::Rsa3072, KeySize::Rsa4096].map(new).into()
}

fn place(store: StoreKind) -> KeyPlace {
    let fingerprint = Fingerprint::parse("SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=").unwrap();
    let id = KeyId { host: Host::parse("github.com").unwrap(), issuer: Issuer::AppId(123_456), fingerprint };
    KeyPlace { store, id, app: AppName::parse("bot").unwrap() }
}

#[test]
fn every_key_fits_into_every_keyring() {
    let keys = keys();
    for key in &keys {
        let (bytes, text) = (encode(key, Form::Bytes).len(), encode(key, Form::Text).len());
        assert!(bytes <= WINDOWS, "{bytes} bytes do not fit into the Credential Manager");
        assert!(bytes <= KERNEL && 4 * bytes <= KERNEL_QUOTA, "{bytes} bytes do not fit into the kernel");
        assert!(text <= KERNEL, "{text} letters");
    }
    // It is DER, as bytes, that makes the difference.
    let largest = keys.last().unwrap();
    assert!(encode(largest, Form::Text).len() > WINDOWS);
}

#[tokio::test]
async fn every_key_comes_back_from_memory_and_from_an_encrypted_file() {
    let temp = tempfile::tempdir().unwrap();
    let directories = Directories { key_files: temp.path().join("keys"), credentials: None };
    let stores = KeyStores::new(directories);
    let passphrase = || Secret::new("correct horse battery staple".to_owned());
    for key in keys() {
        for store in [StoreKind::Memory, StoreKind::EncryptedFile] {
            let place = place(store);
            assert_eq!(stores.save(&place, key.clone(), Some(passphrase())).await, Ok(Saved::Now));
            let Ok(Found::Key(found)) = stores.load(&place).await else { panic!("it is not there") };
            assert!(found == key);
            if store == StoreKind::EncryptedFile {
                assert!(stores.unseal(&place.id, &passphrase()).await.unwrap() == key);
            }
            assert_eq!(stores.delete(&place).await, Ok(true));
        }
    }
}

#[test]
fn a_passphrase_of_any_length_that_is_taken_fits_into_a_request() {
    // JSON writes a control character as six characters.
    let passphrase = Some(Secret::new("\u{1}".repeat(1024)));
    assert!(frame::encode(&Request::new(Call::Unlock(Unlock { app: None, passphrase }))).is_ok());
}
