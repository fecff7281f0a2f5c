//! A registered App as its owner sees it, and its RSA keys in the form GitHub hands them out.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const PEM_BEGIN: &str = "-----BEGIN RSA PRIVATE KEY-----\n";
const PEM_END: &str = "-----END RSA PRIVATE KEY-----\n";

/// An App and its first private key.
#[derive(Clone)]
pub struct App {
    /// The App ID.
    pub app_id: u64,
    /// The client ID, `Iv23li` and 14 more characters.
    pub client_id: String,
    /// The name in URLs; the bot user is `SLUG[bot]`.
    pub slug: String,
    /// The display name.
    pub name: String,
    /// The login of the account that owns the App.
    pub owner: String,
    pem: String,
    fingerprint: String,
}

impl App {
    /// The private key as the downloaded file has it: PKCS#1.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The key's fingerprint as GitHub's settings page shows it: `SHA256:` and base64 of the hash of the public key.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

/// What the simulator knows of an App; of its keys only the public halves.
pub(super) struct RegisteredApp {
    pub(super) id: u64,
    pub(super) client_id: String,
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) owner: String,
    /// The bot user's id is another number than the App ID.
    pub(super) bot_user_id: u64,
    pub(super) public_keys: Vec<PublicKey>,
}

impl RegisteredApp {
    pub(super) fn new(id: u64, bot_user_id: u64, name: &str, owner: &str) -> (RegisteredApp, App) {
        let slug = slug(name);
        let client_id = format!("Iv23li{id:014}");
        let key = Key::generate();
        let app = App {
            app_id: id,
            client_id: client_id.clone(),
            slug: slug.clone(),
            name: name.to_owned(),
            owner: owner.to_owned(),
            pem: key.pem(),
            fingerprint: key.fingerprint(),
        };
        let registered = RegisteredApp {
            id,
            client_id,
            slug,
            name: name.to_owned(),
            owner: owner.to_owned(),
            bot_user_id,
            public_keys: vec![key.public_key()],
        };
        (registered, app)
    }

    pub(super) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.slug = slug(name);
    }

    pub(super) fn bot(&self) -> String {
        format!("{}[bot]", self.slug)
    }
}

fn slug(name: &str) -> String {
    name.to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-")
}

/// A public key as DER `RSAPublicKey`, the form that verifying takes.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PublicKey(pub(super) Vec<u8>);

/// A freshly generated RSA-2048 key.
pub(super) struct Key {
    pair: KeyPair,
}

impl Key {
    pub(super) fn generate() -> Key {
        Key { pair: KeyPair::generate(KeySize::Rsa2048).expect("RSA-2048 is supported") }
    }

    pub(super) fn public_key(&self) -> PublicKey {
        PublicKey(self.pair.public_key().as_ref().to_vec())
    }

    pub(super) fn pem(&self) -> String {
        let pkcs8: Pkcs8V1Der = self.pair.as_der().expect("a generated key can be exported");
        let base64 = STANDARD.encode(private_key_of(pkcs8.as_ref()));
        let mut pem = PEM_BEGIN.to_owned();
        // RFC 7468 section 2: lines of 64 characters.
        for line in base64.as_bytes().chunks(64) {
            pem += str::from_utf8(line).expect("base64 is ASCII");
            pem.push('\n');
        }
        pem + PEM_END
    }

    fn fingerprint(&self) -> String {
        let public_key = self.pair.public_key();
        let der: PublicKeyX509Der = public_key.as_der().expect("a public key can be exported");
        format!("SHA256:{}", STANDARD.encode(digest(&SHA256, der.as_ref())))
    }
}

/// Returns the public half of a key that [`Key::pem`] wrote.
pub(super) fn public_key_of(pem: &str) -> PublicKey {
    PublicKey(pair_of(pem).public_key().as_ref().to_vec())
}

fn pair_of(pem: &str) -> KeyPair {
    let base64 = pem.trim_start_matches(PEM_BEGIN).trim_end_matches(PEM_END).replace('\n', "");
    let der = STANDARD.decode(base64).expect("the PEM is one of the simulator's");
    KeyPair::from_der(&der).expect("the PEM is one of the simulator's")
}

/// Returns the fingerprint of a key that the simulator wrote, as GitHub's settings page shows it.
///
/// # Panics
///
/// When it is no such key.
pub fn fingerprint_of(pem: &str) -> String {
    Key { pair: pair_of(pem) }.fingerprint()
}

/// Unwraps PKCS#8 to the PKCS#1 `RSAPrivateKey` inside, because GitHub hands out `BEGIN RSA PRIVATE KEY`.
///
/// RFC 5208 section 5: `SEQUENCE { version INTEGER, algorithm SEQUENCE, privateKey OCTET STRING, .. }`.
fn private_key_of(pkcs8: &[u8]) -> &[u8] {
    let (fields, _) = der_value(pkcs8);
    let (_version, fields) = der_value(fields);
    let (_algorithm, fields) = der_value(fields);
    der_value(fields).0
}

/// Splits DER into the content of its first value and what follows that value.
fn der_value(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, content) = match der[1] {
        short @ 0..=0x7f => (usize::from(short), &der[2..]),
        long => {
            let (length, content) = der[2..].split_at(usize::from(long & 0x7f));
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), content)
        }
    };
    content.split_at(length)
}
