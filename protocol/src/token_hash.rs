//! The SHA-256 of a token: how tokens are named in erase requests, leases and the audit log.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Names a token without revealing it: base64 of its SHA-256.
///
/// This is the form of the `hashed_token` field in GitHub's own audit log, so that both logs can be joined.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes the bytes of a token, or of whatever git hands over as a password.
    ///
    /// Comparing two of these in variable time tells an attacker nothing: to use it takes inverting SHA-256.
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }
}

/// The text was not the base64 of 32 bytes. It is not repeated here, since it may be a misplaced token.
#[derive(Debug, PartialEq, Eq)]
pub struct NotATokenHash;

impl fmt::Display for NotATokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not the base64 of a SHA-256 hash")
    }
}

impl std::error::Error for NotATokenHash {}

impl TryFrom<String> for TokenHash {
    type Error = NotATokenHash;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = STANDARD.decode(text).map_err(|_| NotATokenHash)?;
        bytes.try_into().map(Self).map_err(|_| NotATokenHash)
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hash.to_string()
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TokenHash({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::TokenHash;

    #[test]
    fn has_the_form_of_githubs_audit_log() {
        // printf %s abc | openssl dgst -sha256 -binary | openssl base64
        assert_eq!(TokenHash::of(b"abc").to_string(), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    }

    #[test]
    fn refuses_a_text_of_another_length_without_repeating_it() {
        let error = TokenHash::try_from("ghs_canary".to_owned()).unwrap_err();
        assert!(!error.to_string().contains("canary"));
        assert!(TokenHash::try_from("YWJj".to_owned()).is_err());
    }
}
