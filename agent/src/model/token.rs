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
    /// When GitHub stops accepting it, in seconds since 1970. By GitHub's clock at first, by ours once the broker has it.
    pub expires_at: i64,
    /// When it was minted, by GitHub's clock, if GitHub said.
    pub minted_at: Option<i64>,
    /// What GitHub says it may do.
    pub permissions: Permissions,
}

impl InstallationToken {
    /// Longest life that GitHub gives a token, with some seconds for the answer to arrive.
    const LONGEST_LIFE: i64 = 3600 + 60;

    /// Names a token by its hash.
    pub fn new(secret: Secret, expires_at: i64, permissions: Permissions) -> Self {
        let hash = TokenHash::of(secret.expose().as_bytes());
        Self { secret, hash, expires_at, minted_at: None, permissions }
    }

    /// Makes the expiry one by our clock, which says `now`; `skew` is what GitHub's clock is known to be ahead.
    ///
    /// What GitHub gives is a lifetime, the span between two times of its own, whatever the clocks say. A clock that is only some
    /// minutes off is good enough for an app JWT, but it must not make tokens seem to live longer than they do.
    #[must_use]
    pub fn by_our_clock(mut self, now: i64, skew: i64) -> Self {
        let life = self.minted_at.map(|minted_at| self.expires_at.saturating_sub(minted_at));
        self.expires_at = match life.filter(|life| (1..=Self::LONGEST_LIFE).contains(life)) {
            Some(life) => now.saturating_add(life),
            None => self.expires_at.saturating_sub(skew),
        };
        self
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::secret::Secret;

    use super::InstallationToken;
    use crate::model::Permissions;

    fn expiry(expires_at: i64, minted_at: Option<i64>, now: i64, skew: i64) -> i64 {
        let token = InstallationToken::new(Secret::new("t".to_owned()), expires_at, Permissions::for_git());
        InstallationToken { minted_at, ..token }.by_our_clock(now, skew).expires_at
    }

    #[test]
    fn a_token_lives_as_long_as_github_says_whatever_our_clock_says() {
        assert_eq!(expiry(13_600, Some(10_000), 9_520, 0), 13_120, "our clock is 8 minutes behind and nobody knew");
        assert_eq!(expiry(13_600, Some(10_000), 10_000, 0), 13_600);
    }

    #[test]
    fn without_a_believable_time_of_githubs_the_known_difference_counts() {
        assert_eq!(expiry(13_600, None, 9_000, 1_000), 12_600);
        assert_eq!(expiry(13_600, Some(100_000), 9_000, 1_000), 12_600, "a proxy's nonsense");
        assert_eq!(expiry(13_600, Some(1), 9_000, 1_000), 12_600);
    }
}
