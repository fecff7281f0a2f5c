//! An installation access token.

use ghapp_protocol::secret::Secret;
use ghapp_protocol::token_hash::TokenHash;

use super::Permissions;

/// A token that GitHub minted.
#[derive(Debug, Clone)]
pub struct InstallationToken {
    /// The token: opaque, of any length (about 520 characters at github.com, 40 at a GitHub Enterprise Server).
    pub secret: Secret,
    /// Its name in logs.
    pub hash: TokenHash,
    /// When GitHub stops accepting it, in seconds since 1970.
    pub expires_at: i64,
    /// What GitHub says it may do.
    pub permissions: Permissions,
}

impl InstallationToken {
    /// Names a token by its hash.
    pub fn new(secret: Secret, expires_at: i64, permissions: Permissions) -> Self {
        let hash = TokenHash::of(secret.expose().as_bytes());
        Self { secret, hash, expires_at, permissions }
    }
}
