//! Starting: however many clients come at once, and whichever process dies or stops midway, in the end there is one agent.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ghapp_tests::process::{self, Output};
use ghapp_tests::tools::{Tool, all_there};
use ghapp_tests::{Desk, binary, eventually};
use rustix::process::{Pid, Signal, kill_process};

/// Kills or stops a program at a system call of its choice, so that there is a fault point between any two steps and none in the
/// program itself.
const STRACE: &[Tool] = &[Tool { program: "strace", package: "strace" }];
/// The calls by which a start changes something that others see: files, locks, sockets, sessions and what is said on a pipe.
const STEPS: &str = "mkdir,openat,flock,socket,fchmod,bind,listen,connect,rename,unlink,dup2,dup3,setsid,umask,chdir,prctl,write,exit_group";
/// As many as a busy machine starts at once.
const CLIENTS: usize = 16;
/// The pause between two searches for processes to kill.
const LOOK: Duration = Duration::from_millis(1);

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
    eventually(&format!("of all that was started only the agent {agent} is left"), || {
        let processes = processes(desk);
        let alone = processes.iter().map(|pid| pid.as_raw_nonzero().get().cast_unsigned()).eq([agent]);
        if alone { Ok(()) } else { Err(processes) }
    });
}

/// Nothing piles up at the agent's place, whichever process died there.
fn assert_nothing_left(desk: &Desk) {
    let entries = fs::read_dir(desk.runtime_directory().join("ghapp")).unwrap().flatten();
    let names: BTreeSet<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    assert!(names.iter().eq(["agent.lock", "agent.run.lock", "agent.sock"]), "{names:?}");
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
    let (over, end) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let over = over; // also when a client fails
        // Every process is killed at the moment it is found: before the lock, between binding and renaming, when it listens.
        let killer = scope.spawn(|| {
            let (end, mut killed) = (end, 0);
            while end.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                for pid in processes(&desk) {
                    killed += usize::from(kill_process(pid, Signal::KILL).is_ok());
                }
            }
            killed
        });
        for _ in 0..6 {
            let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&desk))).collect();
            // They fail, but with one line each and in time.
            for client in clients {
                assert!(client.join().unwrap().ok().stderr().lines().count() <= 1);
            }
        }
        drop(over);
        assert!(killer.join().unwrap() > 0);
    });
    // A client whose own time was up would say so.
    assert_eq!(ask(&desk).ok().stderr(), "");
    assert_one_agent(&desk);
    assert_nothing_left(&desk);
}

#[test]
fn an_agent_that_stands_still_while_it_starts_is_waited_for_and_never_doubled() {
    let desk = Desk::new();
    for _ in 0..3 {
        let stopped = thread::scope(|scope| {
            let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&desk))).collect();
            let stopped = eventually("an agent starts", || {
                let stopped: Vec<_> =
                    processes(&desk).into_iter().filter(|pid| kill_process(*pid, Signal::STOP).is_ok()).collect();
                (!stopped.is_empty()).then_some(stopped)
            });
            // Meanwhile no client waits beyond its deadline.
            for client in clients {
                assert!(client.join().unwrap().ok().stderr().lines().count() <= 1);
            }
            stopped
        });
        for pid in stopped {
            // It may be the process that only starts another, and be gone.
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

/// The helper beside a program of the agent's name that runs the real agent under strace.
struct Traced {
    directory: PathBuf,
}

impl Traced {
    fn new(desk: &Desk) -> Traced {
        let directory = desk.path("traced");
        fs::create_dir(&directory).unwrap();
        let traced = Traced { directory };
        traced.install("git-credential-ghapp", &fs::read(binary("git-credential-ghapp")).unwrap());
        traced
    }

    /// Makes a program. Another process writes it: children of this one would inherit the open file,
    /// and a program that is open for writing cannot be run.
    fn install(&self, name: &str, program: &[u8]) {
        process::run(Command::new("install").args(["-m", "755", "/dev/stdin"]).arg(self.directory.join(name)), program)
            .ok();
    }

    /// Asks by a helper whose agent is started under `strace OPTIONS`. What it traces goes to the file that is returned.
    fn ask(&self, desk: &Desk, options: &str) -> (Output, PathBuf) {
        let trace = self.directory.join("trace");
        let script = format!(
            // The shell waits without other programs, which would be traced as well.
            "#!/bin/sh\n\
             strace -f -qq -o {trace} {options} -p $$ </dev/null >/dev/null 2>&1 &\n\
             tracer=0\n\
             while [ $tracer = 0 ]; do\n\
             while read -r key value; do [ \"$key\" != TracerPid: ] || tracer=$value; done </proc/$$/status\n\
             done\n\
             exec {agent} \"$@\"\n",
            trace = trace.display(),
            agent = binary("ghapp-agent").display(),
        );
        self.install("ghapp-agent", script.as_bytes());
        let mut command = desk.command(self.directory.join("git-credential-ghapp"));
        let request = b"protocol=https\nhost=github.com\npath=acme/web.git\n\n";
        (process::run(command.arg("get"), request), trace)
    }

    /// Every step of a start that succeeds, in the form that strace finds again: the call, and its number among such calls of
    /// one thread.
    fn steps(&self, desk: &Desk) -> BTreeSet<(String, usize)> {
        let (output, trace) = self.ask(desk, &format!("-e trace={STEPS}"));
        assert_eq!(output.ok().stderr(), "");
        let mut counts = BTreeMap::new();
        let trace = fs::read_to_string(trace).unwrap();
        let calls = trace.lines().filter_map(|line| {
            let (thread, call) = line.split_once(' ')?;
            let name = call.trim_start().split_once('(')?.0;
            let count = counts.entry((thread, name)).or_insert(0);
            *count += 1;
            Some((name.to_owned(), *count))
        });
        // A line with `<... NAME resumed>` is the second half of a call.
        calls.filter(|(name, _)| !name.starts_with('<')).collect()
    }
}

#[test]
fn a_crash_at_any_step_of_a_start_stands_in_nobodys_way() {
    if !all_there(STRACE) {
        return;
    }
    let desk = Desk::new();
    let traced = Traced::new(&desk);
    let steps = traced.steps(&desk);
    let names: BTreeSet<_> = steps.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["flock", "bind", "listen", "rename", "setsid", "write"] {
        assert!(names.contains(name), "a start without {name}: {names:?}");
    }
    let mut died = 0;
    for (name, number) in &steps {
        desk.kill_agent();
        let (output, _) = traced.ask(&desk, &format!("-e trace={name} -e inject={name}:signal=KILL:when={number}"));
        let failed = output.ok().stderr();
        assert!(failed.lines().count() <= 1, "{name} {number}: {failed}");
        died += usize::from(!failed.is_empty());
        assert_eq!(ask(&desk).ok().stderr(), "", "after a crash at {name} {number}");
        assert_one_agent(&desk);
        assert_nothing_left(&desk);
    }
    assert!(died > steps.len() / 2, "only {died} of {} starts were broken off", steps.len());
}

#[test]
fn a_start_that_stands_still_between_two_steps_is_waited_for_and_goes_on() {
    if !all_there(STRACE) {
        return;
    }
    // Not locked, locked and not bound, bound and not listening, listening and not published: no other takes its place.
    let steps = ["flock", "bind", "listen", "rename"];
    thread::scope(|scope| {
        for step in steps {
            scope.spawn(move || {
                let desk = Desk::new();
                let (output, _) =
                    Traced::new(&desk).ask(&desk, &format!("-e trace={step} -e inject={step}:signal=STOP:when=1"));
                assert!(output.ok().stderr().lines().count() <= 1, "{step}");
                let stopped = processes(&desk);
                assert!(!stopped.is_empty(), "nothing stands still at {step}");
                assert!(ask(&desk).ok().stderr().lines().count() <= 1, "{step}");
                eventually(&format!("the agent that stood still at {step} goes on"), || {
                    for pid in processes(&desk) {
                        // The process that only starts another may have exited by now. A thread comes to its own step later.
                        let _ = kill_process(pid, Signal::CONT);
                    }
                    let said = ask(&desk).ok().stderr();
                    if said.is_empty() { Ok(()) } else { Err(said) }
                });
                assert_one_agent(&desk);
                assert_nothing_left(&desk);
            });
        }
    });
}

#[test]
fn the_socket_has_its_mode_before_it_has_a_name() {
    if !all_there(STRACE) {
        return;
    }
    let desk = Desk::new();
    // Killed between binding and listening, with a mask that closes nothing: the socket that is left has never been open.
    let script = format!(
        "umask 0; exec strace -f -qq -o /dev/null -e trace=listen -e inject=listen:signal=KILL {} --foreground",
        binary("ghapp-agent").display()
    );
    let killed = process::run(desk.command("sh").args(["-c", &script]), b"");
    killed.failed();
    let directory = desk.runtime_directory().join("ghapp");
    let entries: BTreeMap<_, _> = fs::read_dir(&directory)
        .unwrap()
        .flatten()
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().permissions().mode() & 0o777))
        .collect();
    let expected = [("agent.run.lock", 0o600), ("agent.~", 0o600)].map(|(name, mode)| (name.to_owned(), mode));
    assert_eq!(entries, expected.into());
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
}
