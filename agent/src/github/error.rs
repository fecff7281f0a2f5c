//! What GitHub's refusals mean: status, headers and words, made into causes.

use std::error::Error as _;

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::types::RawError;

/// How much of GitHub's own words is repeated.
const MAX_MESSAGE: usize = 200;
/// Why GitHub did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GitHubError {
    /// No connection, or it broke.
    #[error("cannot reach {host}: {reason}")]
    Unreachable {
        /// The API's host.
        host: String,
        /// What happened, without URLs.
        reason: String,
        /// Whether there was a connection, so that the request may have arrived.
        connected: bool,
    },
    /// The certificate is not trusted.
    #[error("the certificate of {host} is not trusted: {reason}")]
    Untrusted {
        /// The API's host.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The proxy said no.
    #[error("the proxy refused a connection to {host}: {reason}")]
    Proxy {
        /// The API's host.
        host: String,
        /// What it said.
        reason: String,
    },
    /// The additional certificates cannot be used.
    #[error("cannot use the CA file {file}: {reason}")]
    CaFile {
        /// The file.
        file: String,
        /// Why not.
        reason: String,
    },
    /// The key does not belong to the App.
    #[error("GitHub could not decode the app JWT")]
    KeyRefused,
    /// `iat` or `exp` did not suit GitHub's clock.
    #[error("GitHub refused the time in the app JWT")]
    Clock {
        /// GitHub's clock, in seconds since 1970, when it said.
        server_time: Option<i64>,
    },
    /// `iss` is not an App's id here: a client ID at an old GitHub Enterprise Server, or nonsense.
    #[error("GitHub does not know the issuer of the app JWT")]
    Issuer,
    /// No App has that id here.
    #[error("GitHub has no such App")]
    UnknownApp,
    /// The installation is suspended.
    #[error("the installation is suspended")]
    Suspended,
    /// Too many requests.
    #[error("GitHub asks to wait")]
    RateLimited {
        /// Until when, in seconds since 1970, if it said.
        until: Option<i64>,
    },
    /// There is no such thing, or the App may not see it.
    #[error("GitHub has no such thing")]
    NotFound,
    /// A repository that was named in a mint is not part of the installation.
    #[error("a repository is not part of the installation")]
    RepositoryNotIncluded,
    /// A permission that was named in a mint is not granted.
    #[error("a permission is not granted")]
    PermissionNotGranted,
    /// The token is dead.
    #[error("the token is not valid")]
    BadCredentials,
    /// GitHub is out of order.
    #[error("GitHub answered with status {0}")]
    Unavailable(u16),
    /// Not the answer of GitHub's API.
    #[error("the answer is not one of GitHub's API: {0}")]
    Garbled(&'static str),
    /// Another refusal, in GitHub's words.
    #[error("GitHub refused with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// GitHub's words, made printable.
        message: String,
    },
}

impl GitHubError {
    /// Whether the same call may succeed in a moment: GitHub's hiccups and the network's.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unavailable(_))
    }

    /// Whether GitHub looked at the question itself, and so had accepted the key behind it.
    pub(crate) fn is_behind_the_key(&self) -> bool {
        matches!(self, Self::Suspended | Self::NotFound | Self::RepositoryNotIncluded | Self::PermissionNotGranted)
    }

    /// Whether GitHub may have done what it was asked although we have no answer: a mint may have left a token that we do not hold.
    pub(crate) fn may_have_happened(&self) -> bool {
        matches!(self, Self::Unreachable { connected: true, .. } | Self::Unavailable(_) | Self::Garbled(_))
    }
}

/// Reads a refusal. `now` is the local wall clock, for relative waits.
///
/// A 403 has four meanings (suspended, forbidden, primary limit, secondary limit), so headers and words decide, never the
/// status alone.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8], now: i64) -> GitHubError {
    let message = serde_json::from_slice::<RawError>(body).unwrap_or_default().message;
    let says = |words: &str| message.contains(words);
    let forbidden = matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
    if forbidden && let Some(limited) = limit(headers, &message, now) {
        return limited;
    }
    match status {
        StatusCode::UNAUTHORIZED if says("'exp'") || says("'iat'") => GitHubError::Clock { server_time: date(headers) },
        StatusCode::UNAUTHORIZED if says("'iss'") => GitHubError::Issuer,
        StatusCode::UNAUTHORIZED if says("Bad credentials") => GitHubError::BadCredentials,
        StatusCode::UNAUTHORIZED if says("could not be decoded") || says("public key") => GitHubError::KeyRefused,
        StatusCode::FORBIDDEN if says("suspended") => GitHubError::Suspended,
        StatusCode::NOT_FOUND if says("Integration not found") => GitHubError::UnknownApp,
        // Something that is not GitHub's API also answers 404: a proxy's page, a web server without GitHub.
        StatusCode::NOT_FOUND | StatusCode::GONE if !message.is_empty() => GitHubError::NotFound,
        StatusCode::NOT_FOUND => GitHubError::Garbled("a 404 that is not GitHub's"),
        StatusCode::UNPROCESSABLE_ENTITY if says("does not exist or is not accessible") => {
            GitHubError::RepositoryNotIncluded
        }
        StatusCode::UNPROCESSABLE_ENTITY if says("permissions requested are not granted") => {
            GitHubError::PermissionNotGranted
        }
        _ if status.is_server_error() => GitHubError::Unavailable(status.as_u16()),
        _ => GitHubError::Refused { status: status.as_u16(), message: printable(&message) },
    }
}

/// Whether it is a limit. GitHub docs, "Rate limits for the REST API": `retry-after` if there is one, else the reset if nothing
/// remains, else it is a secondary limit that only its words show.
fn limit(headers: &HeaderMap, message: &str, now: i64) -> Option<GitHubError> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
    if let Some(wait) = number(RETRY_AFTER.as_str()) {
        return Some(GitHubError::RateLimited { until: Some(now.saturating_add(wait.max(0))) });
    }
    if number("x-ratelimit-remaining") == Some(0) {
        return Some(GitHubError::RateLimited { until: number("x-ratelimit-reset") });
    }
    message.contains("rate limit").then_some(GitHubError::RateLimited { until: None })
}

/// The server's clock, in seconds since 1970 (RFC 9110, section 6.6.1).
pub(super) fn date(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(date.as_second())
}

/// Reads a failure below HTTP.
pub(super) fn transport(error: &reqwest::Error, host: &str) -> GitHubError {
    // The outermost text is "error sending request for url (...)" and says nothing; the causes do.
    let mut reasons = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        reasons.push(cause.to_string());
        source = cause.source();
    }
    let host = host.to_owned();
    let reason = if error.is_timeout() {
        "timed out".to_owned()
    } else {
        printable(reasons.last().map_or("the connection failed", String::as_str))
    };
    let says = |words: &str| reasons.iter().any(|reason| reason.contains(words));
    if says("certificate") {
        GitHubError::Untrusted { host, reason }
    } else if says("tunnel") || says("proxy") {
        GitHubError::Proxy { host, reason }
    } else {
        GitHubError::Unreachable { host, reason, connected: !error.is_connect() }
    }
}

/// Foreign words, made fit for a terminal and a log.
fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::{GitHubError, refusal};

    const NOW: i64 = 1_790_000_000;

    fn read(status: u16, headers: &[(&'static str, &'static str)], message: &str) -> GitHubError {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
        let body = serde_json::json!({ "message": message }).to_string();
        refusal(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes(), NOW)
    }

    #[test]
    fn the_four_meanings_of_403_are_told_apart() {
        assert_eq!(read(403, &[], "This installation has been suspended"), GitHubError::Suspended);
        assert_eq!(
            read(403, &[("retry-after", "30")], "You have exceeded a secondary rate limit."),
            GitHubError::RateLimited { until: Some(NOW + 30) }
        );
        assert_eq!(
            read(
                403,
                &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1790000100")],
                "API rate limit exceeded"
            ),
            GitHubError::RateLimited { until: Some(1_790_000_100) }
        );
        assert_eq!(
            read(429, &[], "You have exceeded a secondary rate limit."),
            GitHubError::RateLimited { until: None }
        );
        assert!(matches!(read(403, &[], "Resource not accessible"), GitHubError::Refused { .. }));
    }

    #[test]
    fn a_jwt_is_refused_for_three_different_reasons() {
        assert_eq!(read(401, &[], "A JSON web token could not be decoded"), GitHubError::KeyRefused);
        assert_eq!(
            read(
                401,
                &[("date", "Sat, 21 Nov 2026 03:00:00 GMT")],
                "'Expiration time' claim ('exp') is too far in the future"
            ),
            GitHubError::Clock { server_time: Some(1_795_230_000) }
        );
        assert_eq!(read(401, &[], "'Issuer' claim ('iss') must be an Integer"), GitHubError::Issuer);
    }

    #[test]
    fn the_two_refusals_of_a_mint_are_told_apart() {
        assert_eq!(
            read(
                422,
                &[],
                "There is at least one repository that does not exist or is not accessible to the parent installation."
            ),
            GitHubError::RepositoryNotIncluded
        );
        assert_eq!(
            read(422, &[], "The permissions requested are not granted to this installation."),
            GitHubError::PermissionNotGranted
        );
    }

    #[test]
    fn a_404_of_another_server_is_not_githubs() {
        let status = StatusCode::NOT_FOUND;
        let error = refusal(status, &HeaderMap::new(), b"<html>not here</html>", NOW);
        assert!(matches!(error, GitHubError::Garbled(_)));
        assert_eq!(read(404, &[], "Not Found"), GitHubError::NotFound);
        assert_eq!(read(404, &[], "Integration not found"), GitHubError::UnknownApp);
    }
}
