//! GitHub's JSON, with its names, as far as we read it.

use std::collections::BTreeMap;

use ghapp_protocol::remote::{FullName, Owner};
use ghapp_protocol::secret::Secret;
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::{Installation, InstallationId, InstallationToken, Permissions, RepositorySelection};

/// The App as it sees itself: the answer to `GET /app`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AppInfo {
    /// Its numeric id.
    pub id: u64,
    /// Its name in URLs.
    pub slug: String,
    /// Its client ID; old GitHub Enterprise Servers leave it out.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Its owner.
    #[serde(default)]
    pub owner: Option<AppOwner>,
}

/// The owner of an App.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct AppOwner {
    /// The account's name; an enterprise has none.
    #[serde(default)]
    pub login: Option<String>,
    /// `User` or `Organization`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}

/// An App that was registered from a manifest: the answer to the conversion of its code. It has secrets for webhooks and for
/// people's logins besides, which the agent does not need: they are not read, and wiped with the answer.
#[derive(Debug, Deserialize)]
pub(crate) struct NewApp {
    /// Its numeric id.
    pub id: u64,
    /// Its name in URLs.
    pub slug: String,
    /// Its client ID.
    #[serde(default)]
    pub client_id: Option<String>,
    /// Its page on GitHub, which leads to its settings.
    #[serde(default)]
    pub html_url: Option<String>,
    /// Its only private key, as PEM.
    #[serde(deserialize_with = "secret")]
    pub pem: Secret,
}

/// An installation.
#[derive(Deserialize)]
pub(super) struct RawInstallation {
    id: u64,
    #[serde(default)]
    account: Option<RawAccount>,
    #[serde(default)]
    target_type: Option<String>,
    #[serde(default)]
    repository_selection: Option<String>,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    suspended_at: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
}

/// An account. Enterprises have no login.
#[derive(Deserialize)]
struct RawAccount {
    #[serde(default)]
    login: Option<String>,
}

impl From<RawInstallation> for Installation {
    fn from(raw: RawInstallation) -> Self {
        let enterprise = raw.target_type.as_deref() == Some("Enterprise");
        let login = raw.account.and_then(|account| account.login).filter(|_| !enterprise);
        Self {
            id: InstallationId(raw.id),
            account: login.and_then(|login| Owner::parse(&login).ok()),
            is_organization: raw.target_type.as_deref() == Some("Organization"),
            selection: match raw.repository_selection.as_deref() {
                Some("all") => RepositorySelection::All,
                _ => RepositorySelection::Selected,
            },
            permissions: Permissions::from_github(raw.permissions),
            suspended_at: raw.suspended_at,
            html_url: raw.html_url,
        }
    }
}

/// What a mint asks for. Left out means "everything", so an empty list must never be written.
#[derive(Serialize)]
pub(super) struct MintBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repositories: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repository_ids: Option<&'a [u64]>,
    pub(super) permissions: BTreeMap<String, String>,
}

/// What a mint gives.
#[derive(Deserialize)]
pub(super) struct RawToken {
    #[serde(deserialize_with = "secret")]
    token: Secret,
    expires_at: jiff::Timestamp,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    /// Only there when repositories were asked for.
    #[serde(default)]
    repositories: Vec<RawRepository>,
}

/// The token of an answer that cannot be read otherwise, so that it can be revoked.
#[derive(Deserialize)]
pub(super) struct RawTokenAlone {
    #[serde(deserialize_with = "secret")]
    token: Secret,
}

/// What we need of a repository of a token; GitHub sends five kilobytes.
#[derive(Deserialize)]
struct RawRepository {
    id: u64,
    full_name: String,
}

/// A page of the repositories that a token reaches.
#[derive(Deserialize)]
pub(super) struct RawPage {
    repositories: Vec<RawListed>,
}

/// A repository of such a page.
#[derive(Deserialize)]
struct RawListed {
    id: u64,
    full_name: String,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    archived: bool,
}

impl RawPage {
    /// A repository that could not be cloned under its name is left out.
    pub(super) fn into_listed(self) -> impl Iterator<Item = ListedRepository> {
        self.repositories.into_iter().filter_map(|RawListed { id, full_name, private, archived }| {
            FullName::parse(&full_name).ok().map(|name| ListedRepository { id, name, private, archived })
        })
    }
}

/// A repository that a token reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedRepository {
    /// GitHub's id for it.
    pub id: u64,
    /// What it is called.
    pub name: FullName,
    /// Whether only some users may read it.
    pub private: bool,
    /// Whether it is archived, so that it cannot be changed.
    pub archived: bool,
}

/// A user, which may be an App's bot.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct User {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub login: String,
}

/// A token, and what it reaches according to GitHub.
pub(crate) struct MintAnswer {
    /// The token.
    pub token: InstallationToken,
    /// The repositories that it was narrowed to; empty for a whole installation. One whose name cannot be a name is left out, so that
    /// the token does not reach what it was asked for.
    pub repositories: Vec<MintedRepository>,
    /// Why the token is of no use, if it is not.
    pub flaw: Option<&'static str>,
}

/// A repository that a token was narrowed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MintedRepository {
    /// GitHub's id of it.
    pub id: u64,
    /// Its current name.
    pub name: FullName,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

impl RawToken {
    /// The token and what it is good for. What cannot be handed to git as one line is none; its length and alphabet are GitHub's
    /// business.
    pub(super) fn into_answer(self) -> Option<MintAnswer> {
        let permissions = Permissions::from_github(self.permissions);
        let named =
            |raw: RawRepository| Some(MintedRepository { id: raw.id, name: FullName::parse(&raw.full_name).ok()? });
        let repositories = self.repositories.into_iter().filter_map(named).collect();
        is_one_line(&self.token).then(|| MintAnswer {
            token: InstallationToken::new(self.token, self.expires_at.as_second(), permissions),
            repositories,
            flaw: None,
        })
    }
}

impl RawTokenAlone {
    /// The token, which lives for an hour from `now` at most.
    pub(super) fn into_answer(self, now: i64) -> Option<MintAnswer> {
        is_one_line(&self.token).then(|| MintAnswer {
            token: InstallationToken::new(self.token, now.saturating_add(3600), Permissions::default()),
            repositories: Vec::new(),
            flaw: Some("unexpected JSON"),
        })
    }
}

fn is_one_line(token: &Secret) -> bool {
    let text = token.expose();
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// GitHub's error body.
#[derive(Deserialize, Default)]
pub(super) struct RawError {
    #[serde(default)]
    pub(super) message: String,
}
