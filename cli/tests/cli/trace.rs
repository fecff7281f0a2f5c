//! `GHAPP_TRACE` for `ghapp`: where it goes, and what is never in it.

use std::fs;

use serde_json::json;

use crate::support::{Ended, Home};

const TOKEN: &str = "ghs_canary0123456789canary0123456789";

fn token() -> serde_json::Value {
    json!({
        "reply": "token", "username": "x-access-token", "token": TOKEN, "expires_at": 4_000_000_000_i64, "id": "L1",
        "permissions": {"contents": "read"}, "repositories": ["web"],
    })
}

fn traced(home: &Home, target: &str) -> Ended {
    let mut command = home.ghapp(&["token", "acme/web"]);
    command.env("GHAPP_TRACE", target).output().unwrap().into()
}

#[test]
fn one_is_standard_error_and_a_path_is_appended_to() {
    let home = Home::new();
    let file = home.path("trace");
    let agent = home.agent(vec![token(), token(), token(), token()]);
    let ended = traced(&home, "1");
    assert_eq!((ended.code, ended.stdout.trim()), (0, TOKEN), "{ended:?}");
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert!(lines.iter().all(|line| line.starts_with("ghapp trace [")), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with(": Token, answered: Token")), "{lines:?}");
    for times in 1..=2 {
        assert_eq!(traced(&home, file.to_str().unwrap()).stderr, "");
        assert_eq!(fs::read_to_string(&file).unwrap().matches(" begins\n").count(), times);
    }
    assert_eq!(traced(&home, "relative").stderr, "", "neither");
    agent.asked();
    let all = ended.stderr + &fs::read_to_string(&file).unwrap();
    assert!(!all.contains("canary") && !all.contains("ghs_"), "{all}");
}

#[test]
fn a_failure_is_in_it_with_its_id() {
    let home = Home::new();
    let ended = traced(&home, "1");
    assert!(ended.stderr.contains("]: it ends with E01\nghapp: error[E01]"), "{ended:?}");
}
