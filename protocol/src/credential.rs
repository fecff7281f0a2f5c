//! git's credential attributes: what git writes to a helper's standard input, read strictly and as bytes.
//!
//! The format is described in gitcredentials(7) and git-credential(1). Helpers of many vendors were tricked into sending a
//! token elsewhere because they read it more generously than git wrote it (CVE-2020-5260, CVE-2020-11008, CVE-2024-50338,
//! CVE-2024-52006, CVE-2025-23040), so everything that could be read in two ways is refused here. Rule numbers are those of
//! the tests in this crate's `tests/credential/`.

use std::fmt;
use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use crate::TOKEN_USERNAME;
use crate::remote::{FullName, Host};
use crate::token_hash::TokenHash;

/// Longest line including its LF, as git-credential(1) promises (rule 7).
const MAX_LINE: usize = 65_535;
/// Largest request. git's own are below 70 kB even with the longest `wwwauth[]` values (rule 7).
const MAX_REQUEST: usize = 1024 * 1024;
/// How much is read from git at once: a usual request fits into one read. All of it is wiped, byte by byte, and more would take longer
/// than everything else that the helper computes.
const CHUNK: usize = 1024;
/// Room for what git asks; a line that is longer makes more.
const USUAL: usize = 512;

/// Why a request was refused. Says where, never what: the bytes come from a remote URL that an attacker may have written.
#[derive(Debug)]
pub enum CredentialError {
    /// A line is longer than 65,535 bytes.
    LineTooLong,
    /// The request is larger than 1 MiB.
    RequestTooLarge,
    /// A NUL, or a CR that does not end its line, in line number `line`.
    ControlCharacter {
        /// Counted from 1.
        line: usize,
    },
    /// Line number `line` is not `key=value`.
    NotAnAttribute {
        /// Counted from 1.
        line: usize,
    },
    /// An attribute that can have one value came twice.
    Repeated(&'static str),
    /// An attribute is missing without which the password belongs to no remote.
    Missing(&'static str),
    /// `url` contradicts the other attributes.
    Contradiction,
    /// The request could not be read to its end.
    Io(io::Error),
}

impl fmt::Display for CredentialError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong => write!(formatter, "a line is longer than {MAX_LINE} bytes"),
            Self::RequestTooLarge => write!(formatter, "it is larger than {MAX_REQUEST} bytes"),
            Self::ControlCharacter { line } => {
                write!(formatter, "line {line} contains a NUL or CR character")
            }
            Self::NotAnAttribute { line } => {
                write!(formatter, "line {line} is not a key with a value")
            }
            Self::Repeated(key) => write!(formatter, "the attribute {key} came twice"),
            Self::Missing(key) => write!(formatter, "the attribute {key} is missing or empty"),
            Self::Contradiction => formatter.write_str("the attribute url contradicts the other attributes"),
            Self::Io(error) => write!(formatter, "it could not be read: {}", error.kind()),
        }
    }
}

impl std::error::Error for CredentialError {}

/// The attributes of one request that mean something to us, as bytes. Unknown ones are dropped (rule 8).
#[derive(Default)]
pub struct Attributes {
    protocol: Option<Vec<u8>>,
    host: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    username: Option<Vec<u8>>,
    password: Option<Zeroizing<Vec<u8>>>,
    url: Option<Zeroizing<Vec<u8>>>,
    lines: usize,
}

impl fmt::Debug for Attributes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be another helper's password or hostile text: only their number is shown.
        formatter.debug_struct("Attributes").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl Attributes {
    /// Reads up to the blank line or the end, whichever comes first (rule 2), in bounded memory (rule 7).
    pub fn read(input: &mut impl Read) -> Result<Self, CredentialError> {
        let mut attributes = Self::default();
        let mut chunk = Zeroizing::new([0; CHUNK]);
        let mut pending = Zeroizing::new(Vec::with_capacity(USUAL));
        let mut total = 0;
        loop {
            let count = match input.read(&mut chunk[..]) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(CredentialError::Io(error)),
            };
            if count == 0 {
                if !pending.is_empty() {
                    attributes.take_line(&pending)?;
                }
                return Ok(attributes);
            }
            total += count;
            if total > MAX_REQUEST {
                return Err(CredentialError::RequestTooLarge);
            }
            // What came before has no LF; looking for one again would make a long line that comes in drips costly.
            let mut searched = pending.len();
            pending.extend_from_slice(&chunk[..count]);
            let mut start = 0;
            // LF and nothing else ends a line: no Unicode line ends, no lone CR (rules 3 and 4).
            while let Some(at) = pending[searched..].iter().position(|byte| *byte == b'\n') {
                let end = searched + at;
                if end - start + 1 > MAX_LINE {
                    return Err(CredentialError::LineTooLong);
                }
                let line = &pending[start..end];
                // rule 3: at most one, git writes it on Windows
                if !attributes.take_line(line.strip_suffix(b"\r").unwrap_or(line))? {
                    return Ok(attributes);
                }
                start = end + 1;
                searched = start;
            }
            pending.drain(..start);
            if pending.len() >= MAX_LINE {
                return Err(CredentialError::LineTooLong);
            }
        }
    }

    /// Takes one line without its LF or CR LF. False when it was the blank line that ends a request.
    fn take_line(&mut self, line: &[u8]) -> Result<bool, CredentialError> {
        self.lines += 1;
        let number = self.lines;
        if line.is_empty() {
            return Ok(false);
        }
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\0')) {
            return Err(CredentialError::ControlCharacter { line: number });
        }
        // rule 5: the first `=` ends the key
        let at = line.iter().position(|byte| *byte == b'=').filter(|at| *at > 0);
        let Some(at) = at else {
            return Err(CredentialError::NotAnAttribute { line: number });
        };
        let (key, value) = (&line[..at], &line[at + 1..]);
        match key {
            b"protocol" => set(&mut self.protocol, "protocol", value.to_vec()),
            b"host" => set(&mut self.host, "host", value.to_vec()),
            b"path" => set(&mut self.path, "path", value.to_vec()),
            b"username" => set(&mut self.username, "username", value.to_vec()),
            b"password" => set(&mut self.password, "password", Zeroizing::new(value.to_vec())),
            b"url" => set(&mut self.url, "url", Zeroizing::new(value.to_vec())),
            _ => Ok(()),
        }?;
        Ok(true)
    }

    /// Reads the attributes as a question to us.
    pub fn into_request(self) -> Result<Request, CredentialError> {
        // rule 9: a missing host was once read as "any host" (CVE-2020-11008); nothing is defaulted.
        let protocol = self.protocol.as_deref().filter(|value| !value.is_empty());
        let protocol = protocol.ok_or(CredentialError::Missing("protocol"))?;
        let host = self.host.as_deref().filter(|value| !value.is_empty());
        let host = host.ok_or(CredentialError::Missing("host"))?;
        let agrees = |url: &Zeroizing<Vec<u8>>| url_agrees(url, protocol, host, self.path.as_deref());
        if !self.url.as_ref().is_none_or(agrees) {
            return Err(CredentialError::Contradiction);
        }
        // rule 10: a token never travels unencrypted, and `cert`, `ftp` and the like are not ours at all.
        if protocol != b"https" {
            return Ok(Request::NotForUs(NotForUs::Protocol));
        }
        // rule 13: a user name in the URL means that user.
        if self.username.is_some_and(|name| name != TOKEN_USERNAME.as_bytes()) {
            return Ok(Request::NotForUs(NotForUs::Username));
        }
        // A host or path that no GitHub has cannot be ours: gitlab.com/group/subgroup/project belongs to the next helper.
        let Some(host) = text(host).and_then(|host| Host::parse(host).ok()) else {
            return Ok(Request::NotForUs(NotForUs::Host));
        };
        let full_name = match self.path.as_deref() {
            None => None,
            // rule 14: a path that is there but unusable is never replaced by another source of the owner.
            Some(path) => match text(path).and_then(|path| FullName::parse(path).ok()) {
                Some(full_name) => Some(full_name),
                None => return Ok(Request::NotForUs(NotForUs::Path)),
            },
        };
        let password = self.password.as_deref().map(|password| TokenHash::of(password));
        Ok(Request::Https(Question { host, full_name, password }))
    }
}

fn set<T>(slot: &mut Option<T>, key: &'static str, value: T) -> Result<(), CredentialError> {
    // rule 6: a second `host=` is the mark of an injected newline (CVE-2020-5260), even if it says the same.
    if slot.is_some() {
        return Err(CredentialError::Repeated(key));
    }
    *slot = Some(value);
    Ok(())
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Whether `url`, which gitoxide sends beside the other attributes, says the same as they do (rule 16).
fn url_agrees(url: &[u8], protocol: &[u8], host: &[u8], path: Option<&[u8]>) -> bool {
    let Some(url) = text(url) else { return false };
    let Some((scheme, rest)) = url.split_once("://") else {
        return false;
    };
    let (authority, url_path) = rest.split_once('/').unwrap_or((rest, ""));
    let url_host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let trim = |path: &str| path.trim_matches('/').to_owned();
    scheme.as_bytes() == protocol
        && url_host.as_bytes().eq_ignore_ascii_case(host)
        && path.is_none_or(|path| text(path).is_some_and(|path| trim(path) == trim(url_path)))
}

/// A request, as far as it concerns us.
#[derive(Debug)]
pub enum Request {
    /// A well-formed question about an HTTPS remote.
    Https(Question),
    /// Well-formed, and not for us. The answer is silence.
    NotForUs(NotForUs),
}

/// Which attribute says that a request is not for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotForUs {
    /// Another protocol than `https`.
    Protocol,
    /// Another user than the one that tokens have.
    Username,
    /// Not the name of a host that GitHub could run on.
    Host,
    /// Not the path of a repository on GitHub.
    Path,
}

/// What git wants to know, or tells, about one remote.
#[derive(Debug, PartialEq, Eq)]
pub struct Question {
    /// The remote's host.
    pub host: Host,
    /// The repository; git names it only when `credential.useHttpPath` is set for the host.
    pub full_name: Option<FullName>,
    /// The hash of the password that came with an `erase`. The password itself is gone by now (rule 33).
    pub password: Option<TokenHash>,
}

/// Writes the answer to `get`: user name, password and expiry, in one write (rules 17 to 19).
///
/// `password_expiry_utc` is in seconds since 1970. Refuses a token that would not be one line, and an expiry that git would
/// read as "never" (rule 21).
pub fn write_answer(output: &mut impl Write, username: &str, token: &str, password_expiry_utc: i64) -> io::Result<()> {
    let refuse = |why| Err(io::Error::new(io::ErrorKind::InvalidData, why));
    // rule 20: only what would break the format is refused; the alphabet and the length of tokens are GitHub's business.
    let breaks_a_line =
        |value: &str| "username=".len() + value.len() + 1 > MAX_LINE || value.chars().any(char::is_control);
    if token.is_empty() || [username, token].into_iter().any(breaks_a_line) {
        return refuse("the token is not one line");
    }
    if password_expiry_utc <= 0 {
        return refuse("the token has no expiry");
    }
    let answer =
        Zeroizing::new(format!("username={username}\npassword={token}\npassword_expiry_utc={password_expiry_utc}\n"));
    output.write_all(answer.as_bytes())?;
    output.flush()
}
