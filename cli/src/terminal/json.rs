//! The JSON that scripts read. The keys are a promise: adding is fine, changing is not.

use std::collections::BTreeMap;

use ghapp_protocol::message::{AppStatus, InstallationStatus, KeyStatus, Label, LeaseStatus, RequestedBy, Status};
use ghapp_protocol::remote::RepositoryName;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// The version of these shapes, in every object as `schema`.
pub(crate) const SCHEMA: u32 = 1;

/// A time as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) i64);

impl std::fmt::Display for Time {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Times beyond the year 9999 come from a broken agent; the nearest possible one says enough.
        let time = Timestamp::from_second(self.0);
        time.unwrap_or(if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX }).fmt(formatter)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a token reaches: a list of names, or `"installation"`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repositories<'a>(pub(crate) Option<&'a [RepositoryName]>);

impl Serialize for Repositories<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(names) => serializer.collect_seq(names.iter().map(RepositoryName::as_str)),
            None => serializer.serialize_str("installation"),
        }
    }
}

/// The agent itself.
#[derive(Serialize)]
pub(crate) struct Agent<'a> {
    running: bool,
    #[serde(flatten)]
    details: Option<AgentDetails<'a>>,
}

#[derive(Serialize)]
struct AgentDetails<'a> {
    pid: u32,
    version: &'a str,
    socket: &'a str,
    locked: bool,
    started_by: &'a str,
    exposed: usize,
}

impl<'a> Agent<'a> {
    pub(crate) fn of(status: Option<&'a Status>) -> Self {
        Self {
            running: status.is_some(),
            details: status.map(|status| AgentDetails {
                pid: status.pid,
                version: &status.version,
                socket: &status.socket,
                locked: status.locked,
                started_by: &status.started_by,
                exposed: status.exposed,
            }),
        }
    }
}

/// An App. What is not known is `null`, so that the keys are always there.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the keys are a promise")]
pub(crate) struct App<'a> {
    name: &'a str,
    host: &'a str,
    app_id: Option<u64>,
    client_id: Option<&'a str>,
    slug: Option<&'a str>,
    key_fingerprint: Option<&'a str>,
    state: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    refused_keys: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    missing_keys: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    installations: Option<Vec<Installation<'a>>>,
}

impl<'a> App<'a> {
    pub(crate) fn of(app: &'a AppStatus, installations: Option<&'a [InstallationStatus]>) -> Self {
        Self {
            name: &app.name,
            host: app.host.as_str(),
            app_id: app.app_id,
            client_id: app.client_id.as_deref(),
            slug: app.slug.as_deref(),
            key_fingerprint: app.key_fingerprint.as_deref(),
            state: &app.state,
            refused_keys: &app.refused_keys,
            missing_keys: &app.missing_keys,
            installations: installations.map(|list| list.iter().map(|one| Installation::of(None, one)).collect()),
        }
    }
}

/// An installation; with its App where it does not stand inside one.
#[derive(Serialize)]
pub(crate) struct Installation<'a> {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'a str>,
    account: &'a str,
    repository_selection: &'a str,
    permissions: &'a BTreeMap<String, String>,
    suspended: bool,
}

impl<'a> Installation<'a> {
    pub(crate) fn of(app: Option<&'a str>, installation: &'a InstallationStatus) -> Self {
        Self {
            id: installation.id,
            app,
            account: &installation.account,
            repository_selection: &installation.repository_selection,
            permissions: &installation.permissions,
            suspended: installation.suspended,
        }
    }
}

/// A key of an App.
#[derive(Serialize)]
pub(crate) struct Key<'a> {
    app: &'a str,
    fingerprint: &'a str,
    store: &'a str,
    state: &'a str,
    signing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> Key<'a> {
    pub(crate) fn of(key: &'a KeyStatus) -> Self {
        Self {
            app: &key.app,
            fingerprint: &key.fingerprint,
            store: &key.store,
            state: &key.state,
            signing: key.signing,
            error: key.error.as_ref().map(|error| error.message.as_str()),
        }
    }
}

/// A live token, without the token.
#[derive(Serialize)]
pub(crate) struct Lease<'a> {
    id: String,
    app: &'a str,
    host: &'a str,
    account: &'a str,
    installation_id: u64,
    repositories: Repositories<'a>,
    permissions: &'a BTreeMap<String, String>,
    created_at: Time,
    expires_at: Time,
    last_used_at: Time,
    uses: u64,
    hashed_token: String,
    requested_by: Requester<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
}

#[derive(Serialize)]
struct Requester<'a> {
    pid: Option<u32>,
    exe: Option<&'a str>,
}

impl<'a> Lease<'a> {
    pub(crate) fn of(lease: &'a LeaseStatus) -> Self {
        let RequestedBy { pid, exe } = &lease.requested_by;
        Self {
            id: lease.id.to_string(),
            app: &lease.app,
            host: lease.host.as_str(),
            account: &lease.account,
            installation_id: lease.installation_id,
            repositories: Repositories(lease.repositories.as_deref()),
            permissions: &lease.permissions,
            created_at: Time(lease.created_at),
            expires_at: Time(lease.expires_at),
            last_used_at: Time(lease.last_used_at),
            uses: lease.uses,
            hashed_token: lease.hashed_token.to_string(),
            requested_by: Requester { pid: *pid, exe: exe.as_deref() },
            label: lease.label.as_ref().map(Label::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Time;

    #[test]
    fn times_are_rfc_3339_and_never_fail() {
        assert_eq!(Time(1_790_000_000).to_string(), "2026-09-21T14:13:20Z");
        assert!(Time(i64::MAX).to_string().starts_with("9999-"));
    }
}
