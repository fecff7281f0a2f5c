//! After an upgrade: an agent of another version is told to exit and the installed one takes its place, once, unless a
//! person or a service manager started it or it holds what is nowhere else.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::io::Write;
use std::os::unix::net::UnixListener;
use std::thread::{self, JoinHandle};

use ghapp_protocol::{BUILD_VERSION, endpoint, frame};
use ghapp_tests::Desk;
use serde_json::{Value, json};

/// An agent of a wire version of the future. It answers what is frozen as every version does, and nothing else; it exits on `stop`.
/// Returns what it was asked.
fn foreign_agent(desk: &Desk, started_by: &'static str, store: &'static str) -> JoinHandle<Vec<String>> {
    let place = desk.endpoint();
    place.prepare().unwrap();
    let lock = endpoint::open_lock(&place.run_lock()).unwrap();
    endpoint::lock(&lock).unwrap();
    let listener = UnixListener::bind(place.path()).unwrap();
    thread::spawn(move || {
        let mut asked = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let request: Value = frame::read(&mut stream).unwrap();
            let call = request["call"].as_str().unwrap().to_owned();
            let answer = match call.as_str() {
                "status" => json!({
                    "v": request["v"], "agent": "9.9.9", "reply": "status", "pid": 1, "version": "9.9.9", "socket": "", "config": "",
                    "locked": false, "started_by": started_by, "store": {"kind": "x", "state": "ok"}, "leases": 0,
                    "apps": [{"name": "acme-bot", "host": "github.com", "store": store, "state": "ok"}],
                }),
                "stop" => json!({"v": request["v"], "agent": "9.9.9", "reply": "stopping", "revoked": 0}),
                _ => json!({"v": 2, "agent": "9.9.9", "reply": "error", "code": "version_mismatch", "message": "?"}),
            };
            stream.write_all(&frame::encode(&answer).unwrap()).unwrap();
            asked.push(call.clone());
            if call == "stop" {
                std::fs::remove_file(place.path()).unwrap();
                drop(lock);
                return asked;
            }
        }
    })
}

#[test]
fn an_agent_of_another_wire_version_is_replaced_once() {
    let desk = Desk::new();
    let old = foreign_agent(&desk, "client", "keyring");
    let leases = desk.ghapp(["leases"]);
    leases.ok().stderr_contains("the installed one has taken its place");
    assert_eq!(old.join().unwrap(), ["leases", "status", "stop"]);
    let new = desk.agent().expect("the installed one runs");
    assert_eq!((new.version.as_str(), new.started_by.as_str()), (BUILD_VERSION, "client"));
}

#[test]
fn many_clients_that_meet_it_at_once_replace_it_once() {
    let desk = Desk::new();
    let old = foreign_agent(&desk, "client", "keyring");
    thread::scope(|scope| {
        let clients: Vec<_> = (0..12).map(|_| scope.spawn(|| desk.ghapp(["leases"]))).collect();
        for client in clients {
            client.join().unwrap().ok();
        }
    });
    let asked = old.join().unwrap();
    assert_eq!(asked.iter().filter(|call| *call == "stop").count(), 1, "{asked:?}");
    assert_eq!(desk.agent().unwrap().version, BUILD_VERSION);
}

#[test]
fn an_agent_that_somebody_looks_after_or_that_holds_a_key_is_left_alone() {
    for (started_by, store, why) in [
        ("systemd", "keyring", "it was not started on demand"),
        ("user", "keyring", "it was not started on demand"),
        ("client", "memory", "it holds a key that is nowhere else"),
        ("client", "encrypted-file", "whose passphrase somebody would have to give again"),
    ] {
        let desk = Desk::new();
        let agent = foreign_agent(&desk, started_by, store);
        let leases = desk.ghapp(["leases"]);
        assert_eq!(leases.status.code(), Some(10), "{}", leases.stderr());
        leases.stderr_contains(why);
        // A person's word is enough.
        desk.ghapp(["agent", "restart"]).ok();
        assert_eq!(agent.join().unwrap().last().unwrap(), "stop");
        assert_eq!(desk.agent().unwrap().version, BUILD_VERSION);
    }
}

#[test]
fn who_forbids_to_start_an_agent_forbids_to_replace_it() {
    let mut desk = Desk::new();
    let agent = foreign_agent(&desk, "client", "keyring");
    desk.set_env("GHAPP_NO_AUTOSTART", "1");
    assert_eq!(desk.ghapp(["leases"]).status.code(), Some(10));
    desk.ghapp(["agent", "stop"]).ok();
    let asked = agent.join().unwrap();
    assert_eq!(asked.iter().filter(|call| *call == "stop").count(), 1, "the one of the person: {asked:?}");
    assert!(desk.agent().is_none());
}
