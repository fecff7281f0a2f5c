//! Asking and starting, against small stand-ins for the agent. The agent itself and its start have tests of their own.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use ghapp_protocol::client::{self, ClientError, Deadline};
use ghapp_protocol::endpoint::{Endpoint, EndpointError};
use ghapp_protocol::frame::{self, FrameError, MAX_FRAME};
use ghapp_protocol::message::{Call, Reply, Request, Response};
use ghapp_protocol::start::{self, StartError};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tempfile::TempDir;

/// For answers that come: no test waits that long.
const GENEROUS: Duration = Duration::from_secs(60);
/// For answers that do not come.
const SHORT: Duration = Duration::from_millis(200);

struct Place {
    endpoint: Endpoint,
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { endpoint: Endpoint::at(directory.path().join("agent.sock")).unwrap(), directory }
    }

    fn listen(&self) -> UnixListener {
        UnixListener::bind(self.endpoint.path()).unwrap()
    }

    fn ask(&self, deadline: Duration) -> Result<Reply, ClientError> {
        let request = Request::new(Call::Status {});
        client::ask(&self.endpoint, &request, Deadline::after(deadline))
    }
}

/// Takes one request and answers it with these bytes.
fn serve(listener: &UnixListener, answer: &[u8]) -> Request {
    let (mut stream, _) = listener.accept().unwrap();
    let request = frame::read(&mut stream).unwrap();
    // The client may have given up by now.
    let _ = stream.write_all(answer);
    request
}

/// What a client makes of an agent that answers with these bytes and closes the connection.
fn asked_of(answer: &[u8]) -> Result<Reply, ClientError> {
    let place = Place::new();
    let listener = place.listen();
    thread::scope(|scope| {
        scope.spawn(|| serve(&listener, answer));
        place.ask(GENEROUS)
    })
}

fn framed(json: &str) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap();
    [&length.to_be_bytes()[..], json.as_bytes()].concat()
}

#[test]
fn an_answer_comes_back() {
    let answer = frame::encode(&Response::new(Reply::NoMatch {})).unwrap();
    assert!(matches!(asked_of(&answer), Ok(Reply::NoMatch {})));
}

#[test]
fn no_socket_means_not_running_and_a_socket_without_listener_means_gone() {
    let place = Place::new();
    let error = place.ask(GENEROUS).unwrap_err();
    assert!(matches!(error, ClientError::NotRunning), "{error:?}");
    assert!(error.means_no_agent());

    drop(place.listen()); // the file stays
    let error = place.ask(GENEROUS).unwrap_err();
    assert!(matches!(error, ClientError::Gone), "{error:?}");
    assert!(error.means_no_agent());

    let deep = Endpoint::at(place.directory.path().join("missing/agent.sock")).unwrap();
    let request = Request::new(Call::Status {});
    let error = client::ask(&deep, &request, Deadline::after(GENEROUS)).unwrap_err();
    assert!(matches!(error, ClientError::NotRunning), "{error:?}");
}

#[test]
fn a_request_that_an_ending_agent_left_unread_means_gone() {
    let place = Place::new();
    let listener = place.listen();
    let waiting = || {
        let mut descriptors = [rustix::event::PollFd::new(&listener, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut descriptors, None).unwrap();
    };
    thread::scope(|scope| {
        let client = scope.spawn(|| place.ask(GENEROUS));
        waiting(); // it is in the backlog, and its request on its way
        let (unread, _) = listener.accept().unwrap();
        let mut first = [0];
        rustix::net::recv(&unread, &mut first, rustix::net::RecvFlags::PEEK).unwrap();
        drop(unread);
        let error = client.join().unwrap().unwrap_err();
        assert!(matches!(error, ClientError::Gone), "{error:?}");
    });
}

#[test]
fn an_agent_that_accepts_and_never_answers_costs_no_more_than_the_deadline() {
    let place = Place::new();
    let listener = place.listen();
    let begin = Instant::now();
    thread::scope(|scope| {
        let silent = scope.spawn(|| listener.accept().unwrap());
        let error = place.ask(SHORT).unwrap_err();
        assert!(matches!(error, ClientError::Silent { connected: true }), "{error:?}");
        assert!(!error.means_no_agent(), "a second agent would not help");
        drop(silent.join().unwrap());
    });
    assert!(begin.elapsed() >= SHORT);
    assert!(begin.elapsed() < GENEROUS);
}

#[test]
fn an_agent_that_drips_bytes_cannot_stretch_the_deadline() {
    let place = Place::new();
    let listener = place.listen();
    let begin = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let _: Request = frame::read(&mut stream).unwrap();
            stream.write_all(&60_000_u32.to_be_bytes()).unwrap();
            // One byte whenever the client has said nothing for a while, until it has gone.
            stream.set_read_timeout(Some(SHORT / 20)).unwrap();
            while !matches!(stream.read(&mut [0]), Ok(0)) && stream.write_all(b" ").is_ok() {}
        });
        let error = place.ask(SHORT).unwrap_err();
        assert!(matches!(error, ClientError::Silent { connected: true }), "{error:?}");
    });
    assert!(begin.elapsed() < GENEROUS);
}

#[test]
fn no_time_left_means_silent_and_not_for_ever() {
    let place = Place::new();
    let _listener = place.listen();
    let error = place.ask(Duration::ZERO).unwrap_err();
    assert!(matches!(error, ClientError::Silent { .. }), "{error:?}");
}

#[test]
fn half_an_answer_is_an_error() {
    let answer = frame::encode(&Response::new(Reply::NoMatch {})).unwrap();
    for length in [0, 1, 3, 4, 5, answer.len() - 1] {
        let error = asked_of(&answer[..length]).unwrap_err();
        let ClientError::Io(error) = error else {
            panic!("{length} bytes: {error:?}");
        };
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

#[test]
fn an_answer_that_announces_too_much_is_refused_before_it_is_read() {
    for length in [u32::try_from(MAX_FRAME).unwrap() + 1, u32::MAX] {
        let error = asked_of(&length.to_be_bytes()).unwrap_err();
        assert!(matches!(error, ClientError::Garbled(FrameError::TooLarge)), "{error:?}");
    }
}

#[test]
fn garbled_answers_are_refused_without_being_repeated() {
    for json in [
        "",
        "ghs_canary",
        "null",
        "{}",
        r#"{"v":1,"agent":"0.1.0"}"#,
        r#"{"v":1,"agent":"0.1.0","reply":"lease","token":"ghs_canary"}"#,
        r#"{"v":1,"agent":"0.1.0","reply":"no_match"}ghs_canary"#,
        "{\"v\":1,\"agent\":\"\u{0}ghs_canary",
    ] {
        let error = asked_of(&framed(json)).unwrap_err();
        assert!(matches!(error, ClientError::Garbled(_)), "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
    let error = asked_of(b"\0\0\0\x02\xff\xfe").unwrap_err();
    assert!(matches!(error, ClientError::Garbled(_)), "{error:?}");
}

#[test]
fn an_agent_of_another_version_is_named_and_its_name_made_printable() {
    for reply in ["no_match", "a_reply_of_the_future"] {
        let json = format!(r#"{{"v":2,"agent":"9.0\u001b[31m.1 \n","reply":"{reply}"}}"#);
        let error = asked_of(&framed(&json)).unwrap_err();
        let ClientError::Version { agent } = error else {
            panic!("{error:?}");
        };
        assert_eq!(agent, "9.0[31m.1");
    }
}

#[test]
fn a_directory_where_anybody_can_replace_the_socket_is_refused_before_connecting() {
    let place = Place::new();
    let listener = place.listen();
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(place.directory.path(), open).unwrap();
    let error = place.ask(GENEROUS).unwrap_err();
    assert!(matches!(error, ClientError::Endpoint(EndpointError::Unsafe { .. })), "{error:?}");
    assert!(!error.means_no_agent());
    assert!(nobody_connected(&listener));
}

fn nobody_connected(listener: &UnixListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    matches!(listener.accept(), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

/// A listener with the smallest backlog, and connections that fill it.
#[cfg(target_os = "linux")]
fn full(place: &Place) -> (UnixListener, Vec<UnixStream>) {
    let flags = SocketFlags::CLOEXEC;
    let socket = |flags| rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    let address = SocketAddrUnix::new(place.endpoint.path()).unwrap();
    let listener = socket(flags);
    rustix::net::bind(&listener, &address).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    let mut fillers = Vec::new();
    loop {
        let filler = socket(flags | SocketFlags::NONBLOCK);
        match rustix::net::connect(&filler, &address) {
            Ok(()) => fillers.push(UnixStream::from(filler)),
            Err(errno) => {
                assert_eq!(errno, rustix::io::Errno::AGAIN);
                return (listener.into(), fillers);
            }
        }
    }
}

#[test]
#[cfg(target_os = "linux")] // elsewhere a full backlog refuses, which reads as Gone
fn clients_that_meet_a_full_backlog_are_served_in_turn() {
    const CLIENTS: usize = 20;
    let place = Place::new();
    let (listener, fillers) = full(&place);
    let answer = frame::encode(&Response::new(Reply::NoMatch {})).unwrap();
    let all_there = Barrier::new(CLIENTS + 1);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    all_there.wait();
                    place.ask(GENEROUS)
                })
            })
            .collect();
        all_there.wait();
        drop(fillers); // their connections still stand in the queue
        let mut served = 0;
        while served < CLIENTS {
            let (mut stream, _) = listener.accept().unwrap();
            if frame::read::<Request>(&mut stream).is_ok() {
                stream.write_all(&answer).unwrap();
                served += 1;
            }
        }
        for client in clients {
            let reply = client.join().unwrap();
            assert!(matches!(reply, Ok(Reply::NoMatch {})), "{reply:?}");
        }
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_backlog_that_stays_full_is_waited_for_until_the_deadline() {
    let place = Place::new();
    let (_listener, _fillers) = full(&place);
    let begin = Instant::now();
    let several = client::CONNECT_TIMEOUT * 3;
    let error = place.ask(several).unwrap_err();
    assert!(matches!(error, ClientError::Silent { connected: false }), "{error:?}");
    assert!(begin.elapsed() >= several);
    assert!(begin.elapsed() < GENEROUS);
}

#[test]
fn an_agent_that_is_there_is_asked_for_its_status_and_none_is_started() {
    let place = Place::new();
    let listener = place.listen();
    let answer = frame::encode(&Response::new(Reply::NoMatch {})).unwrap();
    thread::scope(|scope| {
        let agent = scope.spawn(|| serve(&listener, &answer));
        start::ensure_agent(&place.endpoint, None, Deadline::after(GENEROUS)).unwrap();
        let request = agent.join().unwrap();
        assert!(matches!(request.call, Call::Status {}), "{request:?}");
    });
    let lock = place.endpoint.start_lock();
    let mode = fs::metadata(lock).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The test program has no agent beside it.
#[test]
fn without_an_agents_program_beside_this_one_its_place_is_named() {
    let place = Place::new();
    for gone in [false, true] {
        if gone {
            drop(place.listen());
        }
        let error = start::ensure_agent(&place.endpoint, None, Deadline::after(GENEROUS)).unwrap_err();
        let StartError::NoProgram { expected } = error else {
            panic!("{error:?}");
        };
        let here = std::env::current_exe().unwrap();
        assert_eq!(expected, here.with_file_name("ghapp-agent"));
    }
}

#[test]
fn an_agent_that_is_silent_or_garbled_is_not_started_a_second_time() {
    let place = Place::new();
    let listener = place.listen();
    // Nothing accepts: the connection waits in the backlog, and the answer does not come.
    start::ensure_agent(&place.endpoint, None, Deadline::after(SHORT)).unwrap();
    drop(listener.accept().unwrap());
    thread::scope(|scope| {
        scope.spawn(|| serve(&listener, b"\0\0\0\x02{}"));
        start::ensure_agent(&place.endpoint, None, Deadline::after(GENEROUS)).unwrap();
    });
}

#[test]
fn a_lock_that_nobody_lets_go_costs_no_more_than_the_deadline() {
    let place = Place::new();
    let lock = ghapp_protocol::endpoint::open_lock(&place.endpoint.start_lock()).unwrap();
    ghapp_protocol::endpoint::lock(&lock).unwrap();
    let error = start::ensure_agent(&place.endpoint, None, Deadline::after(SHORT)).unwrap_err();
    assert!(matches!(error, StartError::TooSlow), "{error:?}");
}

#[test]
fn a_lock_file_is_never_opened_through_a_link() {
    let place = Place::new();
    let target = place.directory.path().join("target");
    std::os::unix::fs::symlink(&target, place.endpoint.start_lock()).unwrap();
    let error = start::ensure_agent(&place.endpoint, None, Deadline::after(GENEROUS)).unwrap_err();
    assert!(matches!(error, StartError::Spawn(_)), "{error:?}");
    assert!(!target.exists());
}
