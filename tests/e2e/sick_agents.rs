//! An agent that is stopped, gone, or not an agent: git goes on within a bounded time, with the next helper and one line.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::{Duration, Instant};

use ghapp_tests::Desk;
use ghapp_tests::process::Output;
use rustix::process::{Pid, Signal, kill_process};

/// A desk with a helper behind ours, which always knows an answer.
fn desk() -> Desk {
    let desk = Desk::ready();
    let key = format!("credential.https://{}.helper", desk.github.host());
    desk.git(["config", "--global", "--add", &key, "!f() { echo username=next; echo password=helper; }; f"]).ok();
    desk
}

/// Asserts that git got its answer from the next helper, and the person one line that names the cause.
#[track_caller]
fn assert_next_helper(filled: &Output, cause: &str) {
    assert!(filled.ok().stdout().contains("username=next\npassword=helper\n"), "{}", filled.stdout());
    filled.stderr_contains(cause);
    assert_eq!(filled.stderr().lines().count(), 1, "{}", filled.stderr());
    assert!(filled.stderr().starts_with("ghapp: "), "{}", filled.stderr());
}

#[test]
fn an_agent_that_was_stopped_costs_20_seconds_and_works_again_when_it_goes_on() {
    let desk = desk();
    let token = desk.token("acme/web");
    let pid =
        desk.agent().and_then(|status| Pid::from_raw(i32::try_from(status.pid).ok()?)).expect("there is an agent");
    kill_process(pid, Signal::STOP).expect("it is this user's");
    let begin = Instant::now();
    let filled = desk.fill("acme/web");
    let elapsed = begin.elapsed();
    kill_process(pid, Signal::CONT).expect("it is this user's");
    assert_next_helper(&filled, "the agent did not answer in time");
    // Less cannot be by chance. More fails at the deadline of every process, and the benchmark has the figure.
    assert!(elapsed >= Duration::from_secs(19), "{elapsed:?}");
    assert_eq!(desk.token("acme/web"), token);
}

#[test]
fn something_else_on_the_socket_is_not_believed_and_no_second_agent_is_started() {
    let desk = desk();
    desk.stop_agent();
    let socket = desk.endpoint().path().to_owned();
    let said: [(&[u8], &str); 6] = [
        (b"", "talking to the agent failed"),
        (b"\0\0", "talking to the agent failed"),
        (b"\0\0\0\x20{\"v\":1,", "talking to the agent failed"),
        (b"password=evil\nquit=1\n", "larger than 65536 bytes"),
        (b"\0\0\0\x05hello", "the agent's answer is unreadable"),
        (b"\0\0\0\x2a{\"v\":2,\"agent\":\"9.9.9\\nx=y\",\"reply\":\"lease\"}", "the agent"),
    ];
    for (answer, cause) in said {
        let listener = UnixListener::bind(&socket).expect("the place is free");
        let filled = thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().expect("the helper comes");
                let mut request = [0; 4];
                stream.read_exact(&mut request).expect("it asks");
                let length = usize::try_from(u32::from_be_bytes(request)).expect("it is short");
                stream.read_exact(&mut vec![0; length]).expect("it asks");
                stream.write_all(answer).expect("it listens");
            });
            desk.fill("acme/web")
        });
        assert_next_helper(&filled, cause);
        drop(listener);
        std::fs::remove_file(&socket).expect("it is ours");
    }
    assert!(desk.agent().is_none());
}
