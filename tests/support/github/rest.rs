//! The REST API except for the mint: Apps, installations, lookups, revocation.

use hyper::header::{AUTHORIZATION, HeaderName, LINK, LOCATION, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::answer::{Answer, Refusal, empty_answer, json_answer, set_header, text_answer};
use super::json::{app_json, installation_json, repository_json};
use super::model::{AccountKind, Coverage, Installation, Repository, State};
use super::route::Route;
use super::token::LiveToken;
use super::{auth, manifest, mint};

/// The header that names the version of the API.
const API_VERSION: HeaderName = HeaderName::from_static("x-github-api-version");

/// The versions GitHub has released; the first is what an absent header means.
const API_VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// What `GET /meta` and `X-GitHub-Enterprise-Version` say. The first part decides about features.
pub(super) const ENTERPRISE_VERSION: &str = "3.19.0";

/// Answers one call of the API. The state is locked by the caller, so a call is carried out at once or not at all.
pub(super) fn answer(state: &mut State, route: &Route, request: &Parts, body: &[u8]) -> Answer {
    let headers = &request.headers;
    if !headers.contains_key(USER_AGENT) {
        let message = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). Check https://developer.github.com for other possible causes.";
        return text_answer(StatusCode::FORBIDDEN, message);
    }
    let version = headers.get(API_VERSION).map_or(Some(API_VERSIONS[0]), |asked| {
        API_VERSIONS.into_iter().find(|known| asked.as_bytes() == known.as_bytes())
    });
    let Some(version) = version else {
        // The status is documented, GitHub's words for it are not.
        let message = "The requested API version is not supported.";
        return Refusal::new(StatusCode::BAD_REQUEST, message).into_json();
    };
    let mut answer = carry_out(state, route, request, body).unwrap_or_else(Refusal::into_json);
    let selected = HeaderName::from_static("x-github-api-version-selected");
    set_header(&mut answer, selected, version);
    answer
}

fn carry_out(state: &mut State, route: &Route, request: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
    let headers = &request.headers;
    match route {
        Route::AppGet => Ok(ok(&app_json(state, auth::app(state, headers)?))),
        Route::InstallationsList => {
            let app = auth::app(state, headers)?.id;
            let of_app = state.installations.values().filter(|found| found.app_id == app);
            let all: Vec<Value> = of_app.map(|found| installation_json(state, found)).collect();
            Ok(paginated(state, request, "app/installations", &all, |page, _| Value::Array(page)))
        }
        Route::InstallationGet(id) => {
            let page = "apps/apps#get-an-installation-for-the-authenticated-app";
            lookup(state, headers, page, |installation| installation.id == *id)
        }
        Route::RepoInstallation { owner, repo } => repo_installation(state, headers, owner, repo),
        Route::RepositoryIdInstallation(id) => {
            let repository = state.repositories.get(id);
            lookup(state, headers, REPO_INSTALLATION, |installation| {
                repository.is_some_and(|repository| installation.covers(repository))
            })
        }
        Route::OrgInstallation(login) => {
            let page = "apps/apps#get-an-organization-installation-for-the-authenticated-app";
            lookup(state, headers, page, |installation| {
                installation.account.kind == AccountKind::Organization
                    && installation.account.login.eq_ignore_ascii_case(login)
            })
        }
        // Works for organisations too, which is why one call serves any owner.
        Route::UserInstallation(login) => {
            let page = "apps/apps#get-a-user-installation-for-the-authenticated-app";
            lookup(state, headers, page, |installation| {
                installation.account.kind != AccountKind::Enterprise
                    && installation.account.login.eq_ignore_ascii_case(login)
            })
        }
        Route::Mint(installation) => {
            let app = auth::app(state, headers)?.id;
            mint::mint(state, app, *installation, body)
        }
        Route::Revoke => {
            let secret = live_token(state, headers)?.0.to_owned();
            state.tokens.remove(&secret);
            Ok(empty_answer(StatusCode::NO_CONTENT))
        }
        Route::InstallationRepositories => {
            let (_, token) = live_token(state, headers)?;
            let covered = state.repositories.values().filter(|found| token.covers(found));
            let all: Vec<Value> = covered.map(|found| repository_json(state, found)).collect();
            let only = matches!(token.installation.coverage, Coverage::Only(_));
            let selection = if only || token.is_narrowed() { "selected" } else { "all" };
            Ok(paginated(state, request, "installation/repositories", &all, |page, total| {
                json!({
                    "total_count": total,
                    "repository_selection": selection,
                    "repositories": page,
                })
            }))
        }
        Route::UserGet(login) => user(state, headers, login),
        Route::RepoGet { owner, repo } => repository(state, headers, owner, repo),
        Route::Meta => Ok(ok(&json!({
            "verifiable_password_authentication": false,
            "installed_version": ENTERPRISE_VERSION,
        }))),
        Route::ManifestConversion(code) => manifest::convert(state, code, body),
        Route::UnknownApi
        | Route::UnknownPage
        | Route::Manifest { .. }
        | Route::ManifestConfirmed
        | Route::Git { .. }
        | Route::Lfs { .. }
        | Route::LfsObject { .. } => Err(Refusal::new(StatusCode::NOT_FOUND, "Not Found")),
    }
}

const REPO_INSTALLATION: &str = "reference/apps#get-a-repository-installation-for-the-authenticated-app";

/// Finds an installation of the App that asks. A suspended one is found too: the refusal comes at the mint.
fn lookup(
    state: &State,
    headers: &HeaderMap,
    page: &str,
    matches: impl Fn(&Installation) -> bool,
) -> Result<Answer, Refusal> {
    let app = auth::app(state, headers)?;
    let found = state.installations.values().find(|found| found.app_id == app.id && matches(found));
    found.map(|found| ok(&installation_json(state, found))).ok_or_else(|| Refusal::not_found(page))
}

fn repo_installation(state: &State, headers: &HeaderMap, owner: &str, repo: &str) -> Result<Answer, Refusal> {
    if state.find_repository(owner, repo).is_none() {
        let app = auth::app(state, headers)?;
        // The redirect names a repository, so only an App that can see it is told.
        let visible = |moved: &&Repository| {
            let mut of_app = state.installations.values().filter(|found| found.app_id == app.id);
            of_app.any(|installation| installation.covers(moved))
        };
        if let Some(moved) = state.find_moved(owner, repo).filter(visible) {
            return Ok(moved_permanently(state, moved));
        }
    }
    lookup(state, headers, REPO_INSTALLATION, |installation| {
        state.find_repository(owner, repo).is_some_and(|found| installation.covers(found))
    })
}

/// After a rename: the new place is named by the repository's id, the one sure handle.
fn moved_permanently(state: &State, repository: &Repository) -> Answer {
    let url = format!("{}/repositories/{}/installation", state.api_url(), repository.id);
    let body = json!({
        "message": "Moved Permanently",
        "url": url,
        "documentation_url": "https://docs.github.com/v3/#http-redirects",
    });
    let mut answer = json_answer(StatusCode::MOVED_PERMANENTLY, &body);
    set_header(&mut answer, LOCATION, &url);
    answer
}

/// Returns the installation access token of a request, which may come as `Bearer` or as `token`.
fn live_token<'a, 'h>(state: &'a State, headers: &'h HeaderMap) -> Result<(&'h str, LiveToken<'a>), Refusal> {
    let secret = auth::authorization(headers)
        .filter(|(scheme, _)| ["bearer", "token"].contains(&scheme.to_ascii_lowercase().as_str()))
        .map(|(_, credential)| credential);
    if secret.is_some_and(auth::looks_like_jwt) {
        let message = "Resource not accessible by integration";
        return Err(Refusal::new(StatusCode::FORBIDDEN, message));
    }
    secret
        .and_then(|secret| Some((secret, state.live_token(secret)?)))
        .ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "Bad credentials"))
}

/// Who asks for what strangers may see as well: a stranger, or the holder of a token that has to be good.
fn visitor<'a>(state: &'a State, headers: &HeaderMap) -> Result<Option<LiveToken<'a>>, Refusal> {
    if headers.contains_key(AUTHORIZATION) {
        return live_token(state, headers).map(|(_, token)| Some(token));
    }
    if state.private_mode {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "Must authenticate to access this API."));
    }
    Ok(None)
}

fn repository(state: &State, headers: &HeaderMap, owner: &str, repo: &str) -> Result<Answer, Refusal> {
    let token = visitor(state, headers)?;
    let visible = |found: &&Repository| found.public || token.is_some_and(|token| token.covers(found));
    let found = state.find_repository(owner, repo).filter(visible);
    found
        .map(|found| ok(&repository_json(state, found)))
        .ok_or_else(|| Refusal::not_found("repos/repos#get-a-repository"))
}

fn user(state: &State, headers: &HeaderMap, login: &str) -> Result<Answer, Refusal> {
    visitor(state, headers)?;
    let bot = state.apps.values().find(|app| app.bot().eq_ignore_ascii_case(login));
    let (id, login, kind) = match (bot, state.find_account(login)) {
        (Some(app), _) => (app.bot_user_id, app.bot(), "Bot"),
        (None, Some(account)) if account.kind != AccountKind::Enterprise => {
            (account.id, account.login.clone(), account.kind.name())
        }
        _ => return Err(Refusal::not_found("users/users#get-a-user")),
    };
    Ok(ok(&json!({ "id": id, "login": login, "type": kind })))
}

/// Cuts out the page that the query asks for, with a `Link` header to its neighbours.
fn paginated(
    state: &State,
    request: &Parts,
    path: &str,
    all: &[Value],
    body: impl Fn(Vec<Value>, usize) -> Value,
) -> Answer {
    let parameter = |name: &str| -> Option<usize> {
        let query = request.uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name)?.1.parse().ok()
    };
    // "The number of results per page (max 100)", 30 when absent.
    let per_page = parameter("per_page").unwrap_or(30).clamp(1, 100);
    let page = parameter("page").unwrap_or(1).max(1);
    let last = all.len().div_ceil(per_page).max(1);

    let skipped = (page - 1).saturating_mul(per_page);
    let shown: Vec<Value> = all.iter().skip(skipped).take(per_page).cloned().collect();
    let mut answer = ok(&body(shown, all.len()));

    let link =
        |page: usize, rel: &str| format!("<{}/{path}?per_page={per_page}&page={page}>; rel=\"{rel}\"", state.api_url());
    let mut links = Vec::new();
    if page > 1 {
        links.extend([link(page - 1, "prev"), link(1, "first")]);
    }
    if page < last {
        links.extend([link(page + 1, "next"), link(last, "last")]);
    }
    if !links.is_empty() {
        set_header(&mut answer, LINK, &links.join(", "));
    }
    answer
}

fn ok(body: &Value) -> Answer {
    json_answer(StatusCode::OK, body)
}
