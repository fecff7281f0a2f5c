//! Installation access tokens: what they look like, and what a live one is good for.

use std::collections::BTreeSet;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::model::{Installation, Repository, State};
use super::permissions::Permissions;

/// What minted tokens look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenShape {
    /// `ghs_` and 36 letters and digits: GitHub Enterprise Server, and github.com until 2026.
    Short,
    /// `ghs_APPID_JWT`, 520 characters with two dots, dashes and underscores: github.com and GHE.com.
    Long,
}

/// How long a token of [`TokenShape::Long`] is. "About 520 characters" at GitHub, where the length varies.
const LONG: usize = 520;

pub(super) struct Token {
    pub(super) installation_id: u64,
    /// The repositories asked for; none means all that the installation covers.
    pub(super) repositories: Option<BTreeSet<u64>>,
    pub(super) permissions: Permissions,
    pub(super) expires_at: Timestamp,
}

impl TokenShape {
    /// Makes a new token.
    pub(super) fn generate(self, app_id: u64) -> String {
        match self {
            TokenShape::Short => {
                let alphanumeric = random_characters(200).replace(['-', '_'], "");
                format!("ghs_{}", &alphanumeric[..36])
            }
            TokenShape::Long => loop {
                let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
                let prefix = format!("ghs_{app_id}_{header}.eyJ");
                let signature = random_characters(86);
                let claims = random_characters(LONG - prefix.len() - 1 - signature.len());
                // A dash is what GitHub's own suggested pattern forgets, so every token has one (and an underscore).
                if claims.contains('-') && claims.contains('_') {
                    return format!("{prefix}{claims}.{signature}");
                }
            },
        }
    }
}

pub(super) fn random_characters(count: usize) -> String {
    let mut bytes = vec![0; count];
    rand::fill(&mut bytes).expect("the system has randomness");
    let mut text = URL_SAFE_NO_PAD.encode(bytes);
    text.truncate(count);
    text
}

/// A token that is alive, with the installation it belongs to.
#[derive(Clone, Copy)]
pub(super) struct LiveToken<'a> {
    token: &'a Token,
    pub(super) installation: &'a Installation,
}

impl State {
    /// Finds a token that is known, not expired, and whose installation is there and not suspended.
    pub(super) fn live_token(&self, secret: &str) -> Option<LiveToken<'_>> {
        let token = self.tokens.get(secret).filter(|token| token.expires_at > self.now())?;
        let installation = self.installations.get(&token.installation_id)?;
        installation.suspended_at.is_none().then_some(LiveToken { token, installation })
    }
}

impl LiveToken<'_> {
    pub(super) fn covers(&self, repository: &Repository) -> bool {
        self.installation.covers(repository)
            && self.token.repositories.as_ref().is_none_or(|ids| ids.contains(&repository.id))
    }

    /// Whether the token has a permission, and its installation still has it too.
    pub(super) fn allows(&self, name: &str, level: &str) -> bool {
        self.token.permissions.allow(name, level) && self.installation.permissions.allow(name, level)
    }

    pub(super) fn is_narrowed(&self) -> bool {
        self.token.repositories.is_some()
    }
}
