//! What a client may ask the agent.

use serde::{Deserialize, Serialize};

use super::{
    AddKey, CreateApp, Erase, Examine, Expose, Get, IdentityCall, InstallationsCall, KeysCall, Label, LeaseId, Lock,
    Login, Logout, RemoveKey, RepositoriesCall, Revoke, Stop, TokenCall, Unexpose, Unlock, Which,
};
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
    /// Stop the agent. Frozen.
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
        /// Only leases after this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<LeaseId>,
    },
    /// Revoke tokens at GitHub.
    Revoke(Revoke),
    /// The installations of an App, a page at a time.
    Installations(InstallationsCall),
    /// The repositories of an installation, a page at a time.
    Repositories(RepositoriesCall),
    /// The name and address that an App commits with.
    Identity(IdentityCall),
    /// How far an App gets with its key and with GitHub, for a person who looks for a fault.
    Examine(Examine),
    /// Forget tokens and keys, and use none until unlocked.
    Lock(Lock),
    /// Use keys again.
    Unlock(Unlock),
    /// Open a further socket, for few repositories and for a time.
    Expose(Box<Expose>),
    /// Close such a socket.
    Unexpose(Unexpose),
    /// The exposed sockets, a page at a time.
    Exposed {
        /// Only sockets whose label comes after this one.
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
