//! Host, owner and repository of a remote, parsed so strictly that no other code has to check them again.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest owner name that GitHub gives out.
const MAX_OWNER: usize = 39;
/// Longest repository name that GitHub gives out.
const MAX_REPOSITORY: usize = 100;
/// Longest DNS name (RFC 1035, section 2.3.4) and room for a port.
const MAX_HOST: usize = 253 + 6;
/// The port that `https` means when none is written (RFC 9110, section 4.2.2).
const HTTPS_PORT: u16 = 443;

/// What made a host, an owner or a repository unacceptable. The input itself is never repeated: it may come from an attacker
/// and end on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteError {
    /// The host is empty, too long, or has a character that no host name has.
    Host,
    /// The port is empty, zero, not a number or too large.
    Port,
    /// The path does not have the form `OWNER/REPOSITORY`.
    Path,
    /// The owner is not a name that GitHub gives to an account.
    Owner,
    /// The repository is not a name that GitHub gives to a repository.
    Repository,
}

impl fmt::Display for RemoteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Host => "the host is not a valid host name",
            Self::Port => "the port is not a number from 1 to 65535",
            Self::Path => "the path does not have the form OWNER/REPOSITORY",
            Self::Owner => "the owner is not a valid account name",
            Self::Repository => "the repository is not a valid repository name",
        })
    }
}

impl std::error::Error for RemoteError {}

/// A host as it stands in a remote URL: lower-case, with the port unless it is 443.
///
/// Two hosts are the same only when all of it is equal; there is no suffix or prefix match anywhere (CVE-2024-53858).
///
/// A clone shares the text, as with the names below: an agent has thousands of tokens for one host.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(Arc<str>);

impl Host {
    /// Parses `NAME` or `NAME:PORT`.
    ///
    /// Refused: non-ASCII (look-alikes), user information, slashes, empty labels and so a trailing dot, empty or overflowing
    /// ports. IP literals in brackets are refused too: no GitHub host has one.
    pub fn parse(text: &str) -> Result<Self, RemoteError> {
        if text.len() > MAX_HOST {
            return Err(RemoteError::Host);
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(parse_port(port)?)),
            None => (text, None),
        };
        if !name.split('.').all(is_label) {
            return Err(RemoteError::Host);
        }
        let name = name.to_ascii_lowercase();
        Ok(Self(match port {
            None | Some(HTTPS_PORT) => name.into(),
            Some(port) => format!("{name}:{port}").into(),
        }))
    }

    /// The host as text, in the form that two equal hosts share.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host name without its port.
    pub fn name(&self) -> &str {
        self.0.split(':').next().unwrap_or_default()
    }
}

fn parse_port(text: &str) -> Result<u16, RemoteError> {
    // `u16::from_str` would accept a leading plus sign.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(RemoteError::Port);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(RemoteError::Port),
        Ok(port) => Ok(port),
    }
}

fn is_label(label: &str) -> bool {
    // Underscores are not host name characters by RFC 952, but internal GHES names have them and DNS carries them.
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

impl TryFrom<String> for Host {
    type Error = RemoteError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Host> for String {
    fn from(host: Host) -> Self {
        host.0.as_ref().to_owned()
    }
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Defines a name that keeps its spelling for calls and compares without regard to ASCII case, as GitHub does.
macro_rules! case_insensitive_name {
    ($(#[$doc:meta])* $name:ident, $error:expr, $accepts:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses the name by GitHub's grammar.
            pub fn parse(text: &str) -> Result<Self, RemoteError> {
                let accepts: fn(&str) -> bool = $accepts;
                if accepts(text) { Ok(Self(text.into())) } else { Err($error) }
            }

            /// The name as it was spelled.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.eq_ignore_ascii_case(&other.0)
            }
        }

        impl Eq for $name {}

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                for byte in self.0.bytes() {
                    state.write_u8(byte.to_ascii_lowercase());
                }
                state.write_u8(0xff); // ends the name, as `str` does
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                let fold = |name: &'_ Self| name.0.to_ascii_lowercase();
                fold(self).cmp(&fold(other))
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl TryFrom<String> for $name {
            type Error = RemoteError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

case_insensitive_name! {
    /// The user or organization that owns a repository.
    ///
    /// Letters, digits and hyphens, at most 39, and no hyphen first; some old names end with a hyphen, or have two in a row. Also
    /// underscores, which separate the short code in the names of managed users.
    Owner, RemoteError::Owner, |text| {
        (1..=MAX_OWNER).contains(&text.len())
            && !text.starts_with(['-', '_'])
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    }
}

case_insensitive_name! {
    /// A repository's name without its owner and without `.git`.
    RepositoryName, RemoteError::Repository, |text| {
        (1..=MAX_REPOSITORY).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            && text != "."
            && text != ".."
            && !text.to_ascii_lowercase().ends_with(".git") // GitHub gives out no such name; it would hide another one
    }
}

/// Owner and name of a repository: what GitHub calls its full name, `OWNER/NAME`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FullName {
    /// The account that owns the repository.
    pub owner: Owner,
    /// The repository's name.
    pub repository: RepositoryName,
}

impl FullName {
    /// Parses the `path` attribute of git's credential protocol: `OWNER/REPOSITORY`, optionally with `.git`, with a trailing
    /// slash, or with git-lfs's `/info/lfs` behind it.
    ///
    /// Nothing is decoded: `%2e` is not a dot here. A path of any other form is refused, and must then not be replaced by
    /// another source of the owner (protocol rules 14 and 15).
    pub fn parse(path: &str) -> Result<Self, RemoteError> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let path = path.strip_suffix("/info/lfs").unwrap_or(path);
        let (owner, repository) = path.split_once('/').ok_or(RemoteError::Path)?;
        if repository.contains('/') {
            return Err(RemoteError::Path);
        }
        let repository = match repository.len().checked_sub(4) {
            Some(at) if repository.is_char_boundary(at) && repository[at..].eq_ignore_ascii_case(".git") => {
                &repository[..at]
            }
            _ => repository,
        };
        Ok(Self { owner: Owner::parse(owner)?, repository: RepositoryName::parse(repository)? })
    }
}

impl TryFrom<String> for FullName {
    type Error = RemoteError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<FullName> for String {
    fn from(name: FullName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.owner, self.repository)
    }
}

/// One repository on one host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Remote {
    /// The host in the remote's URL.
    pub host: Host,
    /// The repository on that host.
    pub full_name: FullName,
}

impl fmt::Display for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.host, self.full_name)
    }
}

#[cfg(test)]
mod tests {
    use super::{FullName, Host, Owner, RemoteError};

    #[test]
    fn hosts_are_equal_only_as_a_whole_but_without_case_and_default_port() {
        let host = |text| Host::parse(text).unwrap();
        assert_eq!(host("GitHub.com"), host("github.com:443"));
        assert_ne!(host("github.com"), host("github.com:8443"));
        assert_ne!(host("github.com"), host("github.com.evil.example"));
        assert_eq!(host("ghes.corp:8443").name(), "ghes.corp");
    }

    #[test]
    fn hosts_that_could_be_read_in_two_ways_are_refused() {
        for text in [
            "",
            ".",
            "github.com.",
            "user@github.com",
            "github.com/x",
            "gith\u{fc}b.com",
            "github.com:",
            "a..b",
            "github.com\r",
            "github.com ",
            "[::1]",
            "github.com%0a",
            "github.com:443:1",
        ] {
            assert!(Host::parse(text).is_err(), "{text:?} was accepted");
        }
        for text in ["a:0", "a:65536", "a:+1", "a:1x", "a: 1"] {
            assert_eq!(Host::parse(text), Err(RemoteError::Port), "{text:?}");
        }
    }

    #[test]
    fn paths_name_one_repository_in_all_their_spellings() {
        let plain = FullName::parse("acme/web").unwrap();
        for path in
            ["acme/web.git", "acme/web/", "acme/web.git/", "Acme/WEB.Git", "acme/web.git/info/lfs", "acme/web/info/lfs"]
        {
            assert_eq!(FullName::parse(path).unwrap(), plain, "{path}");
        }
        assert_eq!(FullName::parse("Acme/Web").unwrap().to_string(), "Acme/Web", "spelling is kept");
    }

    #[test]
    fn paths_of_any_other_form_are_refused() {
        for path in [
            "",
            "/",
            "acme",
            "acme/",
            "/web",
            "acme//web",
            "acme/web/extra",
            "acme/web//",
            "acme/.",
            "acme/..",
            "acme/.git",
            "../web",
            "acme/web.git.git",
            "acme%2fweb",
            "acme/w%65b",
            "acme/web?x",
            "acme/web#x",
            "acme/w\u{e9}b",
            "ac me/web",
            "acme/web\0",
            "acme.corp/web",
            "/acme/web",
            "-acme/web",
            "_acme/web",
        ] {
            assert!(FullName::parse(path).is_err(), "{path:?} was accepted");
        }
        assert!(Owner::parse(&"a".repeat(39)).is_ok());
        assert!(Owner::parse(&"a".repeat(40)).is_err());
        assert!(FullName::parse(&format!("acme/{}", "r".repeat(100))).is_ok());
        assert!(FullName::parse(&format!("acme/{}", "r".repeat(101))).is_err());
    }

    #[test]
    fn managed_users_have_an_underscore_before_their_short_code() {
        assert!(Owner::parse("mona_acme").is_ok());
    }
}
