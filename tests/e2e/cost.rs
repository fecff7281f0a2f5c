//! What the usual way costs, counted and not timed: a helper with an answer from the agent's cache, and the agent that answers.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::{BTreeMap, HashMap};
use std::fs;

use ghapp_protocol::message::{Call, Get, Reply};
use ghapp_protocol::remote::{FullName, Host};
use ghapp_tests::process::{self, Running};
use ghapp_tests::tools::{Tool, all_there};
use ghapp_tests::{Desk, binary};

const STRACE: &[Tool] = &[Tool { program: "strace", package: "strace" }];
/// Our programs begin with this call; the calls before it are the loader's and the standard library's.
const FIRST_CALL: &str = "PR_SET_DUMPABLE";
/// What the audit log's marker looks like in a request, see `Desk::audit_lines`.
const MARKER: &str = "marker.invalid";
/// What tokio writes to the event that wakes it.
const TOKIO_WAKES_ITSELF: &str = r#""\1\0\0\0\0\0\0\0", 8)"#;
/// Questions that are counted.
const QUESTIONS: usize = 20;

/// A line of `strace -f`.
struct Traced {
    thread: String,
    /// The call with its arguments and result.
    call: String,
}

/// The lines of `strace -f` in the order in which the calls ended, whole: strace tears a call apart when another thread makes one
/// meanwhile, and only the second half has what was received.
fn whole_calls(trace: &str) -> Vec<Traced> {
    let mut torn = HashMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let (thread, rest) = line.split_once(' ').expect("strace -f begins lines with the thread");
        let rest = rest.trim_start();
        if let Some(begin) = rest.strip_suffix("<unfinished ...>") {
            torn.insert(thread, begin);
            continue;
        }
        let call = match rest.strip_prefix("<... ").and_then(|rest| rest.split_once(" resumed>")) {
            Some((_, end)) => format!("{}{end}", torn.remove(thread).unwrap_or_default()),
            None => rest.to_owned(),
        };
        calls.push(Traced { thread: thread.to_owned(), call });
    }
    calls
}

/// How often each system call is in strace's lines, which begin with its name.
fn count<'a>(lines: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut calls = BTreeMap::new();
    // Not signals and exits.
    for call in lines.into_iter().filter(|line| line.starts_with(|char: char| char.is_ascii_lowercase())) {
        if let Some((name, _)) = call.split_once('(') {
            *calls.entry(name).or_default() += 1;
        }
    }
    calls
}

/// rule 51: a count cannot be slow by chance. The benchmark measures the time, and has a budget for it.
#[test]
fn a_warm_get_connects_writes_and_reads_once_and_opens_no_file() {
    if !all_there(STRACE) {
        return;
    }
    let desk = Desk::ready();
    desk.token("acme/web");
    let trace = desk.path("trace");
    let mut command = desk.command("strace");
    command.args(["-qq", "-o"]).arg(&trace).arg(binary("git-credential-ghapp")).arg("get");
    let request = format!("protocol=https\nhost={}\npath=acme/web.git\n\n", desk.github.host());
    let answer = process::run(&mut command, request.as_bytes()).ok().stdout();
    assert!(answer.contains("\npassword=ghs_"), "{answer}");

    let trace = fs::read_to_string(trace).expect("strace wrote it");
    let (_, ours) = trace.split_once(FIRST_CALL).expect("it hardens itself first");
    let calls = count(ours.lines().skip(1));
    let of = |name: &str| calls.get(name).copied().unwrap_or_default();
    assert_eq!((of("socket"), of("connect"), of("sendto"), of("recvfrom")), (1, 1, 1, 1), "{calls:?}");
    assert_eq!((of("read"), of("write")), (1, 1), "git's question and git's answer: {calls:?}");
    let opened: usize = ["open", "openat", "execve", "clone", "clone3", "fork", "vfork"].map(of).iter().sum();
    assert_eq!(opened, 0, "{calls:?}");
    // 20 when this was written.
    let all: usize = calls.values().sum();
    assert!(all <= 24, "{all}: {calls:?}");
}

#[test]
fn an_answer_from_the_cache_touches_no_file_no_keyring_and_no_network() {
    if !all_there(STRACE) {
        return;
    }
    let desk = Desk::new();
    let trace = desk.path("trace");
    let mut command = desk.command("strace");
    command.args(["-f", "-qq", "-s", "200", "-o"]).arg(&trace).arg(binary("ghapp-agent"));
    let agent = Running::spawn(command.arg("--foreground"));
    agent.wait_for_line("listening");
    desk.log_in("memory").ok();
    desk.set_up_git();
    desk.token("acme/web");
    let api = desk.github.calls().len();
    let host = Host::parse(desk.github.host()).unwrap();
    let get = Get { host, repository: Some(FullName::parse("acme/web").unwrap()), owners: Vec::new() };
    desk.audit_lines();
    for _ in 0..QUESTIONS {
        assert!(matches!(desk.ask(Call::Get(get.clone())), Ok(Reply::Lease(_))));
    }
    let lines = desk.audit_lines();
    assert!(lines.iter().rev().take(QUESTIONS).all(|line| line.contains("\"hit\"")), "each is in the log: {lines:?}");
    assert_eq!(desk.github.calls().len(), api);
    desk.stop_agent();
    agent.finish().ok();

    let calls = whole_calls(&fs::read_to_string(trace).expect("strace wrote it"));
    let is_marker = |line: &Traced| line.call.starts_with("recvfrom(") && line.call.contains(MARKER);
    let markers: Vec<_> = (0..calls.len()).filter(|&at| is_marker(&calls[at])).collect();
    let &[.., from, to] = markers.as_slice() else { panic!("the questions are not between two markers") };
    let answering = &calls[from].thread;
    let (its, others): (Vec<&Traced>, Vec<&Traced>) =
        calls[from + 1..to].iter().partition(|line| &line.thread == answering);
    let its = || its.iter().map(|line| line.call.as_str());

    // The first marker is in the agent's own log; otherwise there would be a line for each question.
    let logged = its().filter(|call| call.starts_with("write(2, ")).count();
    assert!(logged <= 1, "{logged} lines in the log");
    // When a question comes later than its connection, tokio writes to its own event to look at the timers again.
    let mut calls = count(its().filter(|call| !call.starts_with("write(2, ") && !call.contains(TOKIO_WAKES_ITSELF)));
    // The second marker came the same way.
    assert_eq!(calls.remove("close"), Some(QUESTIONS + 1), "{calls:?}");
    // One for each thing, and two where tokio asks whether there is more. 11 when this was written; more when a question is late.
    let each = calls.values().sum::<usize>() / (QUESTIONS + 1);
    assert!(each <= 16, "{each} calls for each question: {calls:?}");
    let allowed =
        ["accept4", "fcntl", "getsockopt", "geteuid", "recvfrom", "sendto", "epoll_wait", "epoll_ctl", "futex"];
    let more: Vec<_> = calls.keys().filter(|name| !allowed.contains(*name) && !is_memory(name)).collect();
    assert!(more.is_empty(), "{more:?} in {calls:?}");
    // The work of the threads that write the audit log and wait for keyrings.
    let calls = count(others.iter().map(|line| line.call.as_str()));
    let network: Vec<_> = ["socket", "connect", "sendmsg", "sendto", "recvmsg", "execve"]
        .into_iter()
        .filter(|name| calls.contains_key(name))
        .collect();
    assert!(network.is_empty(), "{network:?} in {calls:?}");
}

/// Whether a call is the allocator's.
fn is_memory(name: &str) -> bool {
    matches!(name, "brk" | "mmap" | "munmap" | "madvise" | "mremap" | "mprotect")
}
