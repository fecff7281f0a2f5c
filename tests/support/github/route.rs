//! Which endpoint a method and a path mean. Whether the caller may call it is decided elsewhere.

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::calls::Endpoint;

/// An endpoint with its path parameters, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    AppGet,
    InstallationsList,
    InstallationGet(u64),
    RepoInstallation {
        owner: String,
        repo: String,
    },
    /// Where [`Route::RepoInstallation`] redirects to after a rename.
    RepositoryIdInstallation(u64),
    OrgInstallation(String),
    UserInstallation(String),
    Mint(u64),
    Revoke,
    InstallationRepositories,
    UserGet(String),
    RepoGet {
        owner: String,
        repo: String,
    },
    Meta,
    /// The page that a manifest is posted to.
    Manifest {
        organization: Option<String>,
    },
    /// The button on that page.
    ManifestConfirmed,
    ManifestConversion(String),
    Git {
        owner: String,
        repo: String,
        request: GitRequest,
    },
    Lfs {
        owner: String,
        repo: String,
        request: LfsRequest,
    },
    /// An address of the store of large files, which git-lfs uploads to or downloads from.
    LfsObject {
        address: String,
        upload: bool,
    },
    UnknownApi,
    UnknownPage,
}

/// The three requests of git's smart HTTP protocol (gitprotocol-http(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GitRequest {
    InfoRefs,
    UploadPack,
    ReceivePack,
}

impl GitRequest {
    /// The path below the repository.
    pub(super) fn path(self) -> &'static str {
        match self {
            GitRequest::InfoRefs => "info/refs",
            GitRequest::UploadPack => "git-upload-pack",
            GitRequest::ReceivePack => "git-receive-pack",
        }
    }
}

/// The requests of git-lfs about a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LfsRequest {
    Batch,
    VerifyLocks,
}

impl Route {
    /// Reads method and path. A trailing slash makes an empty last segment, which is no route, as at GitHub.
    pub(super) fn of(method: &Method, path: &str) -> Route {
        let decoded: Vec<String> = path
            .trim_start_matches('/')
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["api", "v3", rest @ ..] => Route::api(method, rest),
            // No owner's name begins with an underscore.
            ["_lfs", address] if matches!(*method, Method::GET | Method::PUT) => {
                Route::LfsObject { address: (*address).to_owned(), upload: *method == Method::PUT }
            }
            // Reserved names: no owner has them.
            ["settings", "apps", "new"] if *method == Method::POST => Route::Manifest { organization: None },
            ["organizations", org, "settings", "apps", "new"] if *method == Method::POST => {
                Route::Manifest { organization: Some((*org).to_owned()) }
            }
            ["settings", "apps", "manifest"] if *method == Method::POST => Route::ManifestConfirmed,
            [owner, repo, "info", "lfs", rest @ ..] => Route::lfs(method, owner, repo, rest),
            [owner, repo, rest @ ..] => Route::git(method, owner, repo, rest),
            _ => Route::UnknownPage,
        }
    }

    fn api(method: &Method, segments: &[&str]) -> Route {
        match (method.as_str(), segments) {
            ("GET", ["app"]) => Route::AppGet,
            ("GET", ["app", "installations"]) => Route::InstallationsList,
            ("GET", ["app", "installations", id]) => numbered(id, Route::InstallationGet),
            ("POST", ["app", "installations", id, "access_tokens"]) => numbered(id, Route::Mint),
            ("GET", ["repos", owner, repo, "installation"]) => {
                Route::RepoInstallation { owner: (*owner).to_owned(), repo: (*repo).to_owned() }
            }
            ("GET", ["repos", owner, repo]) => Route::RepoGet { owner: (*owner).to_owned(), repo: (*repo).to_owned() },
            ("GET", ["repositories", id, "installation"]) => numbered(id, Route::RepositoryIdInstallation),
            ("GET", ["orgs", org, "installation"]) => Route::OrgInstallation((*org).to_owned()),
            ("GET", ["users", user, "installation"]) => Route::UserInstallation((*user).to_owned()),
            ("GET", ["users", user]) => Route::UserGet((*user).to_owned()),
            ("DELETE", ["installation", "token"]) => Route::Revoke,
            ("GET", ["installation", "repositories"]) => Route::InstallationRepositories,
            ("GET", ["meta"]) => Route::Meta,
            ("POST", ["app-manifests", code, "conversions"]) => Route::ManifestConversion((*code).to_owned()),
            _ => Route::UnknownApi,
        }
    }

    fn git(method: &Method, owner: &str, repo: &str, rest: &[&str]) -> Route {
        let request = match (method.as_str(), rest) {
            ("GET", ["info", "refs"]) => GitRequest::InfoRefs,
            ("POST", ["git-upload-pack"]) => GitRequest::UploadPack,
            ("POST", ["git-receive-pack"]) => GitRequest::ReceivePack,
            _ => return Route::UnknownPage,
        };
        let repo = repo.strip_suffix(".git").unwrap_or(repo);
        Route::Git { owner: owner.to_owned(), repo: repo.to_owned(), request }
    }

    fn lfs(method: &Method, owner: &str, repo: &str, rest: &[&str]) -> Route {
        let request = match (method.as_str(), rest) {
            ("POST", ["objects", "batch"]) => LfsRequest::Batch,
            ("POST", ["locks", "verify"]) => LfsRequest::VerifyLocks,
            _ => return Route::UnknownPage,
        };
        let repo = repo.strip_suffix(".git").unwrap_or(repo);
        Route::Lfs { owner: owner.to_owned(), repo: repo.to_owned(), request }
    }

    /// The endpoint that the call counts for.
    pub(super) fn endpoint(&self) -> Endpoint {
        match self {
            Route::AppGet => Endpoint::AppGet,
            Route::InstallationsList => Endpoint::InstallationsList,
            Route::InstallationGet(_) => Endpoint::InstallationGet,
            Route::RepoInstallation { .. } | Route::RepositoryIdInstallation(_) => Endpoint::RepoInstallation,
            Route::OrgInstallation(_) => Endpoint::OrgInstallation,
            Route::UserInstallation(_) => Endpoint::UserInstallation,
            Route::Mint(_) => Endpoint::Mint,
            Route::Revoke => Endpoint::Revoke,
            Route::InstallationRepositories => Endpoint::InstallationRepositories,
            Route::UserGet(_) => Endpoint::UserGet,
            Route::RepoGet { .. } => Endpoint::RepoGet,
            Route::Meta => Endpoint::Meta,
            Route::Manifest { .. } | Route::ManifestConfirmed => Endpoint::ManifestPage,
            Route::ManifestConversion(_) => Endpoint::ManifestConversion,
            Route::Git { request: GitRequest::InfoRefs, .. } => Endpoint::GitInfoRefs,
            Route::Git { request: GitRequest::UploadPack, .. } => Endpoint::GitUploadPack,
            Route::Git { request: GitRequest::ReceivePack, .. } => Endpoint::GitReceivePack,
            Route::Lfs { request: LfsRequest::Batch, .. } => Endpoint::LfsBatch,
            Route::Lfs { request: LfsRequest::VerifyLocks, .. } => Endpoint::LfsLocks,
            Route::LfsObject { .. } => Endpoint::LfsObject,
            Route::UnknownApi => Endpoint::UnknownApi,
            Route::UnknownPage => Endpoint::UnknownPage,
        }
    }
}

fn numbered(segment: &str, route: impl Fn(u64) -> Route) -> Route {
    segment.parse().map_or(Route::UnknownApi, route)
}
