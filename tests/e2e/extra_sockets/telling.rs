//! What the audit log and the lists say about exposed sockets.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use ghapp_tests::Desk;
use serde_json::json;

use super::{expose, get, helper, refused, token};

#[test]
fn its_label_is_in_every_line_of_the_audit_log_about_it_and_on_its_leases() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web", "--label", "box"]);
    let first = token(&desk, &socket, "acme/web");
    token(&desk, &socket, "acme/web");
    desk.token("acme/api");
    refused(&get(&desk, &socket, "acme/api"), false, "not given out");
    let host = desk.github.host().to_owned();
    helper(&desk, &socket, "erase", &host, &format!("path=acme/web.git\nusername=x-access-token\npassword={first}\n"))
        .ok();
    token(&desk, &socket, "acme/web");
    desk.ghapp(["agent", "unexpose", "box", "--revoke"]).ok();
    let lines = desk.audit();
    let labelled = lines.iter().filter(|line| line["label"] == "box");
    let said: Vec<_> =
        labelled.map(|line| (line["call"].as_str().unwrap(), line["outcome"].as_str().unwrap())).collect();
    let expected = [
        ("expose", "ok"),
        ("get", "mint"),
        ("get", "hit"),
        ("get", "error E39"),
        ("erase", "dropped"),
        ("get", "mint"),
        ("unexpose", "closed"),
        ("revoke", "revoked"),
    ];
    assert_eq!(said, expected);
    let main: Vec<_> =
        lines.iter().filter(|line| line["repository"] == "acme/api" && line["outcome"] == "mint").collect();
    assert!(main.len() == 1 && main[0].get("label").is_none(), "{main:?}");
    desk.ghapp(["logs"]).ok().stdout().find("over box").expect("people see it, too");
}

#[test]
fn exposed_sockets_are_listed_for_scripts_and_for_people() {
    let desk = Desk::ready();
    assert_eq!(desk.ghapp_json(["agent", "exposed"]), json!({"schema": 1, "exposed": []}));
    let made = desk.ghapp_json([
        "agent",
        "expose",
        "--repo",
        "acme/web",
        "--repo",
        "acme/api",
        "--permissions",
        "contents=read",
        "--ttl",
        "1h",
    ]);
    let listed = desk.ghapp_json(["agent", "exposed"]);
    assert_eq!(made, listed);
    let one = &listed["exposed"][0];
    let time = |key: &str| one[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(time("expires_at") - time("created_at"), 3600);
    assert_eq!(
        listed,
        json!({"schema": 1, "exposed": [{
            "label": "api", "path": desk.endpoint().path().with_file_name("exposed-api").join("exposed.sock"),
            "app": "acme-bot", "host": desk.github.host(), "account": "acme", "repositories": ["api", "web"],
            "permissions": {"contents": "read"}, "uid": null,
            "created_at": one["created_at"], "expires_at": one["expires_at"],
        }]})
    );
    expose(&desk, &["--repo", "acme/web"]);
    let table = desk.ghapp(["agent", "exposed"]).ok().stdout();
    assert_eq!(table.lines().count(), 3, "{table}");
    desk.ghapp(["agent", "status"]).ok().stdout().find("2 further sockets").expect("status says it, too");
    let closed = desk.ghapp_json(["agent", "unexpose", "api"]);
    assert_eq!(closed, json!({"schema": 1, "label": "api", "revoked": 0, "left_alive": 0}));
}
