//! An agent that is absent, ill or of another version: nothing for git to read, one line for the person, exit code 0.

use std::thread;
use std::time::{Duration, Instant};

use ghapp_protocol::frame::MAX_FRAME;
use ghapp_protocol::message::Reply;

use crate::agent::{Place, framed, reply};
use crate::program::{Outcome, REQUEST, command, get, run};

fn answered(answer: &[u8]) -> Outcome {
    let place = Place::new();
    place.answering(answer, || get(&place)).0
}

#[test]
fn an_absent_agent_that_must_not_be_started_is_one_line_that_says_so() {
    let place = Place::new();
    for gone in [false, true] {
        if gone {
            drop(place.listen()); // the file stays
        }
        let outcome = get(&place);
        assert!(outcome.only_line().contains("GHAPP_NO_AUTOSTART"), "{outcome:?}");
    }
}

#[test]
fn half_an_answer_is_one_line() {
    let whole = reply(Reply::NoMatch {});
    for length in [0, 3, 4, whole.len() - 1] {
        answered(&whole[..length]).only_line();
    }
}

#[test]
fn an_answer_that_is_too_large_is_one_line() {
    let length = u32::try_from(MAX_FRAME).unwrap() + 1;
    for length in [length, u32::MAX] {
        let outcome = answered(&length.to_be_bytes());
        assert!(outcome.only_line().contains("65536"), "{outcome:?}");
    }
}

/// Another program's socket, or one that was closed in the middle of everything.
#[test]
fn an_answer_that_is_none_is_one_line() {
    for garbage in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"canary\n", b"\0\0\0\0", b"\0\0\0\x01\n", &[0xff; 100]] {
        let outcome = answered(garbage);
        assert!(!outcome.only_line().contains("canary"), "{outcome:?}");
    }
    let place = Place::new();
    let listener = place.listen();
    let outcome = thread::scope(|scope| {
        scope.spawn(|| drop(listener.accept().unwrap())); // and nothing is read
        get(&place)
    });
    outcome.only_line();
}

#[test]
fn line_breaks_in_what_an_agent_says_become_no_lines() {
    for json in [
        r#"{"v":2,"agent":"9\nhost=evil\r\npassword=x\u2028quit=1","reply":"no_match"}"#,
        r#"{"v":1,"agent":"9","reply":"error","code":"not_covered","message":"a\nhost=evil","hint":"b\u2029quit=1\r"}"#,
        r#"{"v":1,"agent":"9","reply":"lease","username":"x\nquit=1","token":"ghs_canary","expires_at":1790000000}"#,
        r#"{"v":1,"agent":"9","reply":"lease","username":"x","token":"ghs_canary\r\nquit=1","expires_at":1790000000}"#,
    ] {
        let outcome = answered(&framed(json));
        let line = outcome.only_line();
        assert!(!line.contains("canary") && !line.contains(['\u{2028}', '\u{2029}']), "{line}");
    }
}

#[test]
fn a_garbled_answer_is_one_line_that_does_not_repeat_it() {
    for json in [
        "ghs_canary",
        r#"{"v":1,"agent":"0.1.0","reply":"lease","token":"ghs_canary","expires_at":1}"#,
        r#"{"v":1,"agent":"0.1.0","reply":"lease","username":"x","token":"ghs_canary","expires_at":1e99}"#,
    ] {
        let outcome = answered(&framed(json));
        assert!(!outcome.only_line().contains("canary"), "{outcome:?}");
    }
}

#[test]
fn an_agent_of_another_version_is_one_line_that_names_it() {
    for reply in ["no_match", "lease\",\"token\":\"x", "a_reply_of_the_future"] {
        let json = format!(r#"{{"v":2,"agent":"9.8.7","reply":"{reply}"}}"#);
        let outcome = answered(&framed(&json));
        let line = outcome.only_line();
        assert!(line.contains("9.8.7") || reply.contains("token"), "{line}");
        assert!(line.contains("ghapp agent stop"), "{line}");
    }
}

#[test]
fn a_place_that_cannot_be_trusted_or_used_is_one_line() {
    let place = Place::new();
    for socket in ["relative.sock", "/", &format!("/{}", "x".repeat(200))] {
        let mut get = command(&place, &["get"]);
        get.env("GHAPP_SOCKET", socket);
        run(get, REQUEST).only_line();
    }
}

/// A client that neither writes nor closes its end, and an agent that takes the request and says nothing, cost 20 seconds
/// each and no more.
// rule 36
#[test]
fn a_silent_agent_costs_20_seconds_and_one_line() {
    let place = Place::new();
    let listener = place.listen();
    let begin = Instant::now();
    let outcome = get(&place); // the connection waits in the backlog
    assert!(outcome.only_line().contains("did not answer in time"), "{outcome:?}");
    // Too little cannot be by chance; whether it is too much is up to `finish`.
    assert!(begin.elapsed() >= Duration::from_secs(19));
    drop(listener);
}
