//! What the agent may answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reply::is_zero;
use super::{
    AddedKey, AppStatus, Examined, ExposureStatus, Identity, InstallationStatus, KeyStatus, Lease, LeaseStatus, Locked,
    LoggedOut, RemovedKey, RepositoryStatus, Revoked, Route, Status, TokenReply, Unexposed, Unlocked,
};
use crate::error::WireError;
use crate::{BUILD_VERSION, WIRE_VERSION};

/// How long the agent takes at most for what a person asks for: a login has two calls to GitHub, of 10 s each, and up to three to
/// a keyring that may prompt, of 10 s each. A client that waits longer gets the agent's own word about it.
pub const PERSON_ANSWER: Duration = Duration::from_secs(55);

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
    /// The agent exits when this connection is closed.
    Stopping {
        /// Tokens revoked at GitHub first.
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
    /// The name and address that an App commits with.
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
