//! An App's private key, the two names it has, and where it is kept.

use std::fmt;

use ghapp_protocol::remote::Host;
use zeroize::Zeroizing;

use super::{AppName, Issuer};

/// An RSA private key in PKCS#1 DER form, wiped when dropped.
///
/// DER and not PEM: a 4096-bit key is 2,350 bytes long this way and fits into every keyring (Windows takes 2,560).
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey(Zeroizing<Vec<u8>>);

impl PrivateKey {
    /// Takes the bytes over. `signer::import` has checked them.
    pub fn from_der(der: Zeroizing<Vec<u8>>) -> Self {
        Self(der)
    }

    /// The DER bytes. This call marks the boundary where the key leaves its hiding.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKey(..)")
    }
}

/// A key's name on the App's settings page: `SHA256:` and the base64 of the SHA-256 of the public key in DER form.
///
/// Source: GitHub docs, "Managing private keys for GitHub Apps", verifying private keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Length of the base64 of 32 bytes.
    const BASE64: usize = 44;

    /// Reads a fingerprint as it is written in the configuration and on GitHub's page.
    pub fn parse(text: &str) -> Option<Self> {
        let base64 = text.strip_prefix("SHA256:")?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
        (base64.len() == Self::BASE64 && base64.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// Makes one of the base64 of a hash.
    pub fn from_base64(base64: &str) -> Self {
        Self(format!("SHA256:{base64}"))
    }

    /// The fingerprint as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name under which a key is stored: two hosts may have an App with the same id, and an App may have two keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyId {
    /// The App's host.
    pub host: Host,
    /// The App.
    pub issuer: Issuer,
    /// The key.
    pub fingerprint: Fingerprint,
}

/// Where an App's private key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// The keyring of the operating system.
    Keyring,
    /// The user's persistent keyring in the Linux kernel, until the machine is switched off or it is not used for some days.
    Keyutils,
    /// A file that a passphrase protects; once it is opened the key is in the agent's memory, until the agent is locked.
    EncryptedFile,
    /// A credential that the service manager hands to the agent. It is read and never written.
    CredentialsDir,
    /// The agent's memory, until it exits.
    Memory,
}

impl StoreKind {
    /// All of them. The first is a login's default.
    const ALL: [Self; 5] = [Self::Keyring, Self::Keyutils, Self::EncryptedFile, Self::CredentialsDir, Self::Memory];
    /// All of them, as they are written in the configuration.
    pub const NAMES: [&str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let mut at = 0;
        while at < names.len() {
            names[at] = Self::ALL[at].as_str();
            at += 1;
        }
        names
    };

    /// Reads the name that the configuration uses.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The name that the configuration uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::Keyutils => "keyutils",
            Self::EncryptedFile => "encrypted-file",
            Self::CredentialsDir => "credentials-dir",
            Self::Memory => "memory",
        }
    }
}

/// Where a key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// The store.
    pub store: StoreKind,
    /// The key's name there.
    pub id: KeyId,
    /// The App's nickname, which names the key in a store that others fill.
    pub app: AppName,
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.host, self.issuer, self.fingerprint)
    }
}
