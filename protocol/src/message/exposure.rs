//! What messages say about exposed sockets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::remote::{Host, Owner, RepositoryName};

/// Opens a further socket with a rule that never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expose {
    /// The host in the remotes' URLs; the only configured one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Host>,
    /// The owner of the repositories.
    pub owner: Owner,
    /// The repositories: at least one.
    pub repositories: Vec<RepositoryName>,
    /// What each token may do, such as `contents` → `read`; what the rules give git when left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, String>,
    /// How long the socket stays, in seconds; the agent's default when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// An absolute path; a place beside the agent's own socket when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its name; one is made up when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// The one user who may connect, besides root; the agent's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The App to use, when more than one could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

/// Closes an exposed socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unexpose {
    /// Its label, or its absolute path.
    pub which: String,
    /// Revoke the tokens at GitHub that were given out over it.
    #[serde(default)]
    pub revoke: bool,
}

/// An exposed socket and its rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExposureStatus {
    /// Its name.
    pub label: Label,
    /// Where it is.
    pub path: String,
    /// As which App.
    pub app: String,
    /// For which host.
    pub host: Host,
    /// The owner of the repositories.
    pub owner: Owner,
    /// The repositories.
    pub repositories: Vec<RepositoryName>,
    /// What each token may do.
    pub permissions: BTreeMap<String, String>,
    /// The one user who may connect, besides root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// When it was opened.
    pub created_at: i64,
    /// When it closes by itself.
    pub expires_at: i64,
}

/// What became of a socket that was to be closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unexposed {
    /// Its name.
    pub label: Label,
    /// Tokens revoked at GitHub.
    #[serde(default)]
    pub revoked: usize,
    /// Tokens that were given out over it and live on until their hour is over.
    #[serde(default)]
    pub left_alive: usize,
}

/// The name of an exposed socket: for people, for the audit log, and for a directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// Why a text is no label.
const LABEL_FORM: &str =
    "a label has 1 to 32 letters, digits, dots, hyphens or underscores, the first a letter or digit";

impl Label {
    /// Longest label: its directory has to fit into a socket's address.
    pub const MAX: usize = 32;

    /// Takes a label from a person.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let begins_well = text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
        if begins_well && text.len() <= Self::MAX && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(LABEL_FORM)
        }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TryFrom<String> for Label {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

#[cfg(test)]
mod tests {
    use super::Label;

    #[test]
    fn a_label_can_be_a_directory_and_never_another_one() {
        for good in ["ci", "web-2", "Web.js", "0", &"x".repeat(32)] {
            Label::parse(good).expect(good);
        }
        for bad in ["", ".", "..", ".hidden", "-x", "a/b", "a b", "é", &"x".repeat(33)] {
            Label::parse(bad).expect_err(bad);
        }
    }
}
