//! A text that must not be shown: no `Display`, no comparison, a `Debug` that hides it, wiped when dropped.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// The beginnings of private keys and of GitHub's tokens (GitHub docs, "About authentication to GitHub", token formats). They tell
/// apart what must not be repeated from what may.
pub const MARKS: &[&str] = &["-----BEGIN ", "ghs_", "ghp_", "gho_", "ghu_", "ghr_", "github_pat_"];

/// A secret text: an installation access token, an app JWT, or a private key on its way to the agent.
///
/// It has neither `Display` nor `PartialEq` nor `Serialize`: printing one, comparing one in variable time or putting one
/// into a message has to be written out, at a place that calls [`Secret::expose`] and can be found by that word.
///
/// A clone shares the text, which is wiped when the last clone is dropped: there is one copy of it to wipe.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes the text over; the caller keeps no copy.
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// Returns the text. This call marks the boundary where the secret leaves its hiding.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// Puts a secret into a wire message: `#[serde(with = "crate::secret::on_the_wire")]`.
///
/// The wire is a socket that only the same user can reach (see [`crate::endpoint`]).
pub(crate) mod on_the_wire {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Secret;

    pub(crate) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }

    /// The same for a secret that may be left out.
    pub(crate) mod optional {
        use serde::{Deserialize, Deserializer, Serializer};

        use super::Secret;

        #[expect(clippy::ref_option, reason = "serde passes a reference")]
        pub(crate) fn serialize<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
            match secret {
                Some(secret) => super::serialize(secret, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
            Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_neither_the_text_nor_its_length() {
        assert_eq!(format!("{:?}", Secret::new("ghs_canary".to_owned())), "Secret(..)");
    }
}
