//! Where a host's REST API is.

use std::fmt;

use ghapp_protocol::remote::Host;
use url::Url;

/// The base of a host's REST API, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiUrl(String);

/// Why a text is not the base of an API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiUrlError {
    /// Not a URL.
    #[error("the API URL is not a URL")]
    Syntax,
    /// A JWT for a whole App would travel unencrypted.
    #[error("the API URL must begin with https://")]
    NotHttps,
    /// User, query or fragment.
    #[error("the API URL must be a plain base such as https://ghes.example/api/v3")]
    NotABase,
}

impl ApiUrl {
    /// The API that belongs to a host.
    ///
    /// Source: GitHub docs, "Getting started with the REST API" for each product: github.com has `api.github.com`, a
    /// data-residency tenant `SUB.ghe.com` has `api.SUB.ghe.com`, and GitHub Enterprise Server has `HOST/api/v3`. Whole labels
    /// are compared: `github.com.evil.example` is a server of its own.
    pub fn of(host: &Host) -> Self {
        Self(match host.name() {
            "github.com" => "https://api.github.com".to_owned(),
            name if is_data_residency(name) => format!("https://api.{name}"),
            _ => format!("https://{host}/api/v3"),
        })
    }

    /// Takes a URL from a person.
    pub fn parse(text: &str) -> Result<Self, ApiUrlError> {
        let url = Url::parse(text).map_err(|_| ApiUrlError::Syntax)?;
        if url.scheme() != "https" {
            return Err(ApiUrlError::NotHttps);
        }
        let plain =
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if !plain {
            return Err(ApiUrlError::NotABase);
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The base as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `SUB.ghe.com`, with exactly one label before the domain.
fn is_data_residency(name: &str) -> bool {
    name.strip_suffix(".ghe.com").is_some_and(|sub| !sub.is_empty() && !sub.contains('.'))
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::Host;

    use super::{ApiUrl, ApiUrlError};

    #[test]
    fn each_product_has_its_api_in_another_place() {
        for (host, api) in [
            ("github.com", "https://api.github.com"),
            ("acme.ghe.com", "https://api.acme.ghe.com"),
            ("ghes.corp", "https://ghes.corp/api/v3"),
            ("ghes.corp:8443", "https://ghes.corp:8443/api/v3"),
            ("github.com.evil.example", "https://github.com.evil.example/api/v3"),
            ("notghe.com", "https://notghe.com/api/v3"),
            ("a.b.ghe.com", "https://a.b.ghe.com/api/v3"),
        ] {
            assert_eq!(ApiUrl::of(&Host::parse(host).unwrap()).as_str(), api);
        }
    }

    #[test]
    fn a_base_is_https_and_plain() {
        assert_eq!(ApiUrl::parse("https://h/api/v3/").unwrap().as_str(), "https://h/api/v3");
        assert_eq!(ApiUrl::parse("http://h/api/v3"), Err(ApiUrlError::NotHttps));
        assert_eq!(ApiUrl::parse("https://u:p@h/"), Err(ApiUrlError::NotABase));
        assert_eq!(ApiUrl::parse("h/api"), Err(ApiUrlError::Syntax));
    }
}
