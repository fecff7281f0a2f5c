//! The audit log: complete, bounded, private to its user, and never switched off in silence.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use ghapp_protocol::message::{Call, Erase};
use ghapp_protocol::remote::Host;
use ghapp_protocol::token_hash::TokenHash;
use ghapp_tests::process::{self, DEADLINE, Running};
use ghapp_tests::{Desk, binary, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The size at which a file of the log is full.
const MAX_SIZE: usize = 8 * 1024 * 1024;

/// A decision that can be found again by its host. False when no agent answered.
fn decide(desk: &Desk, host: &str) -> bool {
    let host = Host::parse(host).unwrap();
    desk.ask(Call::Erase(Erase { host, hashed_token: TokenHash::of(b"nobody's") })).is_ok()
}

/// A log that is `room` bytes short of full.
fn fill_up(desk: &Desk, room: usize) {
    let line = "{\"ts\":\"2020-01-01T00:00:00Z\",\"call\":\"get\",\"outcome\":\"old\",\"us\":1}\n";
    fs::create_dir_all(desk.audit_file().parent().unwrap()).unwrap();
    fs::write(desk.audit_file(), line.repeat((MAX_SIZE - room) / line.len())).unwrap();
}

fn aside(desk: &Desk, number: u32) -> PathBuf {
    desk.audit_file().with_file_name(format!("audit.jsonl.{number}"))
}

/// The hosts in the log's lines, each of which has to be whole.
fn hosts(lines: &str) -> Vec<String> {
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line:?}")));
    lines.filter_map(|line| line["host"].as_str().map(str::to_owned)).collect()
}

#[test]
fn rotation_under_load_loses_no_decision_and_keeps_every_file_private() {
    const CLIENTS: usize = 8;
    const EACH: usize = 150;
    let desk = Desk::new();
    fill_up(&desk, CLIENTS * EACH * 50); // about half of what comes
    desk.ghapp(["agent", "start"]).ok();
    let follower = Running::spawn(desk.command(binary("ghapp")).args(["logs", "-f", "--json", "--since", "1h"]));
    assert!(decide(&desk, "first.example"));
    follower.wait_for_line("first.example");
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let desk = &desk;
            scope.spawn(move || {
                for number in 0..EACH {
                    assert!(decide(desk, &format!("h{client}-{number}.example")));
                }
            });
        }
    });
    assert!(decide(&desk, "last.example"));
    follower.wait_for_line("last.example");
    let expected = CLIENTS * EACH + 2;
    for seen in [follower.written(), desk.ghapp(["logs", "--json", "--since", "1h"]).ok().stdout()] {
        let hosts = hosts(&seen);
        assert_eq!(hosts.len(), expected);
        assert_eq!(hosts.iter().collect::<HashSet<_>>().len(), expected, "none came twice");
    }
    for file in [desk.audit_file(), aside(&desk, 1)] {
        let metadata = fs::metadata(&file).unwrap();
        assert!(metadata.len() <= MAX_SIZE as u64);
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    assert!(!aside(&desk, 2).exists());
    assert!(desk.ghapp_json(["status"]).get("audit_error").is_none_or(Value::is_null));
}

#[test]
fn an_agent_that_is_killed_while_it_writes_and_rotates_leaves_whole_lines() {
    for round in 0..5 {
        let desk = Desk::new();
        fill_up(&desk, 2000 * (round + 1));
        desk.ghapp(["agent", "start"]).ok();
        let (sender, rotated) = mpsc::channel();
        thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|client| {
                    let (desk, rotated) = (&desk, sender.clone());
                    scope.spawn(move || {
                        let answered = (0..).take_while(|number| {
                            if aside(desk, 1).exists() {
                                // Told once already, perhaps.
                                let _ = rotated.send(());
                            }
                            decide(desk, &format!("h{client}-{number}.example"))
                        });
                        answered.count()
                    })
                })
                .collect();
            let rotated = rotated.recv_timeout(DEADLINE);
            desk.kill_agent(); // then the clients stop
            rotated.expect("the log is rotated");
            // A client may have asked only after the agent was dead.
            let answered: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
            assert!(answered > 0, "no client was answered");
        });
        // The next agent goes on after the last line, and every line is whole.
        desk.ghapp(["agent", "start"]).ok();
        assert!(decide(&desk, "after.example"));
        desk.stop_agent();
        let logs = desk.ghapp(["logs", "--json"]).ok().stdout();
        assert!(hosts(&logs).contains(&"after.example".to_owned()));
        let files = [aside(&desk, 1), desk.audit_file()].map(|file| fs::read_to_string(file).unwrap());
        for file in &files {
            assert!(!file.is_empty());
            hosts(file);
        }
    }
}

#[test]
fn a_log_that_is_removed_or_replaced_is_made_again_and_that_is_told() {
    let desk = Desk::ready();
    fs::remove_file(desk.audit_file()).unwrap();
    desk.token("acme/web");
    let lines = desk.audit();
    assert!(lines.iter().any(|line| line["outcome"] == "mint"), "{lines:?}");
    assert!(lines.iter().any(|line| line["outcome"] == "made_again"), "{lines:?}");
    assert_eq!(fs::metadata(desk.audit_file()).unwrap().permissions().mode() & 0o777, 0o600);
    desk.ghapp(["status"]).ok().stderr_contains("the audit log was removed or replaced");
}

#[test]
fn decisions_that_cannot_be_written_down_are_told() {
    let desk = Desk::ready();
    fs::remove_file(desk.audit_file()).unwrap();
    symlink("/dev/null", desk.audit_file()).unwrap();
    desk.token("acme/web");
    // It answers first and writes then, so it notices only after the answer.
    eventually("the agent notices", || desk.agent().unwrap().audit_error);
    let status = desk.ghapp(["status"]);
    status.ok().stderr_contains("missing in the audit log: cannot write");
    assert!(desk.ghapp_json(["status"])["audit_error"].as_str().unwrap().contains("audit.jsonl"));
    // An agent that cannot write from the start does not start.
    desk.stop_agent();
    desk.ghapp(["agent", "start"]).failed().stderr_contains("cannot open the audit log");
}

#[test]
fn the_log_is_shown_to_people_and_scripts() {
    let desk = Desk::ready();
    let token = desk.token("acme/web");
    desk.audit_lines(); // everything is written
    let logs = desk.ghapp(["logs"]).ok().stdout();
    assert!(logs.starts_with("TIME "), "{logs}");
    let mint = logs.lines().find(|line| line.contains(" mint ")).expect("the mint is there");
    for part in ["get", "acme-bot", "acme/web", "contents:write", "git"] {
        assert!(mint.contains(part), "{part}: {mint}");
    }
    assert!(!logs.contains(&token));
    let json = desk.ghapp(["logs", "--json", "--app", "acme-bot"]).ok().stdout();
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["schema"] == 1 && line["app"] == "acme-bot"), "{json}");
    assert!(lines.iter().any(|line| line["hashed_token"] == TokenHash::of(token.as_bytes()).to_string()), "{json}");
    assert_eq!(desk.ghapp(["logs", "--json", "--since", "2999-01-01T00:00:00Z"]).ok().stdout(), "");
    assert_eq!(desk.ghapp(["logs", "--since", "soon"]).status.code(), Some(2));
    desk.stop_agent();
    assert_eq!(desk.ghapp(["logs", "--json", "--app", "acme-bot"]).ok().stdout(), json, "it needs no agent");
}

#[test]
fn who_follows_the_log_for_somebody_who_has_gone_ends() {
    let desk = Desk::ready();
    // As in `ghapp logs --follow | head -n 1`.
    let mut command = desk.command(binary("ghapp"));
    let mut logs = command.args(["logs", "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut heading = String::new();
    BufReader::new(logs.stdout.take().unwrap()).read_line(&mut heading).unwrap();
    assert!(heading.starts_with("TIME "), "{heading}");
    assert!(decide(&desk, "after.example"));
    let pid = Pid::from_child(&logs);
    let status = process::end(logs).unwrap_or_else(|| {
        kill_process(pid, Signal::KILL).unwrap();
        panic!("it goes on without a reader");
    });
    assert!(status.success(), "to have seen enough is no failure: {status}");
}
