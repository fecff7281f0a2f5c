//! `POST /app/installations/{id}/access_tokens`: a token never has more than its installation.

use std::collections::BTreeSet;

use hyper::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, json_answer};
use super::json::{repository_json, time};
use super::model::{Coverage, Installation, State};
use super::permissions::Permissions;
use super::token::Token;

/// "The token can have access to up to 500 repositories."
const MOST_REPOSITORIES: usize = 500;

const PAGE: &str = "apps/apps#create-an-installation-access-token-for-an-app";

/// One successful mint: what was asked for, and what was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Mint {
    /// The App that asked.
    pub app_id: u64,
    /// The installation it asked for.
    pub installation_id: u64,
    /// The request's body; `Null` if there was none.
    pub asked: Value,
    /// The names of the repositories the token was narrowed to, sorted; none means the whole installation.
    pub repositories: Option<Vec<String>>,
    /// The permissions of the token, `metadata: read` included.
    pub permissions: Permissions,
    /// The token.
    pub token: String,
    /// When it was minted, by GitHub's clock.
    pub minted_at: Timestamp,
    /// When it dies, by GitHub's clock.
    pub expires_at: Timestamp,
}

/// The body of the request. Each field may be missing, and empty means the same as missing.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    repositories: Vec<String>,
    repository_ids: Vec<u64>,
    permissions: Permissions,
}

/// Mints a token for an App whose JWT was verified.
pub(super) fn mint(state: &mut State, app_id: u64, installation_id: u64, body: &[u8]) -> Result<Answer, Refusal> {
    let installation = state
        .installations
        .get(&installation_id)
        .filter(|installation| installation.app_id == app_id)
        .ok_or_else(|| Refusal::not_found(PAGE))?;
    if installation.suspended_at.is_some() {
        let message = "This installation has been suspended";
        return Err(Refusal::new(StatusCode::FORBIDDEN, message).documented(PAGE));
    }
    let (asked, mut wanted) = parse(body)?;
    if !state.narrows {
        wanted = Wanted::default();
    }
    let repositories = narrow_repositories(state, installation, &wanted)?;
    let permissions = narrow_permissions(installation, wanted.permissions)?;

    // GitHub's times are whole seconds.
    let minted_at = Timestamp::from_second(state.now().as_second()).expect("now is a valid time");
    let expires_at = minted_at + state.token_lifetime;
    let secret = state.token_shape.generate(app_id);

    let selected = repositories.is_some() || matches!(installation.coverage, Coverage::Only(_));
    let mut granted = json!({
        "token": secret,
        "expires_at": time(expires_at),
        "permissions": permissions,
        "repository_selection": if selected { "selected" } else { "all" },
    });
    let mut names = None;
    if let Some(ids) = &repositories {
        let chosen = || ids.iter().map(|id| &state.repositories[id]);
        // Present only when repositories were asked for.
        granted["repositories"] = chosen().map(|chosen| repository_json(state, chosen)).collect();
        let mut sorted: Vec<String> = chosen().map(|chosen| chosen.name.clone()).collect();
        sorted.sort();
        names = Some(sorted);
    }

    state.mints.push(Mint {
        app_id,
        installation_id,
        asked,
        repositories: names,
        permissions: permissions.clone(),
        token: secret.clone(),
        minted_at,
        expires_at,
    });
    state.tokens.insert(secret, Token { installation_id, repositories, permissions, expires_at });
    Ok(json_answer(StatusCode::CREATED, &granted))
}

fn parse(body: &[u8]) -> Result<(Value, Wanted), Refusal> {
    if body.is_empty() {
        return Ok((Value::Null, Wanted::default()));
    }
    let bad_request = |message| Refusal::new(StatusCode::BAD_REQUEST, message).documented(PAGE);
    let asked: Value = serde_json::from_slice(body).map_err(|_| bad_request("Problems parsing JSON"))?;
    if !asked.is_object() {
        return Err(bad_request("Body should be a JSON object"));
    }
    let wanted = Wanted::deserialize(&asked).map_err(|_| unprocessable("Invalid request."))?;
    Ok((asked, wanted))
}

/// Returns the ids of the repositories asked for. No names and no ids mean *all*: callers must not send empty lists.
fn narrow_repositories(
    state: &State,
    installation: &Installation,
    wanted: &Wanted,
) -> Result<Option<BTreeSet<u64>>, Refusal> {
    let count = wanted.repositories.len() + wanted.repository_ids.len();
    if count == 0 {
        return Ok(None);
    }
    if count > MOST_REPOSITORIES {
        // The limit is documented, GitHub's words for it are not.
        let message = format!("The maximum number of repositories is {MOST_REPOSITORIES}.");
        return Err(unprocessable(message));
    }
    // Names are without owner, and a former name is not one.
    let named = wanted.repositories.iter().map(|name| state.find_repository(&installation.account.login, name));
    let numbered = wanted.repository_ids.iter().map(|id| state.repositories.get(id));
    let ids: Option<BTreeSet<u64>> = named
        .chain(numbered)
        .map(|found| found.filter(|found| installation.covers(found)).map(|found| found.id))
        .collect();
    ids.map(Some).ok_or_else(|| {
        unprocessable(
            "There is at least one repository that does not exist or is not accessible to the parent installation.",
        )
    })
}

fn narrow_permissions(installation: &Installation, wanted: Permissions) -> Result<Permissions, Refusal> {
    if wanted.is_empty() {
        return Ok(installation.permissions.clone());
    }
    if !wanted.is_subset_of(&installation.permissions) {
        let message = "The permissions requested are not granted to this installation.";
        return Err(unprocessable(message));
    }
    Ok(wanted.with_metadata())
}

fn unprocessable(message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message).documented(PAGE)
}
