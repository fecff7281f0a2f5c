//! Checks of an App at GitHub: the key, the installations, what they grant.

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{AppStatus, InstallationStatus};

use super::facts::Facts;
use super::fix::Fix;
use super::outcome::Outcome;
use crate::known_apps::installations as ask;

/// The permission without which git can do nothing.
const CONTENTS: &str = "contents";
/// The permission for pushes that change workflow files.
const WORKFLOWS: &str = "workflows";

/// Does GitHub accept the key for the App?
pub(super) fn accepted(facts: &mut Facts<'_>, app: &AppStatus) -> Outcome {
    if let Some(error) = facts.examined.get(&app.name).and_then(|examined| examined.refused.as_ref()) {
        return error.into();
    }
    // GitHub accepts the key that signs, or git would get no token; the other keys are for the day when it does not.
    let others = facts.examined.get(&app.name).map(|examined| examined.other_keys.as_slice()).unwrap_or_default();
    if let Some((key, error)) = others.iter().find_map(|key| Some((key, key.error.as_ref()?))) {
        let fingerprint = &key.fingerprint;
        let detail = format!("{}: {fingerprint}, which is not the key that signs", error.message);
        return Outcome::warn(
            detail,
            Fix::Commands(vec![facts.ghapp(&["key", "remove", fingerprint, "--app", &app.name])]),
        );
    }
    let id = app.app_id.map_or_else(|| app.client_id.clone().unwrap_or_default(), |id| id.to_string());
    Outcome::ok(format!("{} accepts the key for App {id}", app.host))
}

/// Is it installed, and not suspended?
pub(super) fn installations(facts: &mut Facts<'_>, app: &AppStatus) -> Outcome {
    let all = match ask(facts.session, &app.name, true) {
        Ok(all) => all,
        Err(error) => return error.into(),
    };
    if all.is_empty() {
        let detail = format!("{} is not installed anywhere", app.name);
        return Outcome::fail(ErrorCode::NotInstalled, detail, Fix::Advice(install_page(app)));
    }
    let shown: Vec<_> = all.iter().map(|one| format!("{} ({})", one.account, one.repository_selection)).collect();
    // Where a repository is named, only its owner matters.
    let owner = facts.subject.as_ref().map(|subject| subject.target.full_name.owner.to_string());
    let here = |one: &&InstallationStatus| owner.as_ref().is_some_and(|owner| one.account.eq_ignore_ascii_case(owner));
    let relevant: Vec<_> =
        if all.iter().any(|one| here(&one)) { all.iter().filter(here).cloned().collect() } else { all };
    let suspended: Vec<_> = relevant.iter().filter(|one| one.suspended).collect();
    let outcome = match suspended.first() {
        None => Outcome::ok(shown.join(", ")),
        Some(one) => {
            let detail = format!("the installation of {} on {} is suspended", app.name, one.account);
            let fix = Fix::Advice(one.settings.clone().unwrap_or_else(|| format!("ask an owner of {}", one.account)));
            if suspended.len() == relevant.len() {
                Outcome::fail(ErrorCode::Suspended, detail, fix)
            } else {
                Outcome::warn(detail, fix)
            }
        }
    };
    facts.installations.insert(app.name.clone(), relevant);
    outcome
}

/// Do they grant what git needs?
pub(super) fn permissions(facts: &mut Facts<'_>, app: &AppStatus) -> Outcome {
    let found = facts.installations.get(&app.name).map(Vec::as_slice).unwrap_or_default();
    let live: Vec<_> = found.iter().filter(|one| !one.suspended).collect();
    let level = |one: &InstallationStatus, name: &str| one.permissions.get(name).cloned();
    let without = live.iter().find(|one| level(one, CONTENTS).is_none());
    let reading = live.iter().find(|one| level(one, CONTENTS).as_deref() == Some("read"));
    let page = |one: &InstallationStatus| {
        Fix::Advice(match &one.settings {
            Some(page) => format!("change the App's permissions, then an owner of {} approves: {page}", one.account),
            None => format!("change the App's permissions, then an owner of {} approves", one.account),
        })
    };
    match (without, reading) {
        (Some(one), _) => {
            let detail = format!("the installation of {} on {} does not grant contents", app.name, one.account);
            if live.iter().all(|one| level(one, CONTENTS).is_none()) {
                Outcome::fail(ErrorCode::PermissionMissing, detail, page(one))
            } else {
                Outcome::warn(detail, page(one))
            }
        }
        (None, Some(one)) => {
            let detail = format!("the installation on {} grants contents:read, so a push will be refused", one.account);
            Outcome::warn(detail, page(one))
        }
        (None, None) => Outcome::ok(match live.iter().find(|one| level(one, WORKFLOWS).is_none()) {
            Some(one) => {
                format!("contents:write; no workflows on {}: a push may not change workflow files", one.account)
            }
            None => "contents:write workflows:write".to_owned(),
        }),
    }
}

/// Where an App is installed (GitHub docs, "Installing your own GitHub App").
fn install_page(app: &AppStatus) -> String {
    let host = &app.host;
    match &app.slug {
        Some(slug) if host.as_str() == "github.com" => format!("https://github.com/apps/{slug}/installations/new"),
        Some(slug) => format!("https://{host}/github-apps/{slug}/installations/new"),
        None => format!("install it from the App's page on {host}"),
    }
}
