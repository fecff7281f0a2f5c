//! The far side of an exposed socket has a budget in the audit log, and cannot push out what else is in it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;

use ghapp_protocol::message::{Call, Get, Reply};
use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};
use ghapp_tests::Desk;

use super::scope::ask;
use super::{expose, token};

/// The size at which a file of the log is full.
const MAX_SIZE: usize = 8 * 1024 * 1024;
/// Questions of one socket that get a line of their own in a minute, of each kind.
const BUDGET: usize = 60;
/// Far more than that, and more than a file with the room that is left here would take.
const QUESTIONS: usize = 1000;

fn question(desk: &Desk, repository: &str) -> Call {
    Call::Get(Get {
        host: Host::parse(desk.github.host()).unwrap(),
        repository: Some(FullName {
            owner: Owner::parse("acme").unwrap(),
            repository: RepositoryName::parse(repository).unwrap(),
        }),
        owners: Vec::new(),
    })
}

#[test]
fn who_asks_over_an_exposed_socket_can_neither_fill_the_audit_log_nor_push_lines_out_of_it() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web", "--label", "box"]);
    token(&desk, &socket, "acme/web");
    desk.audit(); // so that it is written
    // The log is nearly full, and the next file would push out the oldest.
    let old = "{\"ts\":\"2020-01-01T00:00:00Z\",\"call\":\"get\",\"outcome\":\"old\",\"us\":1}\n";
    let log = fs::read_to_string(desk.audit_file()).unwrap();
    fs::write(desk.audit_file(), log + &old.repeat((MAX_SIZE - 32 * 1024) / old.len())).unwrap();
    for number in 1..=4 {
        fs::write(desk.audit_file().with_file_name(format!("audit.jsonl.{number}")), old).unwrap();
    }
    for _ in 0..QUESTIONS {
        let Reply::Error(refusal) = ask(&socket, question(&desk, "api")) else { panic!("api was not exposed") };
        assert_eq!(refusal.code.id(), "E39");
        assert!(matches!(ask(&socket, question(&desk, "web")), Reply::Lease(_)));
    }
    desk.stop_agent();
    let logs = desk.ghapp(["logs", "--json"]).ok().stdout();
    let calls: Vec<_> = logs
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["outcome"] != "old")
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            (format!("{} {}", text("call"), text("outcome")), line["count"].as_u64())
        })
        .collect();
    let count = |what: &str| calls.iter().filter(|(said, _)| said == what).count();
    // A slow machine may need more than a minute, in which there is room for more lines.
    for (said, left_out) in [("get error E39", "audit left_out others"), ("get hit", "audit left_out hits")] {
        let told: u64 = calls.iter().filter(|(said, _)| said == left_out).filter_map(|(_, count)| *count).sum();
        assert_eq!(count(said) + usize::try_from(told).unwrap(), QUESTIONS, "{calls:?}");
        assert!(count(said).is_multiple_of(BUDGET) && told > 0, "{} lines", count(said));
    }
    // The rest is there, and in its order.
    let first = ["login ok", "expose ok", "get mint", "get error E39", "get hit", "get error E39"];
    let said: Vec<_> = calls.iter().map(|(said, _)| said.as_str()).filter(|said| *said != "erase not_ours").collect();
    assert_eq!(said[..first.len()], first);
    assert!(!desk.audit_file().with_file_name("audit.jsonl.5").exists());
    let own = fs::metadata(desk.audit_file()).unwrap().len();
    assert!(own > MAX_SIZE as u64 - 64 * 1024, "the log was not rotated");
    let status = desk.ghapp(["status"]).ok().stdout();
    assert!(status.contains("log        since 2020-01-01T00:00:00Z"), "{status}");
}
