//! What the replies carry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{KeyStatus, Label, LeaseId};
use crate::error::{ErrorCode, WireError};
use crate::frame::{MAX_PAGE, page_of};
use crate::remote::{FullName, Host, RepositoryName};
use crate::secret::{self, Secret};
use crate::token_hash::TokenHash;

/// A token on its way to git.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lease {
    /// The user name to use with it.
    pub username: String,
    /// The installation access token.
    #[serde(with = "secret::on_the_wire")]
    pub token: Secret,
    /// When GitHub stops accepting it.
    pub expires_at: i64,
}

/// A token for a person or a script, with its scope.
#[derive(Debug, Serialize, Deserialize)]
pub struct TokenReply {
    /// The token.
    #[serde(flatten)]
    pub lease: Lease,
    /// Its lease id.
    pub id: LeaseId,
    /// What it may do.
    pub permissions: BTreeMap<String, String>,
    /// What it reaches; nothing means the whole installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repositories: Option<Vec<RepositoryName>>,
    /// The nickname of the App that it belongs to; older agents do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
}

/// The way from a remote to a token, as far as it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The remote's host.
    pub host: Host,
    /// The remote's repository.
    pub repository: FullName,
    /// The rule that decides, as its `match` text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The App's nickname.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// The installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installation_id: Option<u64>,
    /// The account that the installation belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `all` or `selected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_selection: Option<String>,
    /// What git's token may do.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub permissions: BTreeMap<String, String>,
    /// The permissions that are wanted and that the installation does not grant, or grants less of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lowered: Vec<String>,
    /// Whether git gets a token.
    pub covered: bool,
    /// Why it does or does not, for people: one line, no full stop.
    pub reason: String,
    /// Why it does not, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<ErrorCode>,
    /// What can be done about it: one command or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A live token, without the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseStatus {
    /// Its id.
    pub id: LeaseId,
    /// The App's nickname.
    pub app: String,
    /// The App's host.
    pub host: Host,
    /// The account that the installation belongs to.
    pub account: String,
    /// The installation.
    pub installation_id: u64,
    /// What it reaches; nothing means the whole installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repositories: Option<Vec<RepositoryName>>,
    /// What it may do.
    pub permissions: BTreeMap<String, String>,
    /// When it was minted.
    pub created_at: i64,
    /// When GitHub stops accepting it.
    pub expires_at: i64,
    /// When it was last handed out.
    pub last_used_at: i64,
    /// How often it was handed out.
    pub uses: u64,
    /// Its SHA-256, as in GitHub's audit log.
    pub hashed_token: TokenHash,
    /// The process that asked for it first.
    pub requested_by: RequestedBy,
    /// The exposed socket that it is for; nothing means the agent's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
}

/// The process that asked, by its id and the name that it gave itself: a hint for people, never a proof.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedBy {
    /// The process that connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its program and, where they can be seen, the programs that started it, nearest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exe: Option<String>,
}

/// How far an App gets. Each part is looked at whatever became of the others, as far as that is possible.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// Where the API is.
    pub api_url: String,
    /// Why the key cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<WireError>,
    /// Why the API cannot be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<WireError>,
    /// GitHub's clock minus this machine's, in seconds, when GitHub said its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew: Option<i64>,
    /// Why GitHub does not accept the key for the App; nothing also when it was not asked, for one of the reasons above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<WireError>,
    /// The App's keys that do not sign, when GitHub was asked about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_keys: Vec<KeyStatus>,
}

/// What became of tokens that were to be revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// Revoked now, or found dead at GitHub.
    pub revoked: Vec<LeaseId>,
    /// Asked for, but not known to the agent.
    #[serde(default)]
    pub unknown: Vec<LeaseId>,
    /// Still alive at GitHub, with the reason; the agent no longer hands them out.
    #[serde(default)]
    pub failed: Vec<(LeaseId, WireError)>,
    /// Killed, and not listed: they would not fit into one answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub revoked_unlisted: usize,
    /// Not known, and not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown_unlisted: usize,
    /// Still alive, and not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed_unlisted: usize,
}

impl Revoked {
    /// The same with as many of them as fit into one answer, and the number of the others: what was done must be told.
    #[must_use]
    pub fn fitted(self) -> Self {
        let Self { revoked, unknown, failed, .. } = self;
        let (killed, not_known, alive) = (revoked.len(), unknown.len(), failed.len());
        let (revoked, _) = page_of(MAX_PAGE / 4, revoked);
        let (unknown, _) = page_of(MAX_PAGE / 4, unknown);
        let (failed, _) = page_of(MAX_PAGE / 2, failed);
        Self {
            revoked_unlisted: killed - revoked.len(),
            unknown_unlisted: not_known - unknown.len(),
            failed_unlisted: alive - failed.len(),
            revoked,
            unknown,
            failed,
        }
    }
}

/// What became of an App that was to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedOut {
    /// The App's nickname.
    pub app: String,
    /// Its host.
    pub host: Host,
    /// Tokens revoked at GitHub.
    pub revoked: usize,
    /// Tokens that GitHub could not be told about; they die with their hour.
    #[serde(default)]
    pub not_revoked: usize,
    /// Whether the key was deleted from its store.
    pub key_deleted: bool,
}

/// What locking did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// Tokens revoked at GitHub first.
    #[serde(default)]
    pub revoked: usize,
    /// Tokens that GitHub could not be told about; they die with their hour.
    #[serde(default)]
    pub not_revoked: usize,
    /// Apps whose only key was in the agent's memory: they need another login.
    #[serde(default)]
    pub login_needed: Vec<String>,
}

/// What unlocking did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unlocked {
    /// Apps whose encrypted file is still closed: it has another passphrase.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub still_closed: Vec<String>,
}

/// How the agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its process id.
    pub pid: u32,
    /// Its build version.
    pub version: String,
    /// Where it listens.
    pub socket: String,
    /// The configuration file it has read.
    pub config: String,
    /// Whether it refuses to use keys and tokens.
    #[serde(default)]
    pub locked: bool,
    /// What started it: `systemd`, `client`, `user` or `command`.
    pub started_by: String,
    /// The store that the first App's key is in; the OS keyring when there is no App.
    pub store: StoreStatus,
    /// The configured Apps.
    pub apps: Vec<AppStatus>,
    /// How many tokens are alive.
    pub leases: usize,
    /// How many sockets are exposed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exposed: usize,
    /// What went wrong with the configuration, if it did; the agent then serves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_error: Option<String>,
    /// What is missing in the audit log, if anything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_error: Option<String>,
}

/// A key store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreStatus {
    /// `secret-service`, `keychain`, `wincred`, `keyutils`, `encrypted-file`, `credentials-dir` or `memory`.
    pub kind: String,
    /// `ok`, `missing`, `locked`, `silent` or `unknown`.
    pub state: String,
}

/// A configured App.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppStatus {
    /// Its nickname.
    pub name: String,
    /// The host that git uses.
    pub host: Host,
    /// Its numeric id, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<u64>,
    /// Its client ID, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its name in URLs, when known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// The fingerprint of its key, as GitHub shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_fingerprint: Option<String>,
    /// Where its key is, as the configuration writes it: `keyring`, `memory`, ...
    pub store: String,
    /// `ok`, or why it cannot work: `key_missing`, `keyring_locked`, `keyring_missing`, ...
    pub state: String,
    /// The fingerprints of keys that GitHub refused while it accepted another one of the App.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_keys: Vec<String>,
    /// The fingerprints of keys that their store does not have, while another one of the App signs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_keys: Vec<String>,
}

/// An installation that the agent has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstallationStatus {
    /// Its id.
    pub id: u64,
    /// The account it belongs to.
    pub account: String,
    /// `all` or `selected`.
    pub repository_selection: String,
    /// What it grants.
    pub permissions: BTreeMap<String, String>,
    /// Whether it is suspended.
    pub suspended: bool,
    /// The page where its account's owners change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
}

/// A repository that an installation reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositoryStatus {
    /// GitHub's id for it, which a rename does not change.
    pub id: u64,
    /// What it is called now.
    pub name: FullName,
    /// Whether only some users may read it.
    pub private: bool,
    /// Whether it is archived, so that it cannot be changed.
    #[serde(default)]
    pub archived: bool,
}

/// The name and address that an App commits with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The App's nickname.
    pub app: String,
    /// The App's host.
    pub host: Host,
    /// git's `user.name`: `SLUG[bot]`.
    pub name: String,
    /// git's `user.email`, by which GitHub knows the bot's commits.
    pub email: String,
    /// The id of the bot's user, which is not the App's.
    pub user_id: u64,
}

/// Keeps a frozen message as it was while there is nothing to add.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::{ErrorCode, LeaseId, Revoked, WireError};
    use crate::frame;

    #[test]
    fn what_became_of_many_tokens_fits_into_an_answer_and_none_is_forgotten() {
        let error = WireError::new(ErrorCode::Unreachable, "x".repeat(10_000)).hint("y".repeat(10_000));
        let many = 20_000;
        let outcome = Revoked {
            revoked: (0..many).map(LeaseId).collect(),
            unknown: (0..many).map(LeaseId).collect(),
            failed: (0..100).map(|id| (LeaseId(id), error.clone())).collect(),
            ..Revoked::default()
        };
        let fitted = outcome.fitted();
        frame::encode(&fitted).unwrap();
        assert_eq!(fitted.revoked.len() + fitted.revoked_unlisted, 20_000);
        assert_eq!(fitted.unknown.len() + fitted.unknown_unlisted, 20_000);
        assert_eq!(fitted.failed.len() + fitted.failed_unlisted, 100);
        assert!(!fitted.failed.is_empty());
    }
}
