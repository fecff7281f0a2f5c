//! Apps, installations and repositories as GitHub's JSON has them, with the fields that clients read.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::app::RegisteredApp;
use super::model::{AccountKind, Coverage, Installation, Repository, State};

/// A time as GitHub writes it.
pub(super) fn time(timestamp: Timestamp) -> String {
    timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn app_json(state: &State, app: &RegisteredApp) -> Value {
    let owner = state.find_account(&app.owner).map_or(AccountKind::User, |account| account.kind);
    let count = state.installations.values().filter(|found| found.app_id == app.id).count();
    json!({
        "id": app.id,
        "client_id": app.client_id,
        "slug": app.slug,
        "node_id": format!("A_{}", app.id),
        "owner": { "login": app.owner, "type": owner.name() },
        "name": app.name,
        "html_url": format!("https://{}/apps/{}", state.host, app.slug),
        "permissions": {},
        "events": [],
        "installations_count": count,
    })
}

pub(super) fn installation_json(state: &State, installation: &Installation) -> Value {
    let app = &state.apps[&installation.app_id];
    let account = &installation.account;
    let api = state.api_url();
    let account_json = match account.kind {
        // An enterprise has neither login nor type.
        AccountKind::Enterprise => {
            json!({ "id": account.id, "slug": account.login, "name": account.login })
        }
        kind => json!({ "id": account.id, "login": account.login, "type": kind.name() }),
    };
    json!({
        "id": installation.id,
        "client_id": app.client_id,
        "account": account_json,
        "repository_selection": match installation.coverage {
            Coverage::All => "all",
            Coverage::Only(_) => "selected",
        },
        "access_tokens_url": format!("{api}/app/installations/{}/access_tokens", installation.id),
        "repositories_url": format!("{api}/installation/repositories"),
        "app_id": app.id,
        "app_slug": app.slug,
        "target_id": account.id,
        "target_type": account.kind.name(),
        "permissions": installation.permissions,
        "events": [],
        "single_file_name": null,
        "suspended_by": installation.suspended_at.map(|_| json!({ "login": "an-owner" })),
        "suspended_at": installation.suspended_at.map(time),
    })
}

pub(super) fn repository_json(state: &State, repository: &Repository) -> Value {
    json!({
        "id": repository.id,
        "name": repository.name,
        "full_name": repository.full_name(),
        "private": !repository.public,
        "archived": false,
        "owner": { "login": repository.owner },
        "html_url": format!("https://{}/{}", state.host, repository.full_name()),
        "clone_url": format!("https://{}/{}.git", state.host, repository.full_name()),
        "default_branch": "main",
    })
}
