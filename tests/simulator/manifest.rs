//! Registering an App from a manifest: what GitHub refuses, and that a code gives the key once and within an hour.

use ghapp_tests::github::{AccountKind, GitHub};
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, Reply, claims, sign};

fn manifest() -> Value {
    json!({
        "name": "Acme Git", "url": "https://example.com", "redirect_url": "http://127.0.0.1:4000/callback",
        "public": false, "default_permissions": {"contents": "write", "metadata": "read"},
    })
}

fn post(client: &Client, path: &str, manifest: &Value) -> Reply {
    client.post_form(path, &[("manifest", &manifest.to_string())])
}

fn ticket(page: &Reply) -> String {
    let text = page.json.as_str().expect("a page is text");
    let (_, rest) = text.split_once("name=\"ticket\" value=\"").expect("the page has a ticket");
    rest.split('"').next().expect("it ends").to_owned()
}

/// Registers an App and returns the code that the browser brings back.
fn registered(client: &Client, name: &str) -> String {
    let page = post(client, "/settings/apps/new?state=s", &manifest());
    let back = client.post_form("/settings/apps/manifest", &[("ticket", &ticket(&page)), ("name", name)]);
    assert_eq!(back.status, 302, "{}", back.json);
    let location = back.header("location");
    let code = location.strip_prefix("http://127.0.0.1:4000/callback?code=").expect("it is the redirect URL");
    code.strip_suffix("&state=s").expect("the state is given back").to_owned()
}

fn convert(client: &Client, code: &str, body: &str) -> Reply {
    client.try_call(Method::POST, &format!("/app-manifests/{code}/conversions"), &[], body).expect("it answers")
}

#[test]
fn a_code_is_worth_the_key_once() {
    let github = GitHub::start();
    let client = Client::new(&github);
    let code = registered(&client, "Acme Git");
    let app = convert(&client, &code, "");
    assert_eq!(app.status, 201);
    assert_eq!((&app.json["slug"], &app.json["owner"]["login"]), (&json!("acme-git"), &json!("mona")));
    assert_eq!(app.json["permissions"], json!({"contents": "write", "metadata": "read"}));
    let jwt = sign(app.json["pem"].as_str().unwrap(), &claims(app.json["id"].clone()));
    assert_eq!(client.get("/app", &format!("Bearer {jwt}")).json["slug"], "acme-git");
    convert(&client, &code, "").refused(404, "Not Found");
    convert(&client, "0000", "").refused(404, "Not Found");
}

#[test]
fn a_code_dies_within_the_hour_and_wants_no_body() {
    let github = GitHub::start();
    let client = Client::new(&github);
    let code = registered(&client, "one");
    convert(&client, &code, r#"{"code":"x"}"#).refused(422, "Validation Failed");
    github.clock_ahead(SignedDuration::from_mins(59));
    assert_eq!(convert(&client, &code, "").status, 201);
    let late = registered(&client, "two");
    github.clock_ahead(SignedDuration::from_mins(59 + 60));
    convert(&client, &late, "").refused(404, "Not Found");
}

#[test]
fn a_manifest_that_github_does_not_take_is_refused() {
    let github = GitHub::start();
    github.create_account("acme", AccountKind::Organization);
    let client = Client::new(&github);
    let with = |field: &str, value: Value| {
        let mut manifest = manifest();
        manifest[field] = value;
        manifest
    };
    for (manifest, complaint) in [
        (with("url", json!(null)), "url&quot; wasn't supplied"),
        (with("hook_attributes", json!({"active": false})), "url&quot; wasn't supplied"),
        (
            with("hook_attributes", json!({"url": "http://127.0.0.1:1/", "active": false})),
            "reachable over the public Internet",
        ),
        (with("default_events", json!(["push"])), "Hook url cannot be blank"),
        (with("default_permissions", json!({"contents": "admin"})), "not included in the list"),
        (with("default_permissions", json!({"nonsense": "read"})), "not included in the list"),
        (with("default_permissions", json!({"workflows": "read"})), "not included in the list"),
        (with("redirect_url", json!(null)), "Redirect url is invalid"),
        (with("webhook", json!(false)), "unknown field"),
    ] {
        let page = post(&client, "/organizations/acme/settings/apps/new", &manifest);
        assert_eq!(page.status, 422, "{manifest}");
        assert!(page.json.as_str().unwrap().contains(complaint), "{}", page.json);
    }
    assert_eq!(post(&client, "/organizations/nobody/settings/apps/new", &manifest()).status, 404);
    assert_eq!(post(&client, "/organizations/acme/settings/apps/new", &manifest()).status, 200);
}

#[test]
fn the_name_is_confirmed_and_unique() {
    let github = GitHub::start();
    let client = Client::new(&github);
    registered(&client, "Acme Git");
    let page = post(&client, "/settings/apps/new", &manifest());
    let ticket = ticket(&page);
    let long = "x".repeat(35);
    for name in ["Acme Git", "", &long] {
        assert_eq!(
            client.post_form("/settings/apps/manifest", &[("ticket", &ticket), ("name", name)]).status,
            422,
            "{name}"
        );
    }
    let confirm = [("ticket", ticket.as_str()), ("name", "Acme Git 2")];
    assert_eq!(client.post_form("/settings/apps/manifest", &confirm).status, 302);
    assert_eq!(client.post_form("/settings/apps/manifest", &confirm).status, 422, "a button is pressed once");
    assert_eq!(github.registered_apps().len(), 2);
}
