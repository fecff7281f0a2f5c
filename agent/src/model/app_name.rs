//! The names of an App: the nickname that it has here, and what it calls itself in its JWT.

use std::fmt;
use std::sync::Arc;

/// The nickname of an App in the configuration. A clone shares the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppName(Arc<str>);

/// A nickname that would be hard to type, to quote or to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an App's name has 1 to 64 letters, digits, dots, hyphens or underscores")]
pub struct NameError;

impl AppName {
    /// Longest nickname; GitHub's own limit for an App's name is 34.
    const MAX: usize = 64;
    /// The nickname while the App's slug is not known.
    pub const UNNAMED: &str = "new";

    /// The nickname of an App whose slug is not known yet.
    pub fn unnamed() -> Self {
        Self(Self::UNNAMED.into())
    }

    /// Takes a nickname from a person or from an App's slug.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=Self::MAX).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(NameError)
        }
    }

    /// The nickname as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How an App names itself in its JWT (`iss`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Issuer {
    /// The numeric id; every GitHub takes it.
    AppId(u64),
    /// The client ID; github.com takes it, GitHub Enterprise Server from 3.14.
    ClientId(String),
    /// GitHub has not named the App yet: it is being made. The configuration has no such App, and none signs.
    Unnamed,
}

impl fmt::Display for Issuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AppId(id) => write!(formatter, "{id}"),
            Self::ClientId(id) => formatter.write_str(id),
            Self::Unnamed => formatter.write_str("without an id"),
        }
    }
}
