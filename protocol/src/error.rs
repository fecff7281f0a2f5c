//! What can go wrong, as one table: the code on the wire, the id that a person sees, the exit code, what git does next, and what
//! a person can do. Help texts and manual pages are made of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the credential helper tells git after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum GitNext {
    /// `quit=1`: the remote is ours and the refusal is certain, so no other helper and no prompt can do better.
    Stop,
    /// Nothing: the next helper is asked.
    #[default]
    #[serde(other)]
    NextHelper,
}

macro_rules! error_codes {
    ($(
        $(#[doc = $meaning:literal])+
        $(#[serde $serde:tt])?
        $code:ident = $id:literal, exit $exit:literal, $next:ident, $step:literal;
    )*) => {
        /// The cause of a failure. Scripts and the helper decide by it; the text beside it is for people.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[doc = $meaning])+ $(#[serde $serde])? $code,)*
            /// A code that a newer agent knows and this build does not.
            #[serde(other)]
            Unknown,
        }

        impl ErrorCode {
            /// Every code of this build, for tests and manual pages.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// The id that is printed as `error[ID]` and never given to another cause.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$code => $id,)* Self::Unknown => "E00" }
            }

            /// Its name on the wire.
            pub fn word(self) -> String {
                // Every variant has one: serde writes a unit variant as a string.
                serde_json::to_value(self).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
            }

            /// The exit code of `ghapp`.
            pub const fn exit(self) -> u8 {
                match self { $(Self::$code => $exit,)* Self::Unknown => 1 }
            }

            /// What git does next when the helper meets this while answering `get`, unless a rule says otherwise.
            pub const fn git_next(self) -> GitNext {
                match self { $(Self::$code => GitNext::$next,)* Self::Unknown => GitNext::Stop }
            }

            /// What it means, in a sentence, for help texts and manual pages.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$code => concat!($($meaning),+).trim_ascii(),)*
                    Self::Unknown => "A newer agent met something that this build has no word for.",
                }
            }

            /// What to do in general: a message's own hint knows more.
            pub const fn next_step(self) -> &'static str {
                match self { $(Self::$code => $step,)* Self::Unknown => "ghapp agent restart" }
            }
        }
    };
}

error_codes! {
    /// No agent is running, and none was to be started.
    AgentNotRunning = "E01", exit 5, NextHelper,
        "ghapp agent start";
    /// There is a socket file, but no agent listens on it.
    AgentGone = "E02", exit 5, NextHelper,
        "ghapp agent start";
    /// The agent did not answer in time.
    AgentSilent = "E03", exit 5, NextHelper,
        "ghapp agent stop, and try again; ghapp logs shows what it was busy with";
    /// The socket or its directory belongs to another user, or is open to others.
    UnsafeEndpoint = "E04", exit 1, NextHelper,
        "chmod 0700 DIRECTORY, for the one that is named, or name another place with --socket";
    /// Agent and client do not understand each other.
    VersionMismatch = "E05", exit 10, NextHelper,
        "ghapp agent restart";
    /// The agent could not be started.
    AgentNotStarted = "E06", exit 5, NextHelper,
        "install ghapp-agent beside ghapp; ghapp agent start --foreground shows why it exits";
    /// No App is configured.
    NotConfigured = "E07", exit 3, NextHelper,
        "ghapp login";
    /// The agent is locked.
    Locked = "E08", exit 4, Stop,
        "ghapp unlock";
    /// There is no OS keyring to talk to.
    KeyringMissing = "E09", exit 6, Stop,
        "install gnome-keyring or another Secret Service, or choose a store: ghapp login --store encrypted-file";
    /// There is no session bus through which a keyring could be reached.
    NoSessionBus = "E10", exit 6, Stop,
        "log in on the desktop, or choose a store: ghapp login --store encrypted-file";
    /// The OS keyring is locked, and was not unlocked in time.
    KeyringLocked = "E11", exit 6, Stop,
        "unlock it on the desktop, then ghapp unlock";
    /// The OS keyring has no such key, although the App is configured.
    KeyMissing = "E12", exit 6, Stop,
        "ghapp login, with the same App";
    /// Not a private key: the file is not in PEM form.
    NotAPrivateKey = "E13", exit 1, Stop,
        "download one from the App's settings, Private keys";
    /// A private key, but not one that can sign for an App: public, encrypted, not RSA, too short.
    UnusableKey = "E14", exit 1, Stop,
        "name the .pem file that GitHub made; an encrypted one: openssl pkcs8 -in FILE -out app.pem";
    /// GitHub does not accept the key for the App.
    KeyRefused = "E15", exit 7, Stop,
        "compare ghapp key list with the App's settings page; log in with a key that is there";
    /// The app JWT was refused because of the clock.
    Clock = "E16", exit 7, Stop,
        "set the clock, for instance: timedatectl set-ntp true";
    /// The App is not installed on the owner.
    NotInstalled = "E17", exit 9, NextHelper,
        "install it: https://github.com/apps/SLUG/installations/new";
    /// The installation does not include the repository, or there is no such repository.
    NotCovered = "E18", exit 9, NextHelper,
        "add the repository to the installation, on the account's page Settings, GitHub Apps";
    /// The installation is suspended.
    Suspended = "E19", exit 7, Stop,
        "an owner of the account has to unsuspend it, on the same page";
    /// The installation does not grant a permission that git needs.
    PermissionMissing = "E20", exit 7, Stop,
        "add the permission to the App, have its installation accept it, then ghapp apps --refresh";
    /// GitHub asks for patience.
    RateLimited = "E23", exit 7, Stop,
        "wait until the time that is named; ghapp leases and ghapp logs show what asked so much";
    /// GitHub cannot be reached.
    Unreachable = "E24", exit 8, Stop,
        "check network and proxy; ghapp doctor tells which of them it is";
    /// The certificate of GitHub's host is not trusted.
    UntrustedCertificate = "E25", exit 8, Stop,
        "name the CA: ghapp login --ca-file FILE, or SSL_CERT_FILE for all programs";
    /// The proxy refused the connection.
    ProxyRefused = "E26", exit 8, Stop,
        "put user and password into HTTPS_PROXY, then ghapp agent restart";
    /// GitHub answered with a server error, or with something that is not its API.
    #[serde(rename = "github_unavailable")] // and not `git_hub_unavailable`
    GitHubUnavailable = "E27", exit 8, Stop,
        "look at https://www.githubstatus.com and try again";
    /// git did not say which repository it means.
    PathMissing = "E29", exit 1, NextHelper,
        "ghapp setup-git";
    /// Two Apps claim the same owner and no rule decides.
    AmbiguousApp = "E31", exit 1, Stop,
        "write a rule that names the App: ghapp help config";
    /// The configuration file has an error.
    Config = "E32", exit 2, Stop,
        "correct the place that is named; ghapp config check looks again";
    /// A token would have been printed on a terminal.
    TokenOnTerminal = "E33", exit 1, NextHelper,
        "ghapp token --show, or let the output go to a program";
    /// No App is configured for the host.
    HostNotConfigured = "E34", exit 3, NextHelper,
        "ghapp login --host HOST";
    /// The OS keyring did not answer in time.
    KeyringSilent = "E36", exit 6, Stop,
        "answer the keyring's dialog, and try again";
    /// The key was only in memory and is gone: the agent was locked or restarted.
    LoginNeeded = "E37", exit 4, Stop,
        "ghapp login, with the same App";
    /// There is no App with that id on the host.
    UnknownApp = "E38", exit 7, Stop,
        "compare the id with the one on the App's settings page, and the host with --host";
    /// A rule denies the repository.
    Denied = "E39", exit 1, Stop,
        "change the rule that ghapp which names, if it should not";
    /// The agent did not understand the request.
    BadRequest = "E40", exit 1, NextHelper,
        "ghapp which tells what a remote leads to";
    /// The agent failed in a way that it does not expect.
    Internal = "E41", exit 1, NextHelper,
        "ghapp doctor --report FILE, and report it";
    /// An App of that name, or that App, is configured already.
    AppExists = "E42", exit 1, NextHelper,
        "ghapp logout first, or give the new one another --name";
    /// GitHub refused for a reason that has no code of its own; its words are in the message.
    Refused = "E43", exit 7, Stop,
        "do what GitHub's words say; ghapp doctor looks closer";
    /// A fresh token would not live long enough for a git command.
    TokenTooShort = "E44", exit 7, Stop,
        "ask for less with --min-ttl, or lower agent.min_ttl";
    /// A file could not be read or written.
    File = "E45", exit 1, NextHelper,
        "make the file that is named readable or writable, and try again";
    /// Invalid command line: it does not say enough, or too much.
    Usage = "E46", exit 2, NextHelper,
        "ghapp help COMMAND";
    /// The OS keyring refused to keep the key.
    KeyringRefused = "E47", exit 6, Stop,
        "ghapp login --store NAME takes another store";
    /// The answer was not ready before the deadline of the request.
    DeadlinePassed = "E48", exit 8, Stop,
        "try again; ghapp logs shows what took so long";
    /// git itself failed or is missing.
    Git = "E49", exit 1, NextHelper,
        "ghapp doctor looks at git and its configuration";
    /// Servers refused fresh tokens of a scope again and again, so the next one has to wait.
    TokensRefused = "E50", exit 7, Stop,
        "wait until the time that is named; check that the remote is GitHub and no proxy drops the header";
    /// A browser came back from somewhere else than the page that was opened.
    ForgedCallback = "E51", exit 1, NextHelper,
        "start again, and use the page that was opened: ghapp login --create";
    /// GitHub does not know the code of a manifest: it was used already, or is older than an hour.
    ManifestCodeRefused = "E52", exit 7, NextHelper,
        "start again: ghapp login --create";
    /// You cancelled in the browser.
    Cancelled = "E53", exit 1, NextHelper,
        "ghapp login --create, when you have changed your mind";
    /// The browser did not come back from GitHub in time.
    NoCallback = "E54", exit 8, NextHelper,
        "ghapp login --create; over ssh, forward the port as it tells";
    /// What was asked for needs the passphrase of an encrypted file, and none was given.
    PassphraseNeeded = "E55", exit 4, Stop,
        "ghapp unlock, or --passphrase-file";
    /// The passphrase is not that of an encrypted file.
    WrongPassphrase = "E56", exit 4, Stop,
        "ghapp unlock, with the right one";
    /// There were too many wrong passphrases; the agent looks at no other for some time.
    TooManyPassphrases = "E57", exit 4, Stop,
        "wait until the time that is named, then ghapp unlock";
    /// No key of the App has that fingerprint here.
    UnknownKey = "E60", exit 1, NextHelper,
        "ghapp key list shows those that there are";
    /// The App's only key cannot be removed: the App would be of no use.
    LastKey = "E61", exit 1, NextHelper,
        "ghapp key rotate --pem FILE first, or ghapp logout";
    /// The App has as many keys here as it can have.
    TooManyKeys = "E62", exit 1, NextHelper,
        "ghapp key remove FINGERPRINT, for one that is needed no more";
}

/// Longest cause or hint, in bytes: more than a person reads.
const MAX_TEXT: usize = 2048;
/// Stands for the end of a text that is longer.
const CUT: &str = " ...";

/// A failure on the wire: a code to decide by, a cause to read, a step to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    /// The cause, for programs.
    pub code: ErrorCode,
    /// The cause, for people: one line, no full stop, never a secret.
    pub message: String,
    /// One command or URL that works when pasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What git does next, when a rule decided that; otherwise the code decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_next: Option<GitNext>,
}

impl WireError {
    /// A failure without a hint.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: bounded(message.into()), hint: None, git_next: None }
    }

    /// Adds the next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(bounded(hint.into()));
        self
    }

    /// What the helper tells git.
    pub fn git_next(&self) -> GitNext {
        self.git_next.unwrap_or(self.code.git_next())
    }
}

/// A text of bounded size. Names and the words of servers are in it, and an answer has to fit into a frame.
fn bounded(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        // The last place before the bound that is not within a character; the beginning is one.
        let end = (0..=MAX_TEXT - CUT.len()).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str(CUT);
    }
    text
}

impl fmt::Display for WireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for WireError {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{ErrorCode, MAX_TEXT, WireError};

    #[test]
    fn a_cause_and_a_hint_are_bounded_whatever_is_named_in_them() {
        let long = "\u{e9}".repeat(100_000);
        let error = WireError::new(ErrorCode::Denied, long.clone()).hint(long);
        let hint = error.hint.unwrap();
        assert!(error.message.len() <= MAX_TEXT && error.message.ends_with("\u{e9} ..."), "{}", error.message.len());
        assert!(hint.len() <= MAX_TEXT, "{}", hint.len());
        assert_eq!(WireError::new(ErrorCode::Denied, "short").message, "short");
    }

    #[test]
    fn every_code_has_an_id_of_its_own_and_a_documented_exit_code() {
        let ids: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.id()).collect();
        assert_eq!(ids.len(), ErrorCode::ALL.len());
        assert!(ErrorCode::ALL.iter().all(|code| (1..=10).contains(&code.exit())));
    }

    #[test]
    fn every_code_has_a_sentence_and_a_step() {
        for code in ErrorCode::ALL {
            let (meaning, step) = (code.meaning(), code.next_step());
            assert!(
                meaning.ends_with('.') && !meaning.starts_with(' ') && !meaning.contains("  "),
                "{code:?}: {meaning}"
            );
            assert!(!step.is_empty() && !step.ends_with('.'), "{code:?}: {step}");
        }
    }
}
