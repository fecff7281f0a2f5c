//! `ghapp token`.

use serde_json::{Value, json};

use crate::support::{Home, error};

fn token() -> Value {
    json!({
        "reply": "token", "username": "x-access-token", "token": "ghs_canary", "expires_at": 1_790_000_000, "id": "L7",
        "permissions": {"contents": "read"}, "repositories": ["web"],
    })
}

#[test]
fn a_token_is_printed_bare_as_a_header_or_with_all_that_is_known() {
    let home = Home::new();
    let agent = home.agent(vec![token(), token(), token(), json!({
        "reply": "token", "username": "x-access-token", "token": "ghs_canary", "expires_at": 0, "id": "L8", "permissions": {},
    })]);
    assert_eq!(home.run(&["token", "acme/web"]).stdout, "ghs_canary\n");
    let header = home.run(&["token", "acme/web", "--header", "-q"]);
    assert_eq!(
        (header.code, header.stdout.as_str(), header.stderr.as_str()),
        (0, "Authorization: Bearer ghs_canary\n", "")
    );
    assert_eq!(
        home.run(&["token", "acme/web", "--json"]).json(),
        json!({
            "schema": 1, "token": "ghs_canary", "expires_at": "2026-09-21T14:13:20Z",
            "permissions": {"contents": "read"}, "repositories": ["web"], "lease": "L7",
        })
    );
    assert_eq!(home.run(&["token", "acme/web", "--json"]).json()["repositories"], "installation");
    agent.asked();
}

#[test]
fn every_flag_of_token_reaches_the_agent() {
    let home = Home::new();
    let agent = home.agent(vec![token()]);
    let ended = home.run(&[
        "token",
        "https://ghes.corp:8443/acme/web.git",
        "--permissions",
        "contents=read,issues=write",
        "--repositories",
        "api,docs",
        "--min-ttl",
        "30m",
        "--app",
        "build",
    ]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        agent.asked(),
        [json!({
            "call": "token", "host": "ghes.corp:8443", "repository": "acme/web", "repositories": ["api", "docs"],
            "permissions": {"contents": "read", "issues": "write"}, "min_ttl": 1800, "app": "build",
        })]
    );
}

#[test]
fn without_an_argument_the_origin_is_meant() {
    let home = Home::new();
    let outside = home.run(&["token"]);
    assert_eq!(outside.code, 1);
    assert!(outside.stderr.contains("error[E49]: git failed: not a git repository"), "{outside:?}");
    assert!(outside.stderr.contains("hint: name the repository: ghapp token OWNER/REPO"), "{outside:?}");

    home.git(&["init", "--quiet"]);
    home.git(&["remote", "add", "origin", "git@github.com:acme/web.git"]);
    let ssh = home.run(&["token"]);
    assert_eq!(ssh.code, 2);
    assert_eq!(
        ssh.stderr,
        "ghapp: error[E46]: the remote origin is an ssh URL: an App reaches repositories over https only\n\
         ghapp: hint: run: git remote set-url origin https://github.com/acme/web.git\n"
    );

    home.git(&["remote", "set-url", "origin", "https://x:ghs_old@github.com/acme/web.git"]);
    let agent = home.agent(vec![token()]);
    assert_eq!(home.run(&["token"]).stdout, "ghs_canary\n");
    assert_eq!(agent.asked(), [json!({"call": "token", "host": "github.com", "repository": "acme/web"})]);
}

#[test]
fn nobody_is_asked_for_nonsense_and_nonsense_is_not_repeated() {
    let home = Home::new();
    for arguments in [
        &["token", "ghs_canary"][..],
        &["token", "http://github.com/acme/web?ghs_canary"],
        &["token", "acme/web", "--permissions", "ghs_canary"],
        &["token", "acme/web", "--repositories", "acme/ghs_canary"],
        &["token", "acme/web", "--min-ttl", "ghs_canary"],
        &["revoke", "ghs_canary"],
    ] {
        let ended = home.run(arguments);
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains("error[E46]") && !ended.stderr.contains("canary"), "{ended:?}");
    }
}

#[test]
fn nothing_configured_and_not_covered_are_told_apart() {
    let home = Home::new();
    let agent = home.agent(vec![
        json!({"reply": "no_match"}),
        error("not_covered", "the installation on acme does not include acme/web", "https://github.com/x"),
    ]);
    let ended = home.run(&["token", "https://ghes.corp/acme/web"]);
    assert_eq!(ended.code, 3);
    assert_eq!(
        ended.stderr,
        "ghapp: error[E34]: no App is configured for ghes.corp/acme/web\nghapp: hint: run: ghapp login --create --host ghes.corp  # for an App that exists: ghapp login --pem FILE --app-id N --host ghes.corp\n"
    );
    assert_eq!(home.run(&["token", "acme/web"]).code, 9);
    agent.asked();
}
