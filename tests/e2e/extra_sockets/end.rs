//! The end of an exposed socket: when its time is over, on request, and together with its App or the agent.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;

use ghapp_protocol::token_hash::TokenHash;
use ghapp_tests::github::Endpoint as Api;
use ghapp_tests::{Desk, eventually};
use serde_json::{Value, json};

use super::{expose, exposed, get, refused, token};

#[test]
fn a_socket_is_gone_when_its_time_is_over_and_no_agent_takes_its_place() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web", "--ttl", "1s"]);
    eventually("the end of the exposed socket", || !socket.exists());
    assert_eq!(exposed(&desk), [] as [Value; 0]);
    let answer = get(&desk, &socket, "acme/web");
    refused(&answer, false, "this socket was exposed by an agent and is closed; no other agent takes its place");
    assert_eq!(fs::read_dir(socket.parent().unwrap()).unwrap().count(), 0, "nothing was started there");
    let over: Vec<_> = desk.audit().into_iter().filter(|line| line["call"] == "unexpose").collect();
    assert_eq!(over.len(), 1);
    assert_eq!((&over[0]["outcome"], &over[0]["label"]), (&json!("over"), &json!("web")));
}

#[test]
fn unexposing_closes_the_socket_and_kills_its_tokens_and_no_others_on_request() {
    let desk = Desk::ready();
    let main = desk.token("acme/web");
    let (one, two) = (expose(&desk, &["--repo", "acme/web"]), expose(&desk, &["--repo", "acme/web"]));
    token(&desk, &one, "acme/web");
    let of_two = token(&desk, &two, "acme/web");
    let closed = desk.ghapp(["agent", "unexpose", "web"]);
    assert_eq!(closed.ok().stdout(), "web is closed\n");
    closed.stderr_contains("1 lease given out over it will expire within the hour");
    assert!(!one.exists() && two.exists());
    assert_eq!(desk.github.calls().of(Api::Revoke), 0);
    let labels: Vec<_> =
        desk.ghapp_json(["leases"])["leases"].as_array().unwrap().iter().map(|it| it["label"].clone()).collect();
    assert_eq!(labels, [Value::Null, json!("web"), json!("web-2")], "what lives on stays listed");
    // A later socket of the same name inherits nothing.
    let again = expose(&desk, &["--repo", "acme/web"]);
    let mints = desk.github.mints().len();
    token(&desk, &again, "acme/web");
    assert_eq!(desk.github.mints().len(), mints + 1);

    let closed = desk.ghapp(["agent", "unexpose", two.to_str().unwrap(), "--revoke"]);
    assert_eq!(closed.ok().stdout(), "web-2 is closed: 1 lease revoked\n");
    assert_eq!(desk.github.calls().of(Api::Revoke), 1);
    assert!(desk.ghapp_json(["leases"]).to_string().find(&TokenHash::of(of_two.as_bytes()).to_string()).is_none());
    assert_eq!(desk.token("acme/web"), main);
    desk.ghapp(["agent", "unexpose", "web-2"]).failed().stderr_contains("no socket web-2 is exposed");
}

#[test]
fn a_token_that_comes_behind_the_end_of_its_socket_is_killed() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    let hold = desk.github.hold(Api::Mint);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| get(&desk, &socket, "acme/web"));
        desk.github.wait_until(|calls| calls.of(Api::Mint) == 1);
        desk.ghapp(["agent", "unexpose", "web"]).ok();
        drop(hold);
        refused(&asking.join().unwrap(), true, "this exposed socket is closed");
    });
    desk.github.wait_until(|calls| calls.of(Api::Revoke) == 1);
    assert_eq!(desk.ghapp_json(["leases"])["leases"], json!([]));
}

#[test]
fn a_locked_agent_gives_nothing_over_it_and_it_works_again_afterwards() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    let first = token(&desk, &socket, "acme/web");
    desk.ghapp(["lock"]).ok();
    let calls = desk.github.calls().len();
    refused(&get(&desk, &socket, "acme/web"), true, "the agent is locked");
    desk.ghapp(["agent", "expose", "--repo", "acme/api"]).failed().stderr_contains("error[E08]");
    assert_eq!(desk.github.calls().len(), calls, "GitHub heard nothing of it");
    desk.ghapp(["unlock"]).ok();
    desk.log_in("memory").ok();
    assert_ne!(token(&desk, &socket, "acme/web"), first);
}

#[test]
fn logging_its_app_out_closes_it() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    token(&desk, &socket, "acme/web");
    desk.ghapp(["logout"]).ok();
    eventually("the end of the exposed socket", || !socket.exists());
    assert_eq!(exposed(&desk), [] as [Value; 0]);
}

#[test]
fn an_agent_that_stops_takes_its_exposed_sockets_along() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    assert_eq!(desk.agent().unwrap().exposed, 1);
    let restart = desk.ghapp(["agent", "restart"]);
    restart.ok().stderr_contains("1 exposed socket closed; expose again what is needed");
    assert!(!socket.exists());
    assert_eq!(exposed(&desk), [] as [Value; 0]);
    desk.log_in("memory").ok();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    token(&desk, &socket, "acme/web");
    desk.ghapp(["agent", "stop"]).ok();
    assert!(!socket.exists());
}
