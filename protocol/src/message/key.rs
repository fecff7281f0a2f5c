//! What messages say about the keys of an App.

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::secret::{self, Secret};

/// Asks for the keys of an App.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysCall {
    /// The App's nickname.
    pub app: String,
    /// Ask GitHub with each key whether it accepts it; otherwise tell what the agent knows.
    #[serde(default)]
    pub verify: bool,
    /// Only the key with this fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// One more key for an App. GitHub is asked whether it belongs to it before anything is kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct AddKey {
    /// The App's nickname.
    pub app: String,
    /// The private key: base64 of its PKCS#1 DER form.
    #[serde(with = "secret::on_the_wire")]
    pub key: Secret,
    /// The passphrase of the App's other keys, for a store that needs one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "secret::on_the_wire::optional")]
    pub passphrase: Option<Secret>,
    /// Make it the one that signs.
    #[serde(default)]
    pub signs: bool,
}

/// Forgets one of several keys of an App.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveKey {
    /// The App's nickname.
    pub app: String,
    /// The key's fingerprint, whole.
    pub fingerprint: String,
}

/// A key of an App.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStatus {
    /// The App's nickname.
    pub app: String,
    /// Its fingerprint, as GitHub shows it.
    pub fingerprint: String,
    /// Where it is, as the configuration writes it: `keyring`, `memory`, ...
    pub store: String,
    /// `ok`, or the name of the error that stands in its way: `key_refused`, `key_missing`, `keyring_locked`, ...
    pub state: String,
    /// Whether it is the one that signs.
    pub signing: bool,
    /// Why it cannot be used, when GitHub was asked about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<WireError>,
}

/// A key that an App has got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddedKey {
    /// The key.
    pub added: KeyStatus,
    /// The fingerprints of the App's other keys, in the order in which they are used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// The page where the App's keys are made and deleted.
    pub page: String,
}

/// A key that an App has lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedKey {
    /// The App's nickname.
    pub app: String,
    /// The key's fingerprint.
    pub fingerprint: String,
    /// The fingerprint of the key that signs from now on.
    pub signing: String,
    /// Whether it was deleted from its store: another App may need it, or it was gone already.
    pub deleted: bool,
}
