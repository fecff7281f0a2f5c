//! Starting: however many clients come at once, and whoever dies or stands still in the middle, there is one agent in the end.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ghapp_tests::process::{self, Output};
use ghapp_tests::{Desk, binary};
use rustix::process::{Pid, Signal, kill_process};

/// As many as a busy machine starts at once.
const CLIENTS: usize = 16;
/// A client gives the start of an agent 5 s, and ends after 20 s whatever happens.
const CLIENT_LIMIT: Duration = Duration::from_secs(25);

/// A client that starts the agent if there is none. Nothing is configured, so it is answered at once.
fn ask(desk: &Desk) -> Output {
    let mut command = desk.command(binary("git-credential-ghapp"));
    process::run(command.arg("get"), b"protocol=https\nhost=github.com\npath=acme/web.git\n\n")
}

/// The processes of our agent's program at this desk's socket, those that only start another one included.
fn processes(desk: &Desk) -> Vec<Pid> {
    let socket = desk.endpoint().path().to_str().unwrap().to_owned();
    let is_ours = |pid: &i32| {
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = command.split('\0');
        words.next().is_some_and(|program| program.ends_with("ghapp-agent")) && words.any(|word| word == socket)
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_ours);
    pids.filter_map(Pid::from_raw).collect()
}

/// Waits until only the agent itself is left of all that was started.
fn assert_one_agent(desk: &Desk) {
    let agent = desk.agent().expect("there is an agent").pid;
    let deadline = Instant::now() + process::DEADLINE;
    loop {
        let processes = processes(desk);
        if processes.iter().map(|pid| pid.as_raw_nonzero().get().cast_unsigned()).eq([agent]) {
            return;
        }
        assert!(Instant::now() < deadline, "the agent is {agent}, and there are {processes:?}");
        thread::yield_now();
    }
}

#[test]
fn many_clients_at_once_start_one_agent_in_every_round() {
    let desk = Desk::new();
    for round in 0..12 {
        thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| ask(&desk))).collect();
            for client in clients {
                let output = client.join().unwrap();
                assert_eq!((output.ok().stderr().as_str(), output.stdout().as_str()), ("", ""), "round {round}");
            }
        });
        assert_one_agent(&desk);
        // Killed it leaves a stale socket, stopped it leaves none: the next round copes with both.
        if round % 3 == 0 { desk.stop_agent() } else { desk.kill_agent() }
    }
}

#[test]
fn agents_that_are_killed_at_any_step_of_their_start_never_stand_in_the_way() {
    let desk = Desk::new();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        // Whatever is found at any moment is killed: before the lock, between binding and renaming, when it listens.
        let killer = scope.spawn(|| {
            let mut killed = 0;
            while !over.load(Ordering::Relaxed) {
                for pid in processes(&desk) {
                    killed += usize::from(kill_process(pid, Signal::KILL).is_ok());
                }
            }
            killed
        });
        for _ in 0..6 {
            let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&desk))).collect();
            // They fail, of course, but with one line each and in time.
            for client in clients {
                assert!(client.join().unwrap().ok().stderr().lines().count() <= 1);
            }
        }
        over.store(true, Ordering::Relaxed);
        assert!(killer.join().unwrap() > 0);
    });
    let begin = Instant::now();
    let output = ask(&desk);
    assert_eq!(output.ok().stderr(), "");
    assert!(begin.elapsed() < CLIENT_LIMIT);
    assert_one_agent(&desk);
    let left = fs::read_dir(desk.runtime_directory().join("ghapp")).unwrap().count();
    assert!(left < 50, "half-made sockets pile up: {left}");
}

#[test]
fn an_agent_that_stands_still_while_it_starts_is_waited_for_and_never_doubled() {
    let desk = Desk::new();
    for _ in 0..3 {
        let stopped = thread::scope(|scope| {
            let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&desk))).collect();
            let stopped = loop {
                let stopped: Vec<_> =
                    processes(&desk).into_iter().filter(|pid| kill_process(*pid, Signal::STOP).is_ok()).collect();
                if !stopped.is_empty() {
                    break stopped;
                }
            };
            // Meanwhile nobody waits longer than he is told to.
            for client in clients {
                assert!(client.join().unwrap().ok().stderr().lines().count() <= 1);
            }
            stopped
        });
        for pid in stopped {
            // It may have been the one that only starts another.
            let _ = kill_process(pid, Signal::CONT);
        }
        assert_eq!(ask(&desk).ok().stderr(), "");
        assert_one_agent(&desk);
        desk.kill_agent();
    }
}

#[test]
fn neither_path_nor_the_working_directory_offers_an_agent() {
    let mut desk = Desk::new();
    let trap = desk.work().join("ghapp-agent");
    let sprung = desk.path("sprung");
    fs::write(&trap, format!("#!/bin/sh\ntouch {}\necho ready\n", sprung.display())).unwrap();
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    let search = format!("{}:.:/usr/bin:/bin", desk.work().display());
    desk.set_env("PATH", search);
    ask(&desk).ok();
    assert_one_agent(&desk);
    desk.stop_agent();
    desk.ghapp(["agent", "start"]).ok();
    desk.ghapp(["agent", "restart"]).ok();
    desk.ghapp(["agent", "run", "--", "true"]).ok();
    assert!(!sprung.exists());
}
