//! A configured App.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use ghapp_protocol::remote::Host;

use super::{ApiUrl, Fingerprint, InstallationId, KeyId, KeyPlace};

/// The nickname of an App in the configuration. A clone is another hand on the same text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppName(Arc<str>);

/// A nickname that would be hard to type, to quote or to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an App's name has 1 to 64 letters, digits, dots, hyphens or underscores")]
pub struct NameError;

impl AppName {
    /// Longest nickname; GitHub's own limit for an App's name is 34.
    const MAX: usize = 64;
    /// The nickname while GitHub has not told the App's slug.
    pub const UNNAMED: &str = "new";

    /// The nickname of an App whose slug GitHub has not told yet.
    pub fn unnamed() -> Self {
        Self(Self::UNNAMED.into())
    }

    /// Takes a nickname from a person or from an App's slug.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=Self::MAX).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(NameError)
        }
    }

    /// The nickname as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How an App names itself in its JWT (`iss`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Issuer {
    /// The numeric id; every GitHub takes it.
    AppId(u64),
    /// The client ID; github.com takes it, GitHub Enterprise Server from 3.14.
    ClientId(String),
}

impl fmt::Display for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AppId(id) => write!(formatter, "{id}"),
            Self::ClientId(id) => formatter.write_str(id),
        }
    }
}

/// Where an App's private key is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreKind {
    /// The keyring of the operating system.
    Keyring,
    /// The user's persistent keyring in the Linux kernel, until the machine is switched off or nobody needs it for some days.
    Keyutils,
    /// A file that a passphrase protects; once it is opened the key is in the agent's memory, until that is locked.
    EncryptedFile,
    /// A credential that the service manager hands to the agent. It is read and never written.
    CredentialsDir,
    /// The agent's memory, until it ends.
    Memory,
}

impl StoreKind {
    /// All of them. The first is what a login takes when it is told nothing.
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

/// An App that the agent may act as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its nickname.
    pub name: AppName,
    /// The host that git uses.
    pub host: Host,
    /// Where that host's API is.
    pub api_url: ApiUrl,
    /// Certificates to trust for the API besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Its numeric id, when known.
    pub app_id: Option<u64>,
    /// Its client ID, when known.
    pub client_id: Option<String>,
    /// Its name in GitHub's URLs, when known.
    pub slug: Option<String>,
    /// The one installation to use, instead of asking for the owner's.
    pub installation: Option<InstallationId>,
    /// Where its private key is.
    pub store: StoreKind,
    /// The fingerprint of the private key that signs; nothing when it never logged in here.
    pub key: Option<Fingerprint>,
    /// The fingerprints of further keys, which the same store holds: when GitHub refuses the one before, the next signs.
    pub more_keys: Vec<Fingerprint>,
}

impl App {
    /// Most keys of an App: a rotation needs two, and a third lets another one begin before the last was tidied up. Each costs a
    /// call when GitHub refuses them all.
    pub const MAX_KEYS: usize = 4;

    /// What goes into the JWT. The numeric id is preferred: it works with every GitHub.
    ///
    /// The configuration guarantees that there is one of the two.
    pub fn issuer(&self) -> Issuer {
        match (self.app_id, &self.client_id) {
            (Some(id), _) => Issuer::AppId(id),
            (None, Some(client_id)) => Issuer::ClientId(client_id.clone()),
            (None, None) => unreachable!("an App without app_id and client_id is refused"),
        }
    }

    /// Its keys in the order in which they are used. The first signs.
    pub fn keys(&self) -> impl Iterator<Item = &Fingerprint> {
        self.key.iter().chain(&self.more_keys)
    }

    /// The same App, with these keys in this order.
    #[must_use]
    pub fn with_keys(&self, keys: Vec<Fingerprint>) -> Self {
        let mut keys = keys.into_iter();
        Self { key: keys.next(), more_keys: keys.collect(), ..self.clone() }
    }

    /// Where one of its keys is kept.
    pub fn place_of(&self, key: &Fingerprint) -> KeyPlace {
        let id = KeyId { host: self.host.clone(), issuer: self.issuer(), fingerprint: key.clone() };
        KeyPlace { store: self.store, id, app: self.name.clone() }
    }

    /// Where its keys are kept, in their order.
    pub fn key_places(&self) -> impl Iterator<Item = KeyPlace> {
        self.keys().map(|key| self.place_of(key))
    }
}
