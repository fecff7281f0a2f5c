//! Streams that are closed, full or never end, and an environment with nothing in it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use ghapp_protocol::TOKEN_USERNAME;
use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Lease, Reply};
use ghapp_protocol::secret::Secret;

use crate::agent::{Place, reply};
use crate::program::{PROGRAM, REQUEST, command, finish, run};

fn quit() -> Vec<u8> {
    reply(Reply::Error(WireError::new(ErrorCode::Denied, "denied")))
}

fn lease(token: &str) -> Vec<u8> {
    let token = Secret::new(token.to_owned());
    reply(Reply::Lease(Lease { username: TOKEN_USERNAME.to_owned(), token, expires_at: 1_790_000_060 }))
}

/// Starts the program and writes a request to its standard input, which has to be a pipe.
fn fed(mut command: Command, request: &str) -> Child {
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    child
}

/// A stream whose other end is closed already.
fn broken() -> Stdio {
    let (ours, _) = UnixStream::pair().unwrap();
    Stdio::from(std::os::fd::OwnedFd::from(ours))
}

#[test]
fn nobody_left_to_read_the_answer_is_no_failure() {
    for (stdout_broken, stderr_broken) in [(true, false), (false, true), (true, true)] {
        let place = Place::new();
        let mut get = command(&place, &["get"]);
        get.stdin(Stdio::piped());
        get.stdout(if stdout_broken { broken() } else { Stdio::piped() });
        get.stderr(if stderr_broken { broken() } else { Stdio::piped() });
        let (outcome, _) = place.answering(&quit(), || finish(fed(get, REQUEST)));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        if !stdout_broken {
            assert_eq!(outcome.stdout, "quit=1\n");
        }
        if !stderr_broken {
            assert_eq!(outcome.line(), "ghapp: denied");
        }
    }
}

#[test]
fn every_operation_survives_streams_that_do_not_exist() {
    for operation in ["get", "erase", "store", "capability", "", "--version", "-x"] {
        for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
            let place = Place::new();
            let mut shell = Command::new("/bin/sh");
            shell
                .args(["-c", &format!(r#"exec "$0" "$1" {closed}"#)])
                .args([PROGRAM, operation])
                .env_clear()
                .env("GHAPP_SOCKET", place.socket())
                .env("GHAPP_NO_AUTOSTART", "1");
            let outcome = run(shell, REQUEST);
            let expected = if operation == "-x" { 2 } else { 0 };
            assert_eq!(outcome.code, Some(expected), "{operation} {closed}");
            assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
        }
    }
}

/// A closed stream is empty and not the next file that is opened, which would be the connection to the agent.
#[test]
fn a_stream_that_does_not_exist_is_an_empty_one() {
    let place = Place::new();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"exec "$0" get <&-"#, PROGRAM]).env_clear().env("GHAPP_SOCKET", place.socket());
    let outcome = place.unasked(|| run(shell, ""));
    assert_eq!(outcome.only_line(), "ghapp: refusing git's request: the attribute protocol is missing or empty");

    // A log that is opened and kept would otherwise become the standard output that the token is written to.
    let trace = place.path().join("trace");
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", r#"exec "$0" get >&-"#, PROGRAM]).env_clear().env("GHAPP_TRACE", &trace);
    let again = Place::new();
    shell.env("GHAPP_SOCKET", again.socket()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (outcome, _) = again.answering(&lease("ghs_canary"), || finish(fed(shell, REQUEST)));
    outcome.assert_silent();
    let trace = std::fs::read_to_string(trace).unwrap();
    assert!(trace.contains("answer: a token") && !trace.contains("ghs_canary"), "{trace}");
}

#[test]
#[cfg(target_os = "linux")] // /dev/full
fn a_full_disk_behind_the_answer_is_one_line_and_no_failure() {
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    for (answer, stderr_full, said) in [
        (lease("ghs_canary"), false, "ghapp: the answer could not be written: no storage space\n"),
        (quit(), false, "ghapp: denied\n"),
        (lease("ghs_canary"), true, ""),
        (quit(), true, ""),
    ] {
        let place = Place::new();
        let mut get = command(&place, &["get"]);
        get.stdin(Stdio::piped()).stdout(full());
        get.stderr(if stderr_full { Stdio::from(full()) } else { Stdio::piped() });
        let (outcome, _) = place.answering(&answer, || finish(fed(get, REQUEST)));
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), said));
    }
}

#[test]
fn a_blank_line_is_answered_although_the_input_stays_open() {
    let place = Place::new();
    let mut get = command(&place, &["get"]);
    get.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (outcome, _) = place.answering(&quit(), || {
        let mut child = get.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(REQUEST.as_bytes()).unwrap();
        stdin.write_all(b"\n").unwrap();
        let outcome = finish(child);
        drop(stdin);
        outcome
    });
    assert_eq!(outcome.stdout, "quit=1\n");
}

/// rule 36: neither an input without an end nor an output without a reader keeps the program for longer than its deadline.
#[test]
fn what_never_ends_costs_20_seconds_and_one_line() {
    let begin = Instant::now();
    thread::scope(|scope| {
        for operation in ["get", "store", "erase", "unknown"] {
            scope.spawn(move || {
                let place = Place::new();
                let mut command = command(&place, &[operation]);
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                let outcome = place.unasked(|| {
                    let mut child = command.spawn().unwrap();
                    let mut stdin = child.stdin.take().unwrap();
                    stdin.write_all(REQUEST.as_bytes()).unwrap();
                    let outcome = finish(child);
                    drop(stdin);
                    outcome
                });
                if matches!(operation, "get" | "erase") {
                    assert!(outcome.only_line().contains("timed out"), "{outcome:?}");
                } else {
                    outcome.assert_silent();
                }
            });
        }
        scope.spawn(|| {
            let (_reader, writer) = io::pipe().unwrap();
            fill(&writer);
            let place = Place::new();
            let mut get = command(&place, &["get"]);
            get.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
            let (outcome, _) = place.answering(&lease("ghs_canary"), || finish(fed(get, REQUEST)));
            assert_eq!(outcome.line(), "ghapp: the answer could not be written: timed out");
        });
    });
    // Too little cannot be by chance; whether it is too much is up to `finish`.
    assert!(begin.elapsed() >= Duration::from_secs(19));
}

/// Leaves no room in a pipe.
fn fill(pipe: &io::PipeWriter) {
    rustix::io::ioctl_fionbio(pipe, true).unwrap();
    for size in [4096, 1] {
        while rustix::io::write(pipe, &vec![b'x'; size]).is_ok() {}
    }
    rustix::io::ioctl_fionbio(pipe, false).unwrap();
}

#[test]
fn a_slow_reader_gets_a_long_answer_to_its_end() {
    let token = "g".repeat(60_000);
    let (mut reader, writer) = io::pipe().unwrap();
    let place = Place::new();
    let mut get = command(&place, &["get"]);
    get.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
    let (outcome, _) = place.answering(&lease(&token), || {
        let child = fed(get, REQUEST);
        let mut answer = Vec::new();
        let mut byte = [0];
        // `get` was moved into `fed`, and with it the other end.
        while reader.read(&mut byte).unwrap() > 0 {
            answer.push(byte[0]);
        }
        let expected = format!("username=x-access-token\npassword={token}\npassword_expiry_utc=1790000000\n");
        assert!(answer == expected.as_bytes(), "{} bytes", answer.len());
        finish(child)
    });
    outcome.assert_silent();
}

/// rule 29: with the signal's default action as a shell or a service manager may leave it, and as git leaves it.
#[test]
fn rule_29_a_reader_that_has_gone_kills_nobody_and_is_told_nothing() {
    for trap in ["trap - PIPE", "trap '' PIPE"] {
        for (operation, asked) in [("get", true), ("capability", false), ("--version", false), ("--help", false)] {
            let (reader, writer) = io::pipe().unwrap();
            drop(reader);
            let place = Place::new();
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", &format!("{trap}; exec \"$0\" \"$1\""), PROGRAM, operation]).env_clear();
            shell.env("GHAPP_SOCKET", place.socket()).env("GHAPP_NO_AUTOSTART", "1");
            shell.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
            let outcome = if asked {
                place.answering(&lease("ghs_canary"), || finish(fed(shell, REQUEST))).0
            } else {
                place.unasked(|| finish(shell.stdin(Stdio::null()).spawn().unwrap()))
            };
            outcome.assert_silent();
        }
    }
}

#[test]
#[cfg(target_os = "linux")] // /dev/zero never ends
fn an_endless_input_is_given_up_early_whatever_the_operation() {
    for operation in ["get", "erase", "store", "unknown", ""] {
        let place = Place::new();
        let mut command = command(&place, &[operation]);
        command.stdin(std::fs::File::open("/dev/zero").unwrap()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let outcome = place.unasked(|| finish(command.spawn().unwrap()));
        if matches!(operation, "get" | "erase") {
            assert!(outcome.only_line().ends_with("a line is longer than 65535 bytes"), "{outcome:?}");
        } else {
            outcome.assert_silent();
        }
    }
}

/// Only what neither starts an agent nor depends on whether this machine's user runs one.
#[test]
fn an_empty_environment_is_enough() {
    for (operation, request) in [
        ("get", "protocol=http\nhost=github.com\n"),
        ("get", "protocol=https\nhost=github.com\nusername=mona\n"),
        ("store", REQUEST),
        ("erase", "protocol=https\nhost=nowhere.invalid\npassword=canary\n"),
        ("", REQUEST),
    ] {
        let mut command = Command::new(PROGRAM);
        command.arg(operation).env_clear().current_dir("/");
        run(command, request).assert_silent();
    }
    let mut hostile = Command::new(PROGRAM);
    hostile.arg("get").env_clear().current_dir("/");
    run(hostile, "protocol=https\n").only_line();
}
