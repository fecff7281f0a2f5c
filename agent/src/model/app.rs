//! A configured App.

use std::path::PathBuf;

use ghapp_protocol::remote::Host;

use super::{ApiUrl, AppName, Fingerprint, InstallationId, Issuer, KeyId, KeyPlace, StoreKind};

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
    /// The fingerprint of the private key that signs; `None` when the App never logged in here.
    pub key: Option<Fingerprint>,
    /// The fingerprints of further keys, which the same store holds: when GitHub refuses the one before, the next signs.
    pub more_keys: Vec<Fingerprint>,
}

impl App {
    /// Most keys of an App: a rotation needs two, and a third lets another one begin before the last was tidied up. Each costs a
    /// call when GitHub refuses them all.
    pub const MAX_KEYS: usize = 4;

    /// What goes into the JWT. The numeric id is preferred: it works with every GitHub.
    pub fn issuer(&self) -> Issuer {
        match (self.app_id, &self.client_id) {
            (Some(id), _) => Issuer::AppId(id),
            (None, Some(client_id)) => Issuer::ClientId(client_id.clone()),
            (None, None) => Issuer::Unnamed,
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
