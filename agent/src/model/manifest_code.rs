//! What GitHub gives a browser when it has registered an App from a manifest.

use ghapp_protocol::secret::Secret;

/// A code that is worth an App's private key, once and within an hour.
#[derive(Debug, Clone)]
pub struct ManifestCode(Secret);

impl ManifestCode {
    /// Longest code that is taken; GitHub's have 40 characters.
    const MAX: usize = 255;

    /// Takes a code that can be part of a URL's path as it is.
    pub fn parse(code: Secret) -> Option<Self> {
        let text = code.expose();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        ((1..=Self::MAX).contains(&text.len()) && text.bytes().all(allowed)).then_some(Self(code))
    }

    /// The code.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::secret::Secret;

    use super::ManifestCode;

    #[test]
    fn what_would_lead_to_another_path_is_no_code() {
        let parse = |text: &str| ManifestCode::parse(Secret::new(text.to_owned())).is_some();
        assert!(parse("a180b1a3d263c81bc6441d7b990bae27d4c10679") && parse("v1-A_b"));
        for text in ["", "..", "a/b", "a%2fb", "a?b", "a b", "\u{e9}", &"a".repeat(256)] {
            assert!(!parse(text), "{text}");
        }
    }
}
