//! Apps that are registered from a manifest: the pages for the browser, and the one-time code that gives the key.
//!
//! <https://docs.github.com/apps/sharing-github-apps/registering-a-github-app-from-a-manifest>

use std::collections::HashMap;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, LOCATION};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Url, form_urlencoded};

use super::answer::{Answer, Refusal, empty_answer, json_answer, set_header, text_answer};
use super::app::App;
use super::model::{AccountKind, State};
use super::permissions::Permissions;
use super::token::random_characters;

/// "You must complete all three steps in the GitHub App Manifest flow within one hour."
const CODE_LIFETIME: SignedDuration = SignedDuration::from_hours(1);
/// Longest name of an App.
const LONGEST_NAME: usize = 34;
/// Who is signed in in every browser.
pub(super) const SIGNED_IN: &str = "mona";

const PAGE: &str = "apps/apps#create-a-github-app-from-a-manifest";

/// Permissions that manifests of tests may name; GitHub has some fifty more, and refuses what it does not know.
const KNOWN_PERMISSIONS: &[&str] =
    &["actions", "checks", "contents", "issues", "metadata", "packages", "pull_requests", "statuses", "workflows"];

/// Manifests that were posted, and Apps whose codes are not used yet.
#[derive(Default)]
pub(super) struct Manifests {
    posted: HashMap<String, Posted>,
    codes: HashMap<String, Registered>,
    /// All Apps that were registered this way, for tests that install them.
    pub(super) registered: Vec<App>,
}

struct Posted {
    manifest: Manifest,
    owner: String,
    state: Option<String>,
}

struct Registered {
    app: App,
    permissions: Permissions,
    at: Timestamp,
}

/// The fields that GitHub documents; one that it does not know is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    name: Option<String>,
    url: Option<String>,
    hook_attributes: Option<HookAttributes>,
    redirect_url: Option<String>,
    #[serde(rename = "callback_urls")]
    _callback_urls: Option<Vec<String>>,
    #[serde(rename = "setup_url")]
    _setup_url: Option<String>,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(default, rename = "public")]
    _public: bool,
    #[serde(default)]
    default_events: Vec<String>,
    #[serde(default)]
    default_permissions: HashMap<String, String>,
    #[serde(default, rename = "request_oauth_on_install")]
    _request_oauth_on_install: bool,
    #[serde(default, rename = "setup_on_update")]
    _setup_on_update: bool,
}

#[derive(Deserialize)]
struct HookAttributes {
    url: Option<String>,
    #[serde(rename = "active")]
    _active: Option<bool>,
}

/// `POST /settings/apps/new`, or the same below an organization: shows the name for the person to confirm.
pub(super) fn posted(state: &mut State, organization: Option<&str>, query: Option<&str>, body: &[u8]) -> Answer {
    let owner = match organization {
        None => SIGNED_IN.to_owned(),
        Some(login) => match state.find_account(login).filter(|account| account.kind == AccountKind::Organization) {
            Some(account) => account.login.clone(),
            None => return text_answer(StatusCode::NOT_FOUND, "Not Found"),
        },
    };
    let Some(text) = field(body, "manifest") else {
        return text_answer(StatusCode::BAD_REQUEST, "there is no manifest");
    };
    let manifest = match serde_json::from_str::<Manifest>(&text).map_err(|error| error.to_string()).and_then(checked) {
        Ok(manifest) => manifest,
        Err(error) => {
            let page = format!(
                "<h1>Invalid GitHub App configuration</h1><p>The configuration does not appear to be a valid GitHub App manifest.\
                 <ul><li>Error {}</ul>",
                escaped(&error)
            );
            return html(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let name = manifest.name.clone().unwrap_or_default();
    let ticket = random_characters(32);
    let page = confirmation(&ticket, &name, &owner, "");
    let from_query = query.and_then(|query| field(query.as_bytes(), "state"));
    state
        .manifests
        .posted
        .insert(ticket, Posted { manifest, owner, state: from_query.or_else(|| field(body, "state")) });
    html(StatusCode::OK, &page)
}

/// GitHub's words for what it refuses, as people report them.
fn checked(manifest: Manifest) -> Result<Manifest, String> {
    let hook = manifest.hook_attributes.as_ref();
    let hook_url = hook.map(|hook| hook.url.as_deref().unwrap_or_default());
    // It names the field and not its parent: a missing "url" of the hook reads like the manifest's own.
    if manifest.url.as_deref().is_none_or(str::is_empty) || hook_url == Some("") {
        return Err("\"url\" wasn't supplied.".to_owned());
    }
    if hook_url.is_none() && !manifest.default_events.is_empty() {
        return Err("Hook url cannot be blank".to_owned());
    }
    let local =
        |url: &str| ["localhost", "127.0.0.1", "[::1]"].into_iter().find(|host| url.contains(&format!("//{host}")));
    if let Some(host) = hook_url.and_then(local) {
        return Err(format!("Hook url is not supported because it isn't reachable over the public Internet ({host})"));
    }
    for (name, level) in &manifest.default_permissions {
        let fits = match name.as_str() {
            "workflows" => level == "write",
            "metadata" => level == "read",
            known => KNOWN_PERMISSIONS.contains(&known) && ["read", "write"].contains(&level.as_str()),
        };
        if !fits {
            return Err(format!("Default permission records resource is not included in the list ({name})"));
        }
    }
    let redirect_url = manifest.redirect_url.as_deref().map(Url::parse);
    match redirect_url {
        Some(Ok(url)) if ["http", "https"].contains(&url.scheme()) => Ok(manifest),
        _ => Err("Redirect url is invalid".to_owned()),
    }
}

/// `POST /settings/apps/manifest`: registers the App and sends the browser back.
pub(super) fn confirmed(state: &mut State, body: &[u8]) -> Answer {
    let Some((ticket, posted)) = field(body, "ticket").and_then(|ticket| state.manifests.posted.remove_entry(&ticket))
    else {
        return text_answer(StatusCode::UNPROCESSABLE_ENTITY, "Your browser did something unexpected.");
    };
    let name = field(body, "name").unwrap_or_default();
    let taken = state.apps.values().any(|app| app.name.eq_ignore_ascii_case(&name));
    let complaint = match name.chars().count() {
        0 => "Name can't be blank",
        1..=LONGEST_NAME if !taken => "",
        1..=LONGEST_NAME => "Name is already taken",
        _ => "Name is too long (maximum is 34 characters)",
    };
    if !complaint.is_empty() {
        let page = confirmation(&ticket, &name, &posted.owner, complaint);
        state.manifests.posted.insert(ticket, posted);
        return html(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    if state.find_account(&posted.owner).is_none() {
        state.declare_account(&posted.owner, AccountKind::User);
    }
    let app = state.register_app(&name, &posted.owner);
    let pairs: Vec<_> =
        posted.manifest.default_permissions.iter().map(|(name, level)| (name.as_str(), level.as_str())).collect();
    let code: String = random_characters(80).replace(['-', '_'], "").chars().take(40).collect();
    let registered = Registered { app: app.clone(), permissions: Permissions::granted(&pairs), at: state.now() };
    state.manifests.codes.insert(code.clone(), registered);
    state.manifests.registered.push(app);

    let mut back = Url::parse(posted.manifest.redirect_url.as_deref().expect("checked")).expect("checked");
    back.query_pairs_mut().append_pair("code", &code);
    if let Some(given) = &posted.state {
        back.query_pairs_mut().append_pair("state", given);
    }
    let mut answer = empty_answer(StatusCode::FOUND);
    set_header(&mut answer, LOCATION, back.as_str());
    answer
}

/// `POST /app-manifests/{code}/conversions`: gives the App with its key, once.
pub(super) fn convert(state: &mut State, code: &str, body: &[u8]) -> Result<Answer, Refusal> {
    if !body.is_empty() {
        // The endpoint has no parameters but the code.
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed").documented(PAGE));
    }
    let (now, host) = (state.now(), state.host.clone());
    let registered = state.manifests.codes.remove(code).filter(|registered| now < registered.at + CODE_LIFETIME);
    let Registered { app, permissions, .. } = registered.ok_or_else(|| Refusal::not_found(PAGE))?;
    let kind = state.account(&app.owner).kind.name();
    let body: Value = json!({
        "id": app.app_id,
        "slug": app.slug,
        "node_id": format!("A_{}", app.app_id),
        "client_id": app.client_id,
        "owner": { "login": app.owner, "type": kind },
        "name": app.name,
        "description": null,
        "external_url": "https://example.com",
        "html_url": format!("https://{host}/apps/{}", app.slug),
        "created_at": super::json::time(now),
        "updated_at": super::json::time(now),
        "permissions": permissions,
        "events": [],
        "client_secret": format!("client-secret-{}", random_characters(26)),
        "webhook_secret": format!("webhook-secret-{}", random_characters(26)),
        "pem": app.pem(),
    });
    Ok(json_answer(StatusCode::CREATED, &body))
}

fn confirmation(ticket: &str, name: &str, owner: &str, complaint: &str) -> String {
    format!(
        "<h1>Create GitHub App</h1><p>{complaint}</p><form action=\"/settings/apps/manifest\" method=\"post\">\
         <input type=\"hidden\" name=\"ticket\" value=\"{}\"><input name=\"name\" value=\"{}\">\
         <button id=\"confirm\">Create GitHub App for {}</button></form>",
        escaped(ticket),
        escaped(name),
        escaped(owner)
    )
}

fn html(status: StatusCode, body: &str) -> Answer {
    let mut answer = text_answer(status, format!("<!doctype html><title>GitHub</title>{body}"));
    set_header(&mut answer, CONTENT_TYPE, "text/html; charset=utf-8");
    answer
}

fn field(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
