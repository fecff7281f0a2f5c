//! `erase` and `store`: other helpers' passwords arrive here, and none of them leaves.

use std::fs;

use ghapp_protocol::BUILD_VERSION;
use ghapp_protocol::message::Reply;
use ghapp_protocol::token_hash::TokenHash;

use crate::agent::{Place, framed, reply};
use crate::program::{REQUEST, command, run};

const PASSWORD: &str = "hunter2-canary";

fn with_password() -> String {
    format!("{REQUEST}username=x-access-token\npassword={PASSWORD}\nwwwauth[]=Basic\n")
}

// rule 33
#[test]
fn erase_sends_host_and_hash_and_nothing_else() {
    let place = Place::new();
    let trace = place.path().join("trace");
    let mut erase = command(&place, &["--owner=acme", "erase"]);
    erase.env("GHAPP_TRACE", &trace);
    let answer = reply(Reply::Erased { dropped: true });
    let (outcome, asked) = place.answering(&answer, || run(erase, with_password()));
    outcome.assert_silent();
    let hash = TokenHash::of(PASSWORD.as_bytes());
    assert_eq!(
        asked,
        format!(r#"{{"v":1,"client":"{BUILD_VERSION}","call":"erase","host":"github.com","hashed_token":"{hash}"}}"#)
    );
    let trace = fs::read_to_string(trace).unwrap();
    assert!(trace.contains("dropped"), "{trace}");
    assert!(!trace.contains("canary"), "{trace}");
}

#[test]
fn erase_is_silent_whatever_the_agent_says() {
    for answer in [
        reply(Reply::NoMatch {}),
        framed("{\"v\":2,\"agent\":\"9\",\"reply\":\"wait\"}"),
        framed("garbage"),
        Vec::new(),
    ] {
        let place = Place::new();
        let erase = command(&place, &["erase"]);
        let (outcome, _) = place.answering(&answer, || run(erase, with_password()));
        outcome.assert_silent();
    }
}

#[test]
fn erase_without_an_agent_starts_none() {
    let place = Place::new();
    let mut erase = command(&place, &["erase"]);
    erase.env_remove("GHAPP_NO_AUTOSTART");
    run(erase, with_password()).assert_silent();
    // A client that starts an agent takes a lock first.
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

// rule 32
#[test]
fn erase_without_a_password_or_of_another_users_asks_nothing() {
    let place = Place::new();
    for request in [
        REQUEST.to_owned(),
        format!("{REQUEST}username=x-access-token\n"),
        format!("{REQUEST}username=mona\npassword={PASSWORD}\n"),
        format!("protocol=http\nhost=github.com\npassword={PASSWORD}\n"),
        format!("protocol=https\nhost=gitlab.com\npath=a/b/c\npassword={PASSWORD}\n"),
    ] {
        let place = Place::new();
        let erase = command(&place, &["erase"]);
        place.unasked(|| run(erase, &request)).assert_silent();
    }
    let mut erase = command(&place, &["erase"]);
    erase.env_remove("GHAPP_NO_AUTOSTART");
    run(erase, REQUEST).assert_silent();
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn a_refused_erase_is_one_line_without_the_password() {
    let place = Place::new();
    let request = format!("{}password={PASSWORD}\n", with_password());
    let erase = command(&place, &["erase"]);
    let outcome = place.unasked(|| run(erase, request));
    assert!(!outcome.only_line().contains("canary"), "{outcome:?}");
}

// rule 31
#[test]
fn store_reads_everything_asks_nothing_and_keeps_nothing() {
    for request in [with_password(), "no attribute\0".to_owned(), String::new()] {
        let place = Place::new();
        let store = command(&place, &["store"]);
        place.unasked(|| run(store, &request)).assert_silent();
        let files = fs::read_dir(place.path()).unwrap().count();
        assert_eq!(files, 1, "only the socket");
    }
}
