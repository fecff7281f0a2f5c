//! The ways to run the agent: announced to a shell, private to one command, restarted, gone when it is unused.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use ghapp_protocol::endpoint;
use ghapp_tests::process::{self, Output, Running};
use ghapp_tests::tools::{Tool, all_there};
use ghapp_tests::{Desk, binary, eventually};
use rustix::process::{Pid, Signal, kill_process};

/// Shells that need words of their own.
const SHELLS: &[Tool] = &[Tool { program: "tcsh", package: "tcsh" }, Tool { program: "fish", package: "fish" }];

/// Runs a script with the programs under test in its `PATH`.
fn shell(desk: &Desk, shell: &[&str], script: &str) -> Output {
    let mut command = desk.command(shell[0]);
    process::run(command.args(&shell[1..]).arg(script), b"")
}

fn signal(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn a_shell_learns_where_the_agent_is_and_one_is_started() {
    let mut desk = Desk::new();
    let out = shell(&desk, &["sh", "-c"], "eval \"$(ghapp agent env)\"; printf %s \"$GHAPP_SOCKET\"");
    assert_eq!(Path::new(&out.ok().stdout()), desk.endpoint().path());
    let pid = desk.agent().expect("it was started").pid;
    shell(&desk, &["sh", "-c"], "eval \"$(ghapp agent env -s)\"; ghapp agent env").ok();
    assert_eq!(desk.agent().unwrap().pid, pid, "and not a second time");
    let json = desk.ghapp_json(["agent", "env"]);
    assert_eq!(json["environment"]["GHAPP_SOCKET"], desk.endpoint().path().to_str().unwrap());
    // A configuration that was named is passed on as well, and one that the agent has not read is refused.
    desk.set_env("GHAPP_CONFIG", "other.toml");
    desk.ghapp(["agent", "env"]).failed().stderr_contains("the running agent uses");
    desk.stop_agent();
    let out = desk.ghapp(["agent", "env"]).ok().stdout();
    assert!(out.contains(&format!("GHAPP_CONFIG='{}'", desk.work().join("other.toml").display())), "{out}");
}

#[test]
fn every_shell_reads_every_path_as_it_is() {
    if !all_there(SHELLS) {
        return;
    }
    let mut desk = Desk::new();
    let socket = desk.path("it's $HOME \"!x\\;").join("agent.sock");
    desk.set_env("GHAPP_SOCKET", &socket);
    for (run, script) in [
        (&["sh", "-c"][..], "eval \"$(ghapp agent env -s)\"; unset X; printf '%s\\n' \"$GHAPP_SOCKET\""),
        (&["bash", "-c"], "eval \"$(ghapp agent env -s)\"; printf '%s\\n' \"$GHAPP_SOCKET\""),
        (&["tcsh", "-f", "-c"], "eval `ghapp agent env -c`; printf '%s\\n' $GHAPP_SOCKET:q"),
        (&["fish", "-c"], "ghapp agent env --fish | source; printf '%s\\n' $GHAPP_SOCKET"),
    ] {
        let out = shell(&desk, run, script);
        assert_eq!(out.ok().stdout().trim_end(), socket.to_str().unwrap(), "{run:?} {}", out.stderr());
    }
    desk.ghapp(["agent", "stop"]).ok();
}

/// What a command under `ghapp agent run` says about its agent: the socket and the process id.
fn place(running: &Running) -> (PathBuf, u32) {
    let line = running.wait_for_line("socket=");
    let (socket, pid) = line.trim_start_matches("socket=").split_once(" pid=").unwrap();
    (socket.into(), pid.parse().unwrap())
}

const TELL: &str = "echo \"socket=$GHAPP_SOCKET pid=$(ghapp agent status | sed -n 's/^pid *//p')\"";

fn run_private(desk: &Desk, script: &str) -> Running {
    let mut command = desk.command(binary("ghapp"));
    Running::spawn(command.args(["agent", "run", "--", "sh", "-c", &format!("{TELL}; {script}")]))
}

/// Waits until the agent and all its files are gone.
fn assert_gone(desk: &Desk, socket: &Path, pid: u32) {
    let directory = socket.parent().unwrap();
    eventually("the private agent's directory goes", || !directory.exists());
    eventually("the private agent exits", || !Path::new(&format!("/proc/{pid}/status")).exists());
    let left = fs::read_dir(desk.runtime_directory().join("ghapp")).unwrap();
    assert!(left.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with("run-")));
}

#[test]
fn a_command_has_an_agent_of_its_own_that_ends_with_it() {
    let desk = Desk::ready();
    let users = desk.agent().unwrap().pid;
    let running = run_private(&desk, "ghapp agent status; read line; exit 7");
    let (socket, pid) = place(&running);
    assert_ne!(pid, users);
    running.wait_for_line("started by  command");
    let output = running.finish();
    assert_eq!(output.status.code(), Some(7), "the command's own code");
    assert_gone(&desk, &socket, pid);
    assert_eq!(desk.agent().unwrap().pid, users, "the user's agent is left alone");
    desk.token("acme/web");
}

#[test]
fn the_place_of_a_private_agent_is_private_and_no_second_agent_takes_it() {
    let desk = Desk::new();
    let running = run_private(&desk, "exec sleep 1000");
    let (socket, pid) = place(&running);
    let directory = socket.parent().unwrap();
    assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    // A killed agent is not started again: it would outlive the command.
    signal(pid, Signal::KILL);
    eventually("it exits", || !Path::new(&format!("/proc/{pid}/status")).exists());
    let mut command = desk.command(binary("ghapp"));
    command.args(["token", "acme/web"]).env("GHAPP_SOCKET", &socket).env("GHAPP_NO_AUTOSTART", "1");
    assert_eq!(process::run(&mut command, b"").status.code(), Some(5));
}

#[test]
fn a_private_agent_ends_when_its_command_is_killed() {
    let desk = Desk::new();
    for end in [Signal::KILL, Signal::TERM] {
        let running = run_private(&desk, "exec sleep 1000");
        let (socket, pid) = place(&running);
        let lock = endpoint::open_lock(&socket.with_file_name("agent.run.lock")).unwrap();
        assert!(!endpoint::try_lock(&lock).unwrap(), "it lives");
        signal(running.pid(), end);
        let output = running.finish();
        assert_eq!(output.status.signal(), Some(end.as_raw()), "the command's own end");
        assert_gone(&desk, &socket, pid);
    }
}

#[test]
fn signals_reach_the_command_itself() {
    let desk = Desk::new();
    let running = run_private(
        &desk,
        "trap 'exit 3' USR1; trap 'echo interrupted' INT; echo ready; while :; do sleep 1000 & wait; done",
    );
    let (socket, pid) = place(&running);
    running.wait_for_line("ready");
    signal(running.pid(), Signal::INT);
    running.wait_for_line("interrupted");
    signal(running.pid(), Signal::USR1);
    // The sleeps of the script hold its output open; they die with its group when the test drops it.
    assert_gone(&desk, &socket, pid);
}

#[test]
fn a_command_that_cannot_be_run_is_126_or_127_and_leaves_no_agent() {
    let desk = Desk::new();
    for (command, code) in [("/nowhere/command", 127), ("no-such-command", 127), ("/etc/passwd", 126)] {
        let run = desk.ghapp(["agent", "run", "--", command]);
        assert_eq!(run.status.code(), Some(code), "{}", run.stderr());
        run.stderr_contains(&format!("cannot run {command}"));
    }
    let directory = desk.runtime_directory().join("ghapp");
    eventually("no private agent is left", || fs::read_dir(&directory).unwrap().count() == 0);
    assert_eq!(desk.ghapp(["agent", "run"]).status.code(), Some(2));
}

#[test]
fn a_command_keeps_its_limits_and_its_environment() {
    let mut desk = Desk::new();
    desk.set_env("MINE", "kept");
    let script = "ulimit -Sc 100; exec ghapp agent run -- sh -c 'echo core=$(ulimit -c) mine=$MINE'";
    let out = shell(&desk, &["sh", "-c"], script);
    assert_eq!(out.ok().stdout(), "core=100 mine=kept\n");
}

#[test]
fn an_agent_that_is_started_anew_says_which_keys_went_with_the_old_one() {
    let desk = Desk::ready();
    let pid = desk.agent().unwrap().pid;
    let restart = desk.ghapp(["agent", "restart"]);
    restart.ok().stderr_contains("the key of acme-bot was in the agent's memory only");
    assert_ne!(desk.agent().unwrap().pid, pid);
    desk.stop_agent();
    desk.ghapp(["agent", "restart"]).ok();
    assert!(desk.agent().is_some());
}

#[test]
fn an_agent_that_nobody_needs_ends_if_it_is_told_so() {
    let desk = Desk::new();
    fs::create_dir_all(desk.config_file().parent().unwrap()).unwrap();
    fs::write(desk.config_file(), "[agent]\nidle_exit = \"1s\"\n").unwrap();
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground"));
    agent.wait_for_line("listening");
    agent.wait_for_line("stopped");
    agent.finish().ok();
    assert!(!desk.endpoint().path().exists());
    // The next client starts it again.
    desk.ghapp(["agent", "start"]).ok();
}

#[test]
fn an_agent_that_nobody_needs_stays_while_it_holds_a_key_or_is_locked() {
    let desk = Desk::new();
    fs::create_dir_all(desk.config_file().parent().unwrap()).unwrap();
    fs::write(desk.config_file(), "[agent]\nidle_exit = \"1s\"\n").unwrap();
    let start = || {
        let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground"));
        agent.wait_for_line("listening");
        agent
    };
    let agent = start();
    desk.log_in("memory").ok();
    desk.set_up_git();
    agent.wait_for_line("unused, and stays");
    desk.token("acme/web");
    // Without the key it may exit.
    desk.ghapp(["logout"]).ok();
    agent.wait_for_line("stopped");
    agent.finish().ok();
    // The next agent would not be locked.
    let agent = start();
    desk.ghapp(["lock"]).ok();
    agent.wait_for_line("unused, and stays");
    assert!(desk.agent().unwrap().locked);
    desk.ghapp(["unlock"]).ok();
    agent.wait_for_line("stopped");
    agent.finish().ok();
}
