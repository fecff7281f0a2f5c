//! The helpers that git asks about a URL, by git's own rules: which sections of its configuration match, in which order, and what
//! a reset forgets. Pure: the configuration is read elsewhere.

use std::path::PathBuf;

use ghapp_protocol::secret::MARKS;

use crate::git::credential_section;

/// A value under `credential` or `http` in git's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The URL or part of one that it applies to; `None` when it applies to all.
    pub(crate) section: Option<String>,
    /// `helper`, `usehttppath`, ...
    pub(crate) key: String,
    pub(crate) value: String,
    /// The file that it stands in, or `command line:` for what variables and options say.
    pub(crate) file: String,
}

impl Entry {
    /// Reads what `git config --null --show-origin --get-regexp` prints about one of `name`. A key without a value is left out:
    /// git refuses one here.
    pub(crate) fn of(name: &str, origin: &str, record: &str) -> Option<Self> {
        let (key, value) = record.split_once('\n')?;
        let key = key.strip_prefix(name)?.strip_prefix('.')?;
        let (section, key) = match key.rsplit_once('.') {
            Some((section, key)) => (Some(section.to_owned()), key),
            None => (None, key),
        };
        let file = origin.strip_prefix("file:").unwrap_or(origin);
        Some(Self { section, key: key.to_owned(), value: value.to_owned(), file: file.to_owned() })
    }

    /// The helper that this entry names, if it names one.
    pub(crate) fn helper(&self) -> Option<Helper> {
        let names = self.key == "helper" && !self.value.is_empty();
        names.then(|| Helper { command: self.value.clone(), file: self.file.clone() })
    }
}

/// An https URL of a repository, as git compares it. Its user may be a token: nothing of this is ever shown.
pub(crate) struct Remote {
    user: Option<String>,
    host: String,
    path: String,
}

impl Remote {
    /// Takes an https URL apart. `None` when it is none.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let parts = Parts::of(rest);
        scheme.eq_ignore_ascii_case("https").then(|| Self {
            user: parts.user.map(str::to_owned),
            host: parts.host,
            path: parts.path.to_owned(),
        })
    }

    /// The same with everything in lower case, to see whether a section would match if git did not look at the case.
    pub(crate) fn in_lower_case(&self) -> Self {
        Self { path: self.path.to_ascii_lowercase(), user: self.user.clone(), host: self.host.clone() }
    }

    /// Whether a section of `http` or `credential` applies to this URL.
    pub(crate) fn is_in(&self, section: &str) -> bool {
        matches(section, self)
    }

    /// Whether it has the same host as another URL.
    pub(crate) fn is_on_host_of(&self, other: &Self) -> bool {
        self.host == other.host
    }

    /// Whether it names another user than the one of tokens. Our helper leaves such a remote to the next helper.
    pub(crate) fn names_another_user(&self) -> bool {
        self.user.as_deref().is_some_and(|user| user != ghapp_protocol::TOKEN_USERNAME)
    }
}

/// A helper that git asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Helper {
    /// Its name in the configuration.
    pub(crate) command: String,
    /// The file that says so.
    pub(crate) file: String,
}

impl Helper {
    /// Whether its command line names the owner.
    pub(crate) fn names_owner(&self) -> bool {
        self.command.contains(" --owner")
    }

    /// Whether it is our helper, also with options.
    pub(crate) fn is_ours(&self) -> bool {
        let value = &self.command;
        let (program, is_path) = match value.strip_prefix('!') {
            Some(command) => (command, true),
            None => (value.as_str(), value.starts_with('/')),
        };
        let program = program.split_ascii_whitespace().next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        credential_section::is_ours(value)
            || program == credential_section::BARE_HELPER && !is_path
            || name == credential_section::HELPER_PROGRAM && is_path
    }

    /// The program that it names by its path, if it does.
    pub(crate) fn program(&self) -> Option<PathBuf> {
        if let Some(program) = credential_section::program(&self.command) {
            return Some(program);
        }
        let command = self.command.strip_prefix('!').unwrap_or(&self.command);
        let first = command.split_ascii_whitespace().next().unwrap_or_default();
        first.starts_with('/').then(|| PathBuf::from(first))
    }

    /// Its command for people. A command for the shell may have a password in it and is not shown.
    pub(crate) fn shown(&self) -> &str {
        let plain = |char: char| char.is_ascii_alphanumeric() || "/\\._-~=:!' ".contains(char);
        let secret = ["pass", "token", "secret"];
        let lower = self.command.to_ascii_lowercase();
        if self.command.chars().all(plain)
            && !MARKS.iter().chain(&secret).any(|mark| lower.contains(&mark.to_ascii_lowercase()))
        {
            &self.command
        } else {
            "a shell command"
        }
    }
}

/// What git does for a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The helpers that it asks, in this order, until one answers.
    pub(crate) helpers: Vec<Helper>,
    /// Whether it tells them the path.
    pub(crate) tells_path: bool,
}

impl Chain {
    /// Reads the configuration as git does: every section that matches counts, in the order of the files, and an empty helper
    /// forgets those before it (gitcredentials(7), "CONFIGURATION OPTIONS").
    pub(crate) fn of(remote: &Remote, entries: &[Entry]) -> Self {
        let mut chain = Self::default();
        for Entry { section, key, value, file } in entries {
            if !section.as_deref().is_none_or(|section| matches(section, remote)) {
                continue;
            }
            match (key.as_str(), value.as_str()) {
                ("helper", "") => chain.helpers.clear(),
                ("helper", command) => chain.helpers.push(Helper { command: command.to_owned(), file: file.clone() }),
                ("usehttppath", value) => chain.tells_path = is_true(value),
                _ => {}
            }
        }
        chain
    }

    /// The helpers before ours, and ours; `None` when git does not ask ours.
    pub(crate) fn up_to_ours(&self) -> Option<(&[Helper], &Helper)> {
        let at = self.helpers.iter().position(Helper::is_ours)?;
        Some((&self.helpers[..at], &self.helpers[at]))
    }
}

/// A URL without its scheme.
struct Parts<'a> {
    user: Option<&'a str>,
    /// In lower case, without the port of https.
    host: String,
    /// Without slashes at its ends.
    path: &'a str,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Self {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user.split(':').next().unwrap_or_default()), host),
            None => (None, authority),
        };
        let host = host.strip_suffix(":443").unwrap_or(host).to_ascii_lowercase();
        Self { user, host, path: path.trim_matches('/') }
    }
}

/// Whether a section applies to a URL. A whole URL matches what lies below it, and `*` in its host any one label (git-config(1),
/// `http.<url>.*`); a part of a URL matches what is equal in that part.
fn matches(section: &str, remote: &Remote) -> bool {
    let (scheme, rest) = section.split_once("://").unwrap_or(("", section));
    let Parts { user, host, path } = Parts::of(rest);
    let same_user = user.is_none_or(|user| remote.user.as_deref() == Some(user));
    if !scheme.is_empty() && !scheme.eq_ignore_ascii_case("https") || !same_user {
        return false;
    }
    if scheme.is_empty() || host.is_empty() {
        return (host.is_empty() || host == remote.host) && (path.is_empty() || path == remote.path);
    }
    let below = remote.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    host_matches(&host, &remote.host) && (path.is_empty() || below)
}

fn host_matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (with_port(pattern), with_port(host));
    let (labels, of_host) = (pattern.0.split('.'), host.0.split('.'));
    pattern.1 == host.1
        && labels.clone().count() == of_host.clone().count()
        && labels.zip(of_host).all(|(label, of_host)| label == "*" || label == of_host)
}

fn with_port(host: &str) -> (&str, &str) {
    host.split_once(':').unwrap_or((host, ""))
}

/// A boolean as git reads it (git-config(1), "Values").
fn is_true(value: &str) -> bool {
    match value.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => true,
        number => number.parse::<i64>().is_ok_and(|number| number != 0),
    }
}

#[cfg(test)]
mod tests {
    use super::{Chain, Entry, Helper, Remote, matches};

    fn remote(url: &str) -> Remote {
        Remote::of(url).unwrap()
    }

    fn helper(command: &str) -> Helper {
        Helper { command: command.to_owned(), file: "f".to_owned() }
    }

    #[test]
    fn helpers_come_in_the_order_of_the_files_until_a_reset() {
        let entries = [
            "credential.helper\nstore",
            "credential.https://gitlab.com.helper\nglab",
            "credential.https://github.com.helper\n",
            "credential.https://github.com.helper\nghapp",
            "credential.https://github.com.usehttppath\ntrue",
            "credential.helper\ncache --timeout 5",
            "credential.helper",
        ];
        let entries: Vec<_> = entries.iter().filter_map(|record| Entry::of("credential", "file:f", record)).collect();
        let chain = Chain::of(&remote("https://github.com/acme/web.git"), &entries);
        assert_eq!(chain.helpers, [helper("ghapp"), helper("cache --timeout 5")]);
        assert!(chain.tells_path);
        assert_eq!(chain.up_to_ours(), Some((&[][..], &helper("ghapp"))));
        let chain = Chain::of(&remote("https://ghes.corp/acme/web"), &entries);
        assert_eq!(chain.helpers, [helper("store"), helper("cache --timeout 5")]);
        assert_eq!((chain.tells_path, chain.up_to_ours()), (false, None));
    }

    #[test]
    fn our_helper_is_known_by_any_name_that_runs_it() {
        for ours in ["ghapp", "ghapp --owner=acme", "/opt/git-credential-ghapp get", "!git-credential-ghapp --owner=a"]
        {
            assert!(helper(ours).is_ours(), "{ours}");
        }
        for other in ["store", "!ghapp", "git-credential-ghapp", "!gh auth git-credential", "!echo ghapp"] {
            assert!(!helper(other).is_ours(), "{other}");
        }
    }

    #[test]
    fn what_may_hold_a_password_is_not_shown() {
        for plain in ["store --file ~/.git-credentials", "!/usr/bin/gh auth git-credential", "ghapp"] {
            assert_eq!(helper(plain).shown(), plain);
        }
        for hidden in ["!f() { echo password=x; }; f", "!echo password=x", "x --key ghs_canary", "!cat $HOME/x"] {
            assert_eq!(helper(hidden).shown(), "a shell command");
        }
    }

    #[test]
    fn a_user_in_the_url_is_somebody_else_unless_it_is_a_tokens() {
        assert!(remote("https://mona@github.com/acme/web").names_another_user());
        assert!(!remote("https://x-access-token:ghs_canary@github.com/acme/web").names_another_user());
        assert!(Remote::of("ssh://github.com/acme/web").is_none());
    }

    #[test]
    fn sections_match_by_whole_labels_and_whole_segments() {
        let url = remote("https://GitHub.com:443/acme/web.git");
        for section in
            ["https://github.com", "https://*.com/acme/", "https://github.com:443/acme/web.git", "github.com"]
        {
            assert!(matches(section, &url), "{section}");
        }
        for section in
            ["http://github.com", "https://github.com/ac", "https://*", "github.com/acme", "https://x@github.com"]
        {
            assert!(!matches(section, &url), "{section}");
        }
    }
}
