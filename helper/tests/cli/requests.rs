//! Command lines and requests that never reach the agent.

use std::io::Write;
use std::process::Stdio;

use ghapp_protocol::BUILD_VERSION;

use crate::agent::Place;
use crate::program::{Outcome, REQUEST, command, finish, run};

/// Runs the program beside an agent that must not be asked.
fn unasked(arguments: &[&str], input: impl AsRef<[u8]>) -> Outcome {
    let place = Place::new();
    place.unasked(|| run(command(&place, arguments), input))
}

#[test]
fn requests_that_are_not_ours_are_silence() {
    for request in [
        "protocol=http\nhost=github.com\npath=acme/web.git\n",
        "protocol=https\nhost=github.com\npath=acme/web.git\nusername=mona\n",
        "protocol=https\nhost=gitlab.com\npath=group/subgroup/project.git\n",
        "protocol=https\nhost=github.com@evil.example\npath=acme/web.git\n",
        "protocol=https\nhost=github.com.\npath=acme/web.git\n",
        "protocol=https\nhost=evil.example\u{2028}host=github.com\n",
        "protocol=https\nhost=github.com\npath=acme/..%2fother\n",
    ] {
        unasked(&["--owner=acme", "get"], request).assert_silent();
    }
}

#[test]
fn hostile_requests_are_one_line_that_does_not_repeat_them() {
    let long = format!("{REQUEST}x={}\n", "canary".repeat(20_000));
    for request in [
        "protocol=https\nhost=canary.example\nhost=github.com\n",
        "protocol=https\nhost=canary.example\rhost=github.com\n",
        "protocol=https\nhost=github.com\npath=canary\0\n",
        "protocol=https\nhost=github.com\ncanary\n",
        "protocol=https\nhost=github.com\n=canary\n",
        "protocol=https\nhost=\npath=canary/web.git\n",
        "host=canary.example\n",
        "url=https://canary.example/acme/web.git\n",
        "url=https://canary.example\nprotocol=https\nhost=github.com\n",
        &long,
        "",
    ] {
        let outcome = unasked(&["get"], request);
        assert!(!outcome.only_line().contains("canary"), "{outcome:?}");
    }
}

#[test]
fn the_trace_does_not_repeat_hostile_bytes_either() {
    let place = Place::new();
    let mut get = command(&place, &["get"]);
    get.env("GHAPP_TRACE", "1");
    let request = "protocol=https\nhost=canary\u{1b}[31m.example\npath=canary/x\n";
    let outcome = place.unasked(|| run(get, request));
    assert!(outcome.stderr.contains("ghapp trace"), "{outcome:?}");
    assert!(!outcome.stderr.contains("canary"), "{outcome:?}");
}

// rule 1
#[test]
fn an_unknown_operation_reads_its_input_and_is_silence() {
    let large = vec![b'x'; 500_000]; // more than fits into a pipe: git would meet a closed one
    for operation in ["gett", "GET", "approve", ""] {
        let place = Place::new();
        let mut child = command(&place, &[operation])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&large).expect("all of it is read");
        drop(stdin);
        place.unasked(|| finish(child)).assert_silent();
    }
}

#[test]
fn no_operation_is_one_usage_line() {
    let outcome = unasked(&[], REQUEST);
    assert!(outcome.only_line().contains("usage"), "{outcome:?}");
    let outcome = unasked(&["--owner=acme"], REQUEST);
    assert!(outcome.only_line().contains("usage"), "{outcome:?}");
}

// rule 28
#[test]
fn a_command_line_that_makes_no_sense_is_one_usage_line_and_exit_code_2() {
    for arguments in [
        &["--canary", "get"][..],
        &["-x", "get"],
        &["--owner=canary/web", "get"],
        &["--owner=", "get"],
        &["--owner", "get"],
        &["get", "canary"],
        &["get", "--canary"],
        &["--owner=canary\nhost=evil", "get"],
    ] {
        let outcome = unasked(arguments, REQUEST);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(2), ""));
        assert!(!outcome.line().contains("canary"), "{outcome:?}");
    }
}

// rule 52
#[test]
fn capability_version_and_help_ask_nobody() {
    let printed = |arguments: &[&str]| {
        let outcome = unasked(arguments, "");
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
        outcome.stdout
    };
    assert_eq!(printed(&["capability"]), "version 0\n");
    let version = format!("git-credential-ghapp {BUILD_VERSION}\n");
    assert_eq!(printed(&["--version"]), version);
    for help in ["--help", "-h"] {
        assert!(printed(&[help]).contains("GHAPP_SOCKET"));
    }
}
