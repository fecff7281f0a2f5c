//! Runs git itself, with bounds: reads and writes its configuration, and asks a repository for its remote.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ghapp_protocol::error::ErrorCode;

use crate::arguments::Place;
use crate::failure::CliError;
use crate::git::helper_chain::Entry;
use crate::process::bounded::{self, Answer, Trouble};
use crate::process::program_version::{numbers, version_of};

/// How long git may take. Reading or changing a file takes milliseconds; a home directory on a network may need seconds.
const GIT_TIMEOUT: Duration = Duration::from_secs(10);

/// One of git's configuration files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ConfigFile {
    /// The user's.
    Global,
    /// The current repository's.
    Local,
    /// The machine's.
    System,
    /// A file by its path.
    File(PathBuf),
}

impl ConfigFile {
    /// The file that the flags name.
    pub(crate) fn of(place: &Place) -> Self {
        match place {
            Place { local: true, .. } => Self::Local,
            Place { system: true, .. } => Self::System,
            Place { file: Some(path), .. } => Self::File(path.clone()),
            _ => Self::Global,
        }
    }

    /// The flag that names it, as git and `ghapp setup-git` both take it.
    pub(crate) fn flag(&self) -> Vec<OsString> {
        match self {
            Self::Global => vec!["--global".into()],
            Self::Local => vec!["--local".into()],
            Self::System => vec!["--system".into()],
            Self::File(path) => vec!["--file".into(), path.into()],
        }
    }

    /// Its name for people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Global => "git's global configuration".to_owned(),
            Self::Local => "this repository's configuration".to_owned(),
            Self::System => "git's system configuration".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The values of a key, in their order.
    pub(crate) fn values(&self, key: &str) -> Result<Vec<String>, CliError> {
        let answer = self.config(&["--null", "--get-all", key])?;
        if answer.status.code() == Some(NOTHING_FOUND) {
            return Ok(Vec::new());
        }
        expect_success(&answer)?;
        Ok(records(&answer))
    }

    /// The subsections of `credential` with a helper that `wanted` accepts, in their order, each once.
    pub(crate) fn sections(&self, wanted: impl Fn(&str, &str) -> bool) -> Result<Vec<String>, CliError> {
        let mut found = Vec::new();
        for (key, value) in self.entries(r"^credential\..*\.helper$")? {
            let Some(url) = section(&key) else { continue };
            if wanted(url, &value) && !found.iter().any(|known| known == url) {
                found.push(url.to_owned());
            }
        }
        Ok(found)
    }

    /// Every key that matches, with each of its values, in the order of the file. Section and name are in lower case.
    pub(crate) fn entries(&self, pattern: &str) -> Result<Vec<(String, String)>, CliError> {
        let answer = self.config(&["--null", "--get-regexp", pattern])?;
        if answer.status.code() == Some(NOTHING_FOUND) {
            return Ok(Vec::new());
        }
        expect_success(&answer)?;
        let entry = |record: &String| {
            // A key without a value has no line end.
            let (key, value) = record.split_once('\n').unwrap_or((record, ""));
            (key.to_owned(), value.to_owned())
        };
        Ok(records(&answer).iter().map(entry).collect())
    }

    /// Makes `wanted` the values of a key, touching the file only where it has to be.
    pub(crate) fn set(&self, key: &str, current: &[String], wanted: &[String]) -> Result<(), CliError> {
        let common = current.iter().zip(wanted).take_while(|(a, b)| a == b).count();
        let added = if common == current.len() {
            &wanted[common..]
        } else if let [first, rest @ ..] = wanted {
            // Keeps the section where it is, which a section that was removed and added anew would not be.
            expect_success(&self.config(&["--replace-all", key, first])?)?;
            rest
        } else {
            expect_success(&self.config(&["--unset-all", key])?)?;
            &[]
        };
        for value in added {
            expect_success(&self.config(&["--add", key, value])?)?;
        }
        Ok(())
    }

    fn config(&self, arguments: &[&str]) -> Result<Answer, CliError> {
        let file = self.flag();
        let arguments = arguments.iter().map(OsStr::new);
        run(std::iter::once(OsStr::new("config")).chain(file.iter().map(OsString::as_os_str)).chain(arguments))
    }
}

/// `git config` exits with this when a key has no value; a key that cannot be one shares it (git-config(1), "Description").
const NOTHING_FOUND: i32 = 1;

/// Splits a record of `git config --null --get-regexp`: key, line end, value; a key without a value has no line end.
fn section_and_value(record: &str) -> Option<(&str, &str)> {
    let (key, value) = record.split_once('\n').unwrap_or((record, ""));
    Some((section(key)?, value))
}

/// The subsection of `credential` that a key of a helper is in.
fn section(key: &str) -> Option<&str> {
    key.strip_prefix("credential.")?.strip_suffix(".helper")
}

/// Every credential section, in all of git's files together, that names our helper; each with its file.
pub(crate) fn effective_sections(is_ours: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>, CliError> {
    let arguments = ["config", "--null", "--show-origin", "--get-regexp", r"^credential\..*\.helper$"];
    let answer = run(arguments.iter().map(OsStr::new))?;
    if answer.status.code() == Some(NOTHING_FOUND) {
        return Ok(Vec::new());
    }
    expect_success(&answer)?;
    let mut found = Vec::new();
    // Origin and key take turns.
    for pair in records(&answer).chunks_exact(2) {
        if let Some((url, value)) = section_and_value(&pair[1])
            && is_ours(value)
        {
            let file = pair[0].strip_prefix("file:").unwrap_or(&pair[0]);
            found.push((url.to_owned(), file.to_owned()));
        }
    }
    Ok(found)
}

/// Everything under `credential`, in all of git's files together, in git's order.
pub(crate) fn credential_entries() -> Result<Vec<Entry>, CliError> {
    entries("credential", r"^credential\.")
}

/// Every value of a section whose key matches, in all of git's files together, in git's order. Keys are in lower case.
pub(crate) fn entries(section: &str, pattern: &str) -> Result<Vec<Entry>, CliError> {
    let answer = run(["config", "--null", "--show-origin", "--get-regexp", pattern].iter().map(OsStr::new))?;
    if answer.status.code() == Some(NOTHING_FOUND) {
        return Ok(Vec::new());
    }
    expect_success(&answer)?;
    Ok(records(&answer).chunks_exact(2).filter_map(|pair| Entry::of(section, &pair[0], &pair[1])).collect())
}

/// The URL of the remote `origin` of the repository around the current directory, as git would use it.
pub(crate) fn origin() -> Result<String, CliError> {
    line(&["remote", "get-url", "origin"])
}

/// The one line that git prints for these arguments.
pub(crate) fn line(arguments: &[&str]) -> Result<String, CliError> {
    let answer = run(arguments.iter().map(OsStr::new))?;
    expect_success(&answer)?;
    Ok(String::from_utf8_lossy(&answer.stdout).trim_end().to_owned())
}

/// The version of git: its first two numbers.
pub(crate) fn git_version() -> Option<(u32, u32)> {
    numbers(&version_of(Path::new("git")).ok()?)
}

/// Requires that git succeeded.
fn expect_success(answer: &Answer) -> Result<(), CliError> {
    if answer.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&answer.stderr);
    let first = words.lines().next().unwrap_or_default();
    let first = ["fatal: ", "error: "].iter().find_map(|label| first.strip_prefix(label)).unwrap_or(first);
    Err(CliError::new(
        ErrorCode::Git,
        if first.is_empty() { format!("git failed ({})", answer.status) } else { format!("git failed: {first}") },
    ))
}

/// The output, split at its NUL bytes.
fn records(answer: &Answer) -> Vec<String> {
    let text = String::from_utf8_lossy(&answer.stdout);
    let text = text.strip_suffix('\0').unwrap_or(&text);
    if answer.stdout.is_empty() { Vec::new() } else { text.split('\0').map(str::to_owned).collect() }
}

fn run<'a>(arguments: impl Iterator<Item = &'a OsStr>) -> Result<Answer, CliError> {
    bounded::run(Command::new("git").args(arguments), b"", GIT_TIMEOUT).map_err(|trouble| match trouble {
        Trouble::NotFound => CliError::new(ErrorCode::Git, "git is not in PATH").hint("install git"),
        Trouble::TooSlow(limit) => {
            CliError::new(ErrorCode::Git, format!("git did not answer within {} s", limit.as_secs()))
        }
        Trouble::Io(error) => CliError::new(ErrorCode::Git, format!("cannot run git: {error}")).caused_by(error),
    })
}

#[cfg(test)]
mod tests {
    use super::section_and_value;

    #[test]
    fn a_key_has_a_section_and_perhaps_a_value() {
        assert_eq!(
            section_and_value("credential.https://github.com/acme.helper\nghapp"),
            Some(("https://github.com/acme", "ghapp"))
        );
        assert_eq!(section_and_value("credential.https://github.com.helper"), Some(("https://github.com", "")));
        assert_eq!(section_and_value("credential.helper\nstore"), None);
    }
}
