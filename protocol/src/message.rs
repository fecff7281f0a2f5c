//! Wire messages, version 1: what a client may ask the agent, and what the agent may answer.
//!
//! One connection carries one request and one response. Every reader ignores fields that it does not know, and every
//! enumeration has an `Unknown` arm, so that an old and a new build can talk. [`Call::Get`], [`Call::Erase`],
//! [`Call::Status`] and [`Call::Stop`] are frozen. Times are seconds since 1970, UTC.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::remote::{FullName, Host, Owner, RepositoryName};
use crate::secret::{self, Secret};
use crate::token_hash::TokenHash;
use crate::{BUILD_VERSION, WIRE_VERSION};

/// A client's question.
#[derive(Debug, Serialize, Deserialize)]
pub struct Request {
    /// The wire version that the client speaks.
    pub v: u32,
    /// The client's build version, for messages to people.
    pub client: String,
    /// What it wants.
    #[serde(flatten)]
    pub call: Call,
}

impl Request {
    /// Wraps a call as this build sends it.
    pub fn new(call: Call) -> Self {
        Self { v: WIRE_VERSION, client: BUILD_VERSION.to_owned(), call }
    }
}

/// What a client wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Call {
    /// A token for git. Frozen.
    Get(Get),
    /// git met a 401 with this token. Frozen.
    Erase(Erase),
    /// How the agent is. Frozen.
    Status {},
    /// End the agent. Frozen.
    Stop(Stop),
    /// Read the configuration file again; keys, tokens and leases stay.
    Reload {},
    /// Add an App with its key.
    Login(Box<Login>),
    /// Forget an App and its key.
    Logout(Logout),
    /// A token for a person or a script.
    Token(TokenCall),
    /// The live tokens, a page at a time.
    Leases {
        /// Only leases behind this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<LeaseId>,
    },
    /// Kill tokens at GitHub.
    Revoke(Revoke),
    /// The installations of an App, a page at a time.
    Installations(InstallationsCall),
    /// A call that a newer client knows and this build does not.
    #[serde(other)]
    Unknown,
}

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
    /// Kill the tokens at GitHub first.
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
    /// Where to keep the key: `keyring` or `memory`.
    pub store: String,
    /// The private key: base64 of its PKCS#1 DER form.
    #[serde(with = "secret::on_the_wire")]
    pub key: Secret,
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

/// Kills tokens at GitHub.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoke {
    /// These leases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leases: Vec<LeaseId>,
    /// All leases.
    #[serde(default)]
    pub all: bool,
}

/// Asks for the installations of an App.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationsCall {
    /// The App's nickname.
    pub app: String,
    /// Ask GitHub; otherwise tell what the agent has seen.
    #[serde(default)]
    pub refresh: bool,
    /// Only installations with a greater id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
}

/// The agent's answer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Response {
    /// The wire version that the agent speaks.
    pub v: u32,
    /// The agent's build version.
    pub agent: String,
    /// What it says.
    #[serde(flatten)]
    pub reply: Reply,
}

impl Response {
    /// Wraps a reply as this build sends it.
    pub fn new(reply: Reply) -> Self {
        Self { v: WIRE_VERSION, agent: BUILD_VERSION.to_owned(), reply }
    }
}

/// What the agent says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// A token for git.
    Lease(Lease),
    /// Nothing for you: no App is configured for that host or owner. Not an error.
    NoMatch {},
    /// The answer to an erase.
    Erased {
        /// Whether such a token was there.
        dropped: bool,
    },
    /// How the agent is.
    Status(Box<Status>),
    /// The agent ends when this connection is closed.
    Stopping {
        /// Tokens killed at GitHub first.
        #[serde(default)]
        revoked: usize,
    },
    /// The configuration has been read again.
    Reloaded {},
    /// The App has been added.
    LoggedIn(Box<AppStatus>),
    /// The App has been forgotten.
    LoggedOut(LoggedOut),
    /// A token with all that is known about it.
    Token(Box<TokenReply>),
    /// A page of leases.
    Leases {
        /// In the order of their ids.
        leases: Vec<LeaseStatus>,
        /// Whether there are more behind them.
        #[serde(default)]
        more: bool,
    },
    /// How the revocation went.
    Revoked(Revoked),
    /// A page of installations.
    Installations {
        /// In the order of their ids.
        installations: Vec<InstallationStatus>,
        /// Whether there are more behind them.
        #[serde(default)]
        more: bool,
    },
    /// It failed.
    Error(WireError),
    /// A reply that a newer agent knows and this build does not.
    #[serde(other)]
    Unknown,
}

/// A token on its way to git.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lease {
    /// The user name to use with it.
    pub username: String,
    /// The installation access token.
    #[serde(with = "secret::on_the_wire")]
    pub token: Secret,
    /// When GitHub stops accepting it.
    pub expires_at: i64,
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

/// A token for a person or a script, with its scope.
#[derive(Debug, Serialize, Deserialize)]
pub struct TokenReply {
    /// The token.
    #[serde(flatten)]
    pub lease: Lease,
    /// Its lease id.
    pub id: LeaseId,
    /// What it may do.
    pub permissions: BTreeMap<String, String>,
    /// What it reaches; nothing means the whole installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repositories: Option<Vec<RepositoryName>>,
}

/// A live token, without the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseStatus {
    /// Its id.
    pub id: LeaseId,
    /// The App's nickname.
    pub app: String,
    /// The App's host.
    pub host: Host,
    /// The account that the installation belongs to.
    pub account: String,
    /// The installation.
    pub installation_id: u64,
    /// What it reaches; nothing means the whole installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repositories: Option<Vec<RepositoryName>>,
    /// What it may do.
    pub permissions: BTreeMap<String, String>,
    /// When it was minted.
    pub created_at: i64,
    /// When GitHub stops accepting it.
    pub expires_at: i64,
    /// When it was last handed out.
    pub last_used_at: i64,
    /// How often it was handed out.
    pub uses: u64,
    /// Its SHA-256, as in GitHub's audit log.
    pub hashed_token: TokenHash,
    /// Who asked for it first.
    pub requested_by: RequestedBy,
}

/// Who asked. A process id and what it said its name was: a hint for people, never a proof.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedBy {
    /// The process that connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its program and, where they can be seen, the programs that started it, nearest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
}

/// What became of tokens that were to be killed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Killed now, or found dead at GitHub.
    pub revoked: Vec<LeaseId>,
    /// Asked for, but not known to the agent.
    #[serde(default)]
    pub unknown: Vec<LeaseId>,
    /// Still alive at GitHub, with the reason; the agent no longer hands them out.
    #[serde(default)]
    pub failed: Vec<(LeaseId, String)>,
}

/// What became of an App that was to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedOut {
    /// The App's nickname.
    pub app: String,
    /// Its host.
    pub host: Host,
    /// Tokens killed at GitHub.
    pub revoked: usize,
    /// Tokens that GitHub could not be told about; they die with their hour.
    #[serde(default)]
    pub not_revoked: usize,
    /// Whether the key was deleted from its store.
    pub key_deleted: bool,
}

/// How the agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process id.
    pub pid: u32,
    /// Its build version.
    pub version: String,
    /// Where it listens.
    pub socket: String,
    /// The configuration file it has read.
    pub config: String,
    /// Whether it refuses to use keys and tokens.
    #[serde(default)]
    pub locked: bool,
    /// Who started it: `systemd`, `client` or `user`.
    pub started_by: String,
    /// The store that new keys go to.
    pub store: StoreStatus,
    /// The configured Apps.
    pub apps: Vec<AppStatus>,
    /// How many tokens are alive.
    pub leases: usize,
    /// What went wrong with the configuration, if it did; the agent then serves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_error: Option<String>,
}

/// A key store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// `secret-service`, `keychain`, `wincred` or `memory`.
    pub kind: String,
    /// `ok`, `missing`, `locked`, `silent` or `unknown`.
    pub state: String,
}

/// A configured App.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppStatus {
    /// Its nickname.
    pub name: String,
    /// The host that git uses.
    pub host: Host,
    /// Its numeric id, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<u64>,
    /// Its client ID, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its name in URLs, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// The fingerprint of its key, as GitHub shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_fingerprint: Option<String>,
    /// Where its key is: `keyring` or `memory`.
    pub store: String,
    /// `ok`, or why it cannot work: `key_missing`, `keyring_locked`, `keyring_missing`, ...
    pub state: String,
}

/// An installation that the agent has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationStatus {
    /// Its id.
    pub id: u64,
    /// The account it belongs to.
    pub account: String,
    /// `all` or `selected`.
    pub repository_selection: String,
    /// What it grants.
    pub permissions: BTreeMap<String, String>,
    /// Whether somebody suspended it.
    pub suspended: bool,
}
