//! The record of what was called: tests count calls and wait for them.

use hyper::StatusCode;

/// What a call was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `GET /app`
    AppGet,
    /// `GET /app/installations`
    InstallationsList,
    /// `GET /app/installations/{id}`
    InstallationGet,
    /// `GET /repos/{owner}/{repo}/installation`, and `GET /repositories/{id}/installation` that it redirects to
    RepoInstallation,
    /// `GET /orgs/{org}/installation`
    OrgInstallation,
    /// `GET /users/{username}/installation`
    UserInstallation,
    /// `POST /app/installations/{id}/access_tokens`
    Mint,
    /// `DELETE /installation/token`
    Revoke,
    /// `GET /installation/repositories`
    InstallationRepositories,
    /// `GET /users/{username}`
    UserGet,
    /// `GET /repos/{owner}/{repo}`
    RepoGet,
    /// `GET /meta`
    Meta,
    /// `POST /settings/apps/new`, the same below an organization, and the button behind it
    ManifestPage,
    /// `POST /app-manifests/{code}/conversions`
    ManifestConversion,
    /// `GET /{owner}/{repo}/info/refs`
    GitInfoRefs,
    /// `POST /{owner}/{repo}/git-upload-pack`: clone and fetch
    GitUploadPack,
    /// `POST /{owner}/{repo}/git-receive-pack`: push
    GitReceivePack,
    /// `POST /{owner}/{repo}/info/lfs/objects/batch`
    LfsBatch,
    /// `POST /{owner}/{repo}/info/lfs/locks/verify`
    LfsLocks,
    /// The store of large files: no credentials needed
    LfsObject,
    /// Anything else under `/api/v3`
    UnknownApi,
    /// Anything else
    UnknownPage,
}

impl Endpoint {
    /// Whether this is part of git's HTTP protocol.
    pub fn is_git(self) -> bool {
        matches!(self, Endpoint::GitInfoRefs | Endpoint::GitUploadPack | Endpoint::GitReceivePack)
    }

    /// Whether this is for git-lfs.
    pub fn is_lfs(self) -> bool {
        matches!(self, Endpoint::LfsBatch | Endpoint::LfsLocks | Endpoint::LfsObject)
    }

    /// Whether this is part of the REST API.
    pub fn is_api(self) -> bool {
        let page = matches!(self, Endpoint::UnknownPage | Endpoint::ManifestPage);
        !self.is_git() && !self.is_lfs() && !page
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it was for.
    pub endpoint: Endpoint,
    /// Method, path and query, as sent.
    pub line: String,
    /// How it was answered: none while it waits, and none if it was cut off.
    pub status: Option<StatusCode>,
}

/// All calls in the order they arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls(Vec<Call>);

impl Calls {
    /// How many calls of one endpoint arrived.
    pub fn of(&self, endpoint: Endpoint) -> usize {
        self.0.iter().filter(|call| call.endpoint == endpoint).count()
    }

    /// How many calls of the REST API arrived.
    pub fn api(&self) -> usize {
        self.0.iter().filter(|call| call.endpoint.is_api()).count()
    }

    /// How many requests of git arrived.
    pub fn git(&self) -> usize {
        self.0.iter().filter(|call| call.endpoint.is_git()).count()
    }

    /// How many calls arrived at all.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no call arrived.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The calls themselves.
    pub fn iter(&self) -> impl Iterator<Item = &Call> {
        self.0.iter()
    }

    /// Records an arrival and returns its place for [`Calls::answered`].
    pub(super) fn arrived(&mut self, endpoint: Endpoint, line: String) -> usize {
        self.0.push(Call { endpoint, line, status: None });
        self.0.len() - 1
    }

    pub(super) fn answered(&mut self, place: usize, status: StatusCode) {
        self.0[place].status = Some(status);
    }
}
