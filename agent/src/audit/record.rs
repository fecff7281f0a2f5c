//! One decision, as a line of the audit log has it.

use ghapp_protocol::message::{Label, LeaseId};
use ghapp_protocol::token_hash::TokenHash;
use serde::Serialize;

/// One decision.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Record {
    /// When, RFC 3339, UTC.
    pub ts: String,
    /// What was asked: `get`, `erase`, `token`, `login`, ...
    pub call: &'static str,
    /// How it ended: `hit`, `mint`, `joined`, `no_match`, or the error's code.
    pub outcome: String,
    /// The asking process's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The asking process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// What it and its ancestors are called: a hint. Looked up for mints only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Over which exposed socket, or about which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// For which host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// For which repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// As which App.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// About which of its keys, as a fingerprint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Which key signs instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_key: Option<String>,
    /// By which rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Through which installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation_id: Option<u64>,
    /// Which repositories the token reaches: a list, or `installation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repositories: Option<serde_json::Value>,
    /// What it may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
    /// Its lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseId>,
    /// Its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hashed_token: Option<TokenHash>,
    /// How many decisions it stands for that have no line of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How long the answer took, in microseconds.
    pub us: u64,
    /// The how-manieth decision of its agent it is: for the order of lines in different files.
    pub seq: u64,
    /// It is about what was asked over an exposed socket and led to no token, and goes where such lines go.
    #[serde(skip)]
    pub is_exposed: bool,
}

/// A time as a line has it.
pub(crate) fn timestamp(wall: i64) -> String {
    jiff::Timestamp::from_second(wall).map(|ts| ts.to_string()).unwrap_or_default()
}
