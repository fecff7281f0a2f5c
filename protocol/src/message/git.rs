//! The messages for git, in the form of the helper: written and read in one pass, without the calls and replies for people.
//!
//! On the wire these are messages like all others. But the helper runs inside every git command, and with [`super::Reply`], which
//! has to hold the fields of a message back until it knows their kind, it would be a quarter larger and slower to answer.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Erase, Get, Lease};
use crate::error::{ErrorCode, GitNext, WireError};
use crate::remote::{FullName, Host, Owner};
use crate::secret::{self, Secret};
use crate::token_hash::TokenHash;
use crate::{BUILD_VERSION, WIRE_VERSION};

/// What the helper may want of the agent: frozen calls only.
#[derive(Debug)]
pub enum GitCall {
    /// A token for git.
    Get(Get),
    /// git met a 401 with this token.
    Erase(Erase),
    /// Whether an agent listens at all.
    Status,
}

/// What the agent may answer to these.
#[derive(Debug)]
pub enum GitReply {
    /// A token for git.
    Lease(Lease),
    /// Nothing for you: no App is configured for that host or owner. Not an error.
    NoMatch,
    /// The answer to an erase.
    Erased {
        /// Whether such a token was there.
        dropped: bool,
    },
    /// It failed.
    Error(WireError),
    /// A reply that means nothing to the helper.
    Other,
}

/// A [`GitCall`] as it is written: the same JSON as a [`super::Request`] with that call.
#[derive(Serialize)]
pub struct GitRequest<'a> {
    v: u32,
    client: &'static str,
    call: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a Host>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<&'a FullName>,
    #[serde(skip_serializing_if = "<[Owner]>::is_empty")]
    owners: &'a [Owner],
    #[serde(skip_serializing_if = "Option::is_none")]
    hashed_token: Option<&'a TokenHash>,
}

impl<'a> From<&'a GitCall> for GitRequest<'a> {
    fn from(call: &'a GitCall) -> Self {
        let empty = Self {
            v: WIRE_VERSION,
            client: BUILD_VERSION,
            call: "status",
            host: None,
            repository: None,
            owners: &[],
            hashed_token: None,
        };
        match call {
            GitCall::Get(Get { host, repository, owners }) => {
                Self { call: "get", host: Some(host), repository: repository.as_ref(), owners, ..empty }
            }
            GitCall::Erase(Erase { host, hashed_token }) => {
                Self { call: "erase", host: Some(host), hashed_token: Some(hashed_token), ..empty }
            }
            GitCall::Status => empty,
        }
    }
}

/// An answer as it is read.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct GitResponse {
    /// The wire version that the agent speaks.
    pub v: u32,
    /// The agent's build version.
    pub agent: String,
    /// What it says.
    pub reply: GitReply,
}

/// Every field that a reply to the helper may have.
#[derive(Deserialize)]
struct Fields {
    v: u32,
    agent: String,
    reply: Kind,
    // Of a lease.
    username: Option<String>,
    #[serde(default, with = "secret::on_the_wire::optional")]
    token: Option<Secret>,
    expires_at: Option<i64>,
    // Of an erase.
    dropped: Option<bool>,
    // Of an error.
    code: Option<ErrorCode>,
    message: Option<String>,
    hint: Option<String>,
    git_next: Option<GitNext>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Lease,
    NoMatch,
    Erased,
    Error,
    #[serde(other)]
    Other,
}

/// A reply lacks what makes it one.
struct Incomplete;

impl fmt::Display for Incomplete {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("incomplete reply")
    }
}

impl TryFrom<Fields> for GitResponse {
    type Error = Incomplete;

    fn try_from(fields: Fields) -> Result<Self, Incomplete> {
        let Fields { v, agent, reply, username, token, expires_at, dropped, code, message, hint, git_next } = fields;
        let reply = match reply {
            Kind::Lease => GitReply::Lease(Lease {
                username: username.ok_or(Incomplete)?,
                token: token.ok_or(Incomplete)?,
                expires_at: expires_at.ok_or(Incomplete)?,
            }),
            Kind::NoMatch => GitReply::NoMatch,
            Kind::Erased => GitReply::Erased { dropped: dropped.ok_or(Incomplete)? },
            Kind::Error => GitReply::Error(WireError {
                code: code.ok_or(Incomplete)?,
                message: message.ok_or(Incomplete)?,
                hint,
                git_next,
            }),
            Kind::Other => GitReply::Other,
        };
        Ok(Self { v, agent, reply })
    }
}
