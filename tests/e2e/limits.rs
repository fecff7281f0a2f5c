//! Clients that misbehave, and a machine that runs short: no other client waits, and the agent needs no restart.

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::frame::{self, MAX_FRAME};
use ghapp_protocol::message::{Call, Get, Reply, Response};
use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};
use ghapp_tests::process::{self, Running};
use ghapp_tests::tools::{Tool, all_there, can_see_open_files};
use ghapp_tests::{Desk, binary, eventually};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// How long the agent waits when it could not accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that the agent serves at once.
const AT_ONCE: usize = 64;

fn connect(desk: &Desk) -> UnixStream {
    let stream = UnixStream::connect(desk.endpoint().path()).expect("the backlog is deep");
    stream.set_read_timeout(Some(process::DEADLINE)).expect("it is a socket");
    stream
}

/// The question that git would ask, without git, which takes its time.
fn get(desk: &Desk) -> Call {
    let host = Host::parse(desk.github.host()).expect("it is a host");
    let repository = Some(FullName {
        owner: Owner::parse("acme").expect("it is an owner"),
        repository: RepositoryName::parse("web").expect("it is a name"),
    });
    Call::Get(Get { host, repository, owners: Vec::new() })
}

/// The agent's answer to these bytes; none when it closes the connection without one.
fn answer(desk: &Desk, bytes: &[u8]) -> Option<Reply> {
    let mut stream = connect(desk);
    // It may refuse a message before it has read it all.
    let _ = stream.write_all(bytes);
    frame::read::<Response>(&mut stream).ok().map(|response| response.reply)
}

/// Resident memory in kB.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
    number.expect("the kernel writes a number of kB")
}

#[test]
fn a_frame_that_is_too_large_is_refused_before_anything_is_kept_of_it() {
    let desk = Desk::ready();
    let pid = desk.agent().unwrap().pid;
    let before = memory(pid);
    let too_large = u32::try_from(MAX_FRAME + 1).unwrap();
    for length in [too_large, 1 << 24, u32::MAX] {
        let reply = answer(&desk, &length.to_be_bytes());
        let Some(Reply::Error(error)) = reply else { panic!("{reply:?}") };
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::BadRequest, "message larger than 65536 bytes"));
    }
    // An endless line is no frame: its first four bytes are a length that no message has.
    let reply = answer(&desk, &vec![b'x'; 4 * 1024 * 1024]);
    assert!(matches!(reply, Some(Reply::Error(_)) | None), "{reply:?}");
    for nonsense in ["", "{}", "null", "[[[[", "{\"v\":1}"] {
        let length = u32::try_from(nonsense.len()).unwrap();
        let reply = answer(&desk, &[&length.to_be_bytes(), nonsense.as_bytes()].concat());
        assert!(matches!(reply, Some(Reply::Error(_))), "{nonsense}: {reply:?}");
    }
    assert!(memory(pid) < before + 8 * 1024, "{} kB, {before} kB before", memory(pid));
    assert_eq!(desk.agent().unwrap().pid, pid);
}

#[test]
fn clients_that_send_nothing_delay_nobody_and_are_let_go() {
    let desk = Desk::ready();
    desk.token("acme/web");
    let mut silent = eventually("an answer before others are let go", || {
        let mut silent: Vec<_> = (0..AT_ONCE - 3).map(|_| connect(&desk)).collect();
        silent[0].write_all(&[0, 0]).unwrap();
        assert!(matches!(desk.ask(get(&desk)), Ok(Reply::Lease(_))));
        // Answered before any of them was let go. On a busy machine their time may be over by now: then once more.
        silent.iter_mut().all(is_open).then_some(silent)
    });
    // The agent closes them by itself.
    for stream in &mut silent {
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
    }
}

/// Whether the other side has neither sent anything nor closed.
fn is_open(stream: &mut UnixStream) -> bool {
    stream.set_nonblocking(true).expect("it is a socket");
    let read = stream.read(&mut [0; 8]);
    stream.set_nonblocking(false).expect("it is a socket");
    read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

#[test]
fn a_client_that_does_not_read_its_answer_delays_nobody() {
    let desk = Desk::ready();
    desk.token("acme/web");
    let request = br#"{"v":1,"client":"0.1.0","call":"status"}"#;
    eventually("an answer before others are let go", || {
        let _deaf: Vec<_> = (0..AT_ONCE - 4)
            .map(|_| {
                let mut stream = connect(&desk);
                stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
                stream.write_all(request).unwrap();
                stream
            })
            .collect();
        // It sends nothing, so the agent closes it after its own timeout, which is the clock of this test.
        let mut silent = connect(&desk);
        assert!(matches!(desk.ask(get(&desk)), Ok(Reply::Lease(_))));
        // Something else may have kept the machine busy: then once more.
        is_open(&mut silent)
    });
}

#[test]
fn a_flood_of_connections_is_served_in_turn() {
    let desk = Desk::ready();
    desk.token("acme/web");
    let pid = desk.agent().unwrap().pid;
    // More than are served at once, and silent: the real question queues behind all of them.
    let flood: Vec<_> = (0..4 * AT_ONCE).map(|_| connect(&desk)).collect();
    for stream in flood.iter().step_by(3) {
        stream.shutdown(Shutdown::Both).unwrap();
    }
    desk.token("acme/web");
    drop(flood);
    assert_eq!(desk.agent().unwrap().pid, pid);
    assert_eq!(desk.github.mints().len(), 1);
}

#[test]
fn without_a_free_descriptor_the_agent_waits_and_does_not_spin() {
    let desk = Desk::new();
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground"));
    agent.wait_for_line("listening");
    desk.log_in("memory").ok();
    desk.set_up_git();
    desk.token("acme/web");
    let pid = i32::try_from(agent.pid()).ok().and_then(Pid::from_raw);
    let limit = |count| prlimit(pid, Resource::Nofile, Rlimit { current: Some(count), maximum: Some(1024) }).unwrap();
    let begin = Instant::now();
    limit(32);
    let flood: Vec<_> = (0..60).map(|_| connect(&desk)).collect();
    agent.wait_for_line("a connection could not be accepted");
    // This question is answered behind all the others, once the silent ones are let go.
    assert!(desk.agent().is_some());
    drop(flood);
    // However long the silent ones took: a loop that spins makes thousands of attempts in a second.
    let attempts = agent.written().matches("a connection could not be accepted").count();
    let most = begin.elapsed().as_millis() / ACCEPT_PAUSE.as_millis() + 1;
    assert!(attempts as u128 <= most, "{attempts} attempts where there is time for {most}");
    desk.token("acme/web");
    assert_eq!(desk.github.mints().len(), 1, "the token was kept");
}

#[test]
fn an_agent_that_was_started_in_a_terminal_survives_it() {
    let tool = Tool { program: "script", package: "bsdutils" };
    if !all_there(&[tool]) {
        return;
    }
    let desk = Desk::new();
    let ghapp = binary("ghapp").display().to_string();
    // `script` makes a terminal, and hangs up when the command in it has exited.
    process::run(desk.command("script").args(["-qec", &format!("{ghapp} agent start"), "/dev/null"]), b"").ok();
    let pid = desk.agent().expect("it survives").pid;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!((fields[3], fields[4]), (pid.to_string().as_str(), "0"), "a session of its own, and no terminal");
    if can_see_open_files() {
        for file in std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
            let target = std::fs::read_link(file.unwrap().path()).unwrap_or_default();
            assert!(!target.starts_with("/dev/pts"), "{}", target.display());
        }
    }
}

#[test]
fn an_agent_that_runs_listens_on_no_network() {
    if !can_see_open_files() {
        return;
    }
    let desk = Desk::ready();
    desk.token("acme/web");
    let pid = desk.agent().unwrap().pid;
    let sockets: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok()?.to_str().map(str::to_owned))
        .filter_map(|target| Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    assert!(!sockets.is_empty());
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            // State 0A is LISTEN; an unconnected UDP socket is 07.
            let listens = matches!(fields[3], "0A" | "07");
            assert!(!listens || !sockets.iter().any(|inode| inode == fields[9]), "{line}");
        }
    }
}

#[test]
fn a_read_of_a_dead_connection_is_not_an_error_of_the_agent() {
    let desk = Desk::ready();
    for bytes in [&b""[..], &[0], &[0, 0, 0, 9], &[0, 0, 0, 9, b'{']] {
        let mut stream = connect(&desk);
        stream.write_all(bytes).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let ended = stream.read(&mut [0; 8]);
        assert!(matches!(ended, Ok(0)) || matches!(&ended, Err(error) if error.kind() == ErrorKind::ConnectionReset));
    }
    desk.token("acme/web");
}
