//! What the calls carry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::remote::{FullName, Host, Owner, RepositoryName};
use crate::secret::{self, Secret};
use crate::token_hash::TokenHash;

/// Asks for a token that reaches one repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Get {
    /// The host in the remote's URL.
    pub host: Host,
    /// The repository, when git named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<FullName>,
    /// Owners that may be meant when git named no repository (`--owner=`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Owner>,
}

/// Names a token that a server refused. Only its hash travels: it may be another helper's password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erase {
    /// The host that refused it.
    pub host: Host,
    /// The hash of what git sent there.
    pub hashed_token: TokenHash,
}

/// Ends the agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Revoke the tokens at GitHub first.
    #[serde(default)]
    pub revoke: bool,
}

/// A new App. The agent checks it with GitHub before anything is kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct Login {
    /// The nickname for the configuration; the App's slug when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The host that git uses.
    pub host: Host,
    /// The API, when it is not the one that belongs to the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// A PEM file with certificates to trust for the API, as an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The App's numeric id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<u64>,
    /// The App's client ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Where to keep the key, as the configuration writes it: `keyring`, `memory`, ...
    pub store: String,
    /// The private key: base64 of its PKCS#1 DER form. Left out when the store has it already and others fill it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "secret::on_the_wire::optional")]
    pub key: Option<Secret>,
    /// The passphrase for a store that needs one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "secret::on_the_wire::optional")]
    pub passphrase: Option<Secret>,
}

/// An App that GitHub has just registered from a manifest, or is about to. The agent itself fetches the key, so that no other
/// process ever has it.
#[derive(Debug, Serialize, Deserialize)]
pub struct CreateApp {
    /// The nickname for the configuration; the App's slug when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The host that git uses.
    pub host: Host,
    /// The API, when it is not the one that belongs to the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// A PEM file with certificates to trust for the API, as an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// Where to keep the key: `keyring` or `memory`.
    pub store: String,
    /// The passphrase for a store that needs one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "secret::on_the_wire::optional")]
    pub passphrase: Option<Secret>,
    /// GitHub's code, which is worth the App's key once and for an hour. Without it the agent only says whether it could take the
    /// App over: a code that is used in vain leaves an App without a key.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "secret::on_the_wire::optional")]
    pub code: Option<Secret>,
}

/// Forgets an App.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logout {
    /// The App's nickname; may be left out when there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Leave the key in its store.
    #[serde(default)]
    pub keep_key: bool,
}

/// Asks for a token with a scope of the caller's own, never wider than the rules allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCall {
    /// The host in the remote's URL; the only configured one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
    /// The repository.
    pub repository: FullName,
    /// Further repositories of the same owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repositories: Vec<RepositoryName>,
    /// Permissions instead of the rule's, such as `contents` → `read`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, String>,
    /// Least life left, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_ttl: Option<u64>,
    /// The App to use, when more than one could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

/// Asks for the way from a remote to a token. Nothing is minted for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Which {
    /// The host in the remote's URL; the only configured one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
    /// The repository.
    pub repository: FullName,
    /// The App to use, when more than one could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

/// Revokes tokens at GitHub.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoke {
    /// These leases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leases: Vec<LeaseId>,
    /// All leases.
    #[serde(default)]
    pub all: bool,
}

/// Makes the agent forget tokens and keys, and use none until it is unlocked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// Revoke the tokens at GitHub first.
    #[serde(default)]
    pub revoke: bool,
}

/// Lets the agent use keys again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Unlock {
    /// Only this App's encrypted file is opened; when left out, all that the passphrase fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The passphrase of encrypted files. The agent says so when it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "secret::on_the_wire::optional")]
    pub passphrase: Option<Secret>,
}

/// Asks for the installations of an App.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationsCall {
    /// The App's nickname.
    pub app: String,
    /// Ask GitHub; otherwise list what the agent has seen.
    #[serde(default)]
    pub refresh: bool,
    /// Only installations with a greater id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// Asks for the repositories that an installation reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoriesCall {
    /// The App's nickname.
    pub app: String,
    /// The installation.
    pub installation: u64,
    /// Ask GitHub; otherwise list what it said last, and ask only when it has not been asked.
    #[serde(default)]
    pub refresh: bool,
    /// Only repositories with a greater id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// Asks for the name and address that an App commits with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityCall {
    /// The App's nickname; may be left out when there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

/// Asks how far an App gets: whether its key can be read, whether GitHub can be reached, and whether GitHub accepts the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examine {
    /// The App's nickname.
    pub app: String,
}

/// Names a live token: `L1`, `L2`, ... in the order of minting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LeaseId(pub u64);

impl std::fmt::Display for LeaseId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "L{}", self.0)
    }
}

impl std::str::FromStr for LeaseId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix(['L', 'l']).filter(|rest| !rest.starts_with('+'));
        number.and_then(|number| number.parse().ok()).map(Self).ok_or("a lease id looks like L7")
    }
}

impl TryFrom<String> for LeaseId {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<LeaseId> for String {
    fn from(id: LeaseId) -> Self {
        id.to_string()
    }
}
