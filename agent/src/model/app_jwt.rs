//! The proof that we hold an App's private key.

use ghapp_protocol::secret::Secret;

/// A signed app JWT. Its holder can act as the whole App until it expires.
#[derive(Debug, Clone)]
pub struct AppJwt {
    /// The JWT.
    pub secret: Secret,
    /// When GitHub stops accepting it, by GitHub's clock, in seconds since 1970.
    pub expires_at: i64,
}
