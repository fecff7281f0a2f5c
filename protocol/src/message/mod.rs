//! Wire messages, version 1: what a client may ask the agent, and what the agent may answer.
//!
//! One connection carries one request and one response. Every reader ignores fields that it does not know, and every
//! enumeration has an `Unknown` arm, so that an old and a new build can talk. [`Call::Get`], [`Call::Erase`],
//! [`Call::Status`] and [`Call::Stop`] are frozen. Times are seconds since 1970, UTC.

mod call;
mod exposure;
mod git;
mod key;
mod reply;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use call::{
    CreateApp, Erase, Examine, Get, IdentityCall, InstallationsCall, LeaseId, Lock, Login, Logout, RepositoriesCall,
    Revoke, Stop, TokenCall, Unlock, Which,
};
pub use exposure::{Expose, ExposureStatus, GuestCall, Label, Unexpose, Unexposed};
pub use git::{GitCall, GitReply, GitRequest, GitResponse};
pub use key::{AddKey, AddedKey, KeyStatus, KeysCall, RemoveKey, RemovedKey};
pub use reply::{
    AppStatus, Examined, Identity, InstallationStatus, Lease, LeaseStatus, Locked, LoggedOut, RepositoryStatus,
    RequestedBy, Revoked, Route, Status, StoreStatus, TokenReply, Unlocked,
};

use crate::error::WireError;
use crate::{BUILD_VERSION, WIRE_VERSION};

/// How long the agent takes at most for what a person asks for: a login has two calls to GitHub, of 10 s each, and up to three to
/// a keyring that may prompt, of 10 s each. A client that waits longer gets the agent's own word about it.
pub const PERSON_ANSWER: Duration = Duration::from_secs(55);

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
    /// Add an App that GitHub registers from a manifest.
    CreateApp(Box<CreateApp>),
    /// Forget an App and its key.
    Logout(Logout),
    /// A token for a person or a script.
    Token(TokenCall),
    /// The way from a remote to a token, for a person.
    Which(Which),
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
    /// The repositories of an installation, a page at a time.
    Repositories(RepositoriesCall),
    /// As whom an App commits.
    Identity(IdentityCall),
    /// How far an App gets with its key and with GitHub, for a person who looks for a fault.
    Examine(Examine),
    /// Forget tokens and keys, and use none until told otherwise.
    Lock(Lock),
    /// Use keys again.
    Unlock(Unlock),
    /// Open a further socket, for few repositories and for a time.
    Expose(Box<Expose>),
    /// Close such a socket.
    Unexpose(Unexpose),
    /// The exposed sockets, a page at a time.
    Exposed {
        /// Only sockets whose label comes behind this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Label>,
    },
    /// The keys of an App, and whether GitHub accepts them.
    Keys(KeysCall),
    /// Give an App one more key.
    AddKey(Box<AddKey>),
    /// Forget one of an App's keys.
    RemoveKey(RemoveKey),
    /// A call that a newer client knows and this build does not.
    #[serde(other)]
    Unknown,
}

impl Call {
    /// Whether every version understands this call in its version 1 form, and its answer too.
    pub fn is_frozen(&self) -> bool {
        matches!(self, Self::Get(_) | Self::Erase(_) | Self::Status {} | Self::Stop(_))
    }
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
        Self::in_version(WIRE_VERSION, reply)
    }

    /// Wraps a reply in the version of the client, which is how frozen calls are answered: an older helper goes on working with
    /// a newer agent, and the other way round.
    pub fn in_version(v: u32, reply: Reply) -> Self {
        Self { v, agent: BUILD_VERSION.to_owned(), reply }
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
        /// Tokens that GitHub could not be told about; they die with their hour.
        #[serde(default, skip_serializing_if = "is_zero")]
        not_revoked: usize,
    },
    /// The configuration has been read again.
    Reloaded {},
    /// The App has been added.
    LoggedIn(Box<AppStatus>),
    /// An App that GitHub registers now could be taken over.
    ReadyToCreate {},
    /// The App has been forgotten.
    LoggedOut(LoggedOut),
    /// A token with all that is known about it.
    Token(Box<TokenReply>),
    /// The way from a remote to a token.
    Route(Box<Route>),
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
    /// A page of repositories.
    Repositories {
        /// In the order of their ids.
        repositories: Vec<RepositoryStatus>,
        /// Whether there are more behind them.
        #[serde(default)]
        more: bool,
    },
    /// As whom an App commits.
    Identity(Box<Identity>),
    /// How far an App gets.
    Examined(Box<Examined>),
    /// Tokens and keys are forgotten, and none is used.
    Locked(Locked),
    /// Keys are used again.
    Unlocked(Unlocked),
    /// The further socket is open.
    Exposed(Box<ExposureStatus>),
    /// The further socket is closed.
    Unexposed(Unexposed),
    /// A page of exposed sockets.
    Exposures {
        /// In the order of their labels.
        exposed: Vec<ExposureStatus>,
        /// Whether there are more behind them.
        #[serde(default)]
        more: bool,
    },
    /// The keys of an App.
    Keys {
        /// In the order in which they are used; there are few.
        keys: Vec<KeyStatus>,
    },
    /// The App has one more key.
    KeyAdded(Box<AddedKey>),
    /// The key is forgotten.
    KeyRemoved(RemovedKey),
    /// It failed.
    Error(WireError),
    /// A reply that a newer agent knows and this build does not.
    #[serde(other)]
    Unknown,
}

/// Keeps a frozen message as it was while there is nothing to add.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}
