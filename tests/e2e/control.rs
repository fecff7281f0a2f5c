//! `ghapp`: status, tokens, leases, revoking, logging out; for people and, with `--json`, for scripts.

use ghapp_protocol::token_hash::TokenHash;
use ghapp_tests::Desk;
use ghapp_tests::github::Endpoint;
use serde_json::json;

#[test]
fn status_tells_about_agent_store_apps_and_leases() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    let status = desk.ghapp_json(["status"]);
    assert_eq!(status["schema"], 1);
    assert_eq!(status["agent"]["running"], true);
    assert_eq!(status["agent"]["locked"], false);
    assert_eq!(status["agent"]["pid"], desk.agent().unwrap().pid);
    assert_eq!(status["leases"], 1);
    let app = &status["apps"][0];
    assert_eq!(app["name"], "acme-bot");
    assert_eq!(app["app_id"], desk.app.app_id);
    assert_eq!(app["key_fingerprint"], desk.app.fingerprint());
    assert_eq!(app["installations"][0]["account"], "acme");
    assert_eq!(app["installations"][0]["suspended"], false);
    desk.ghapp(["status", "--check"]).ok();
}

#[test]
fn status_works_without_an_agent_and_starts_none() {
    let desk = Desk::ready();
    desk.stop_agent();
    let status = desk.ghapp_json(["status"]);
    assert_eq!(status["agent"], json!({ "running": false }));
    assert_eq!(status["apps"][0]["name"], "acme-bot");
    assert_eq!(desk.ghapp(["status", "--check"]).status.code(), Some(5));
    assert!(desk.agent().is_none());
}

#[test]
fn a_token_for_a_script_is_as_narrow_as_it_asks_for() {
    let desk = Desk::ready();
    let token = desk.ghapp_json(["token", "acme/web", "--permissions", "contents=read"]);
    let mint = desk.github.mints().remove(0);
    assert_eq!(token["token"], mint.token);
    assert_eq!(token["repositories"], json!(["web"]));
    assert_eq!(token["permissions"]["contents"], "read");
    assert_eq!(mint.permissions.level("contents"), Some("read"));
    assert!(mint.permissions.level("workflows").is_none());
    let beyond = desk.ghapp(["token", "acme/web", "--permissions", "administration=write"]);
    assert_eq!(beyond.status.code(), Some(7));
    beyond.stderr_contains("administration:write");
    let both = desk.ghapp_json(["token", "acme/web", "--repositories", "api"]);
    assert_eq!(both["repositories"], json!(["api", "web"]));
}

#[test]
fn leases_are_listed_without_tokens_and_revoked_at_github() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.clone("acme/api").ok();
    let token = desk.token("acme/web");
    let leases = desk.ghapp_json(["leases"]);
    let first = &leases["leases"][0];
    assert_eq!(first["id"], "L1");
    assert_eq!(first["repositories"], json!(["web"]));
    assert_eq!(first["account"], "acme");
    assert_eq!(first["installation_id"], desk.installation);
    assert_eq!(first["hashed_token"], TokenHash::of(token.as_bytes()).to_string());
    assert!(first["uses"].as_u64().unwrap() >= 2);
    assert!(first["requested_by"]["exe"].as_str().unwrap().contains("git-remote-http"), "{first}");

    desk.ghapp(["revoke", "L1"]).ok();
    assert_eq!(desk.github.calls().of(Endpoint::Revoke), 1);
    assert_eq!(desk.ghapp_json(["leases"])["leases"][0]["id"], "L2");
    desk.git_in("web", ["fetch"]).ok();
    desk.ghapp(["revoke", "L99"]).failed().stderr_contains("L99");
    desk.ghapp(["revoke", "--all"]).ok();
    assert_eq!(desk.ghapp_json(["leases"])["leases"], json!([]));
    assert_eq!(desk.github.calls().of(Endpoint::Revoke), 3);
    let killed: Vec<_> = desk.audit().into_iter().filter(|line| line["call"] == "revoke").collect();
    let leases: Vec<_> = killed.iter().map(|line| (line["lease"].clone(), line["outcome"].clone())).collect();
    let revoked = |id: &str| (json!(id), json!("revoked"));
    assert_eq!(leases, [revoked("L1"), (json!(null), json!("nothing")), revoked("L2"), revoked("L3")]);
}

#[test]
fn logging_out_revokes_deletes_and_unsets_and_leaves_the_rest_of_the_file() {
    let desk = Desk::ready();
    let config = std::fs::read_to_string(desk.config_file()).unwrap();
    std::fs::write(desk.config_file(), format!("# mine\n[agent]\nmin_ttl = \"5m\" # short\n\n{config}")).unwrap();
    desk.ghapp(["agent", "reload"]).ok();
    desk.clone("acme/web").ok();
    desk.ghapp(["logout"]).ok();
    assert_eq!(desk.github.calls().of(Endpoint::Revoke), 1);
    let left = std::fs::read_to_string(desk.config_file()).unwrap();
    assert_eq!(left.trim(), "# mine\n[agent]\nmin_ttl = \"5m\" # short");
    let git = desk.git(["config", "--global", "--get-regexp", "credential"]);
    assert_eq!(git.stdout(), "");
    assert_eq!(desk.ghapp(["token", "acme/web", "--no-input"]).status.code(), Some(3));
}

#[test]
fn a_rule_that_names_an_app_keeps_it_from_being_logged_out() {
    let desk = Desk::ready();
    let host = desk.github.host();
    desk.configure(&format!("\n[[rule]]\nmatch = \"{host}/*\"\napp = \"acme-bot\"\n")).ok();
    desk.ghapp(["logout"]).failed().stderr_contains("a rule needs acme-bot");
    desk.token("acme/web");
}

#[test]
fn setup_git_can_be_repeated_and_taken_back() {
    let desk = Desk::new();
    desk.log_in("memory").ok();
    let key = format!("credential.https://{}/acme.helper", desk.github.host());
    desk.git(["config", "--global", &key, "cache"]).ok();
    let before = std::fs::read_to_string(desk.home().join(".gitconfig")).unwrap();
    let set_up = ["setup-git", "--host", desk.github.host(), "--owner", "acme"];
    let first = desk.ghapp(set_up);
    assert!(first.ok().stdout().contains("cache") || first.stderr().contains("cache"), "tells what stood there");
    let once = std::fs::read_to_string(desk.home().join(".gitconfig")).unwrap();
    desk.ghapp(set_up).ok();
    assert_eq!(std::fs::read_to_string(desk.home().join(".gitconfig")).unwrap(), once);
    desk.clone("acme/web").ok();
    desk.ghapp(["setup-git", "--host", desk.github.host(), "--owner", "acme", "--remove"]).ok();
    assert_eq!(std::fs::read_to_string(desk.home().join(".gitconfig")).unwrap(), before);
}
