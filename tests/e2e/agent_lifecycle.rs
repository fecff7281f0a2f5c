//! The agent's life: started on demand, killed, stopped, activated by systemd, never two.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;
use std::thread;

use ghapp_protocol::token_hash::TokenHash;
use ghapp_tests::github::Endpoint;
use ghapp_tests::process::{self, Running};
use ghapp_tests::{Desk, binary, eventually};
use rustix::process::{Signal, kill_process};

#[test]
fn an_agent_that_was_killed_is_started_again_by_the_next_git_command() {
    let desk = Desk::ready();
    desk.claim();
    desk.clone("acme/web").ok();
    let first = desk.agent().unwrap().pid;
    desk.kill_agent();
    assert!(desk.endpoint().path().exists(), "it left its socket behind");
    // The key was in its memory and is gone; a new agent tells git so at once.
    let fetch = desk.git_in("web", ["fetch"]);
    fetch.failed().stderr_contains("kept in memory only").stderr_contains("told us to quit");
    let second = desk.agent().expect("a new agent was started");
    assert_ne!(second.pid, first);
    assert_eq!(second.started_by, "client");
    assert_eq!(desk.ghapp(["token", "acme/web"]).status.code(), Some(4));
    desk.log_in("memory").ok();
    desk.git_in("web", ["fetch"]).ok();
}

// rule 37
#[test]
fn a_git_command_that_starts_the_agent_ends_when_it_is_done() {
    let desk = Desk::ready();
    desk.stop_agent();
    // `process::run` waits for the end of both output streams: an agent that kept one open would fail this at the deadline.
    desk.fill("acme/web").failed();
    let pid = desk.agent().expect("it was started").pid;
    let directory = fs::read_link(format!("/proc/{pid}/cwd"));
    // Only root may look into a process that made itself undumpable.
    if let Ok(directory) = directory {
        assert_eq!(directory, std::path::Path::new("/"));
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().to_owned();
    assert_eq!(session, pid.to_string(), "it leads a session of its own");
}

#[test]
fn the_socket_and_its_directory_are_this_users_alone() {
    let desk = Desk::ready();
    let socket = fs::symlink_metadata(desk.endpoint().path()).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    let directory = fs::metadata(desk.runtime_directory().join("ghapp")).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    for file in [desk.audit_file(), desk.config_file(), desk.endpoint().run_lock(), desk.endpoint().start_lock()] {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
}

#[test]
fn sigterm_ends_the_agent_and_removes_its_socket() {
    let desk = Desk::new();
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground"));
    agent.wait_for_line("listening");
    let pid = i32::try_from(agent.pid()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::TERM).unwrap();
    agent.finish().ok();
    assert!(!desk.endpoint().path().exists());
}

#[test]
fn a_closed_terminal_reloads_and_does_not_end_the_agent() {
    let desk = Desk::new();
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground"));
    agent.wait_for_line("listening");
    let pid = i32::try_from(agent.pid()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::HUP).unwrap();
    agent.wait_for_line("configuration read again");
    assert!(desk.agent().is_some());
}

#[test]
fn a_second_agent_leaves_the_first_one_alone() {
    let desk = Desk::ready();
    let pid = desk.agent().unwrap().pid;
    let second = process::run(desk.command(binary("ghapp-agent")).arg("--foreground"), b"");
    assert_eq!(second.status.code(), Some(23));
    second.stderr_contains("running already");
    assert_eq!(desk.agent().unwrap().pid, pid);
    desk.token("acme/web");
}

#[test]
fn a_socket_of_the_service_manager_is_used_and_not_removed() {
    let desk = Desk::new();
    let path = desk.endpoint().path().to_owned();
    desk.endpoint().prepare().unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    let mut command = desk.command("sh");
    // systemd passes the socket as descriptor 3 and names the process it is meant for (sd_listen_fds(3)).
    let script = format!(
        "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec {} --foreground",
        binary("ghapp-agent").display()
    );
    let agent = Running::spawn_with(command.args(["-c", &script]), Stdio::from(OwnedFd::from(listener)));
    agent.wait_for_line("listening");
    assert_eq!(desk.agent().unwrap().started_by, "systemd");
    desk.log_in("memory").ok();
    desk.set_up_git();
    desk.clone("acme/web").ok();
    desk.stop_agent();
    agent.finish().ok();
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode, "the socket is the service manager's");
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_service_manager_that_takes_the_place_gets_it_and_there_is_one_agent_in_the_end() {
    let desk = Desk::new();
    desk.ghapp(["agent", "start"]).ok();
    let displaced = desk.agent().unwrap();
    assert_eq!(displaced.started_by, "client");
    // As systemd does when its socket unit is started: the file at that path is removed.
    let path = desk.endpoint().path().to_owned();
    fs::remove_file(&path).unwrap();
    let listener = UnixListener::bind(&path).unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    let script = format!(
        "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec {} --foreground",
        binary("ghapp-agent").display()
    );
    let mut command = desk.command("sh");
    let agent = Running::spawn_with(command.args(["-c", &script]), Stdio::from(OwnedFd::from(listener)));
    // It waits until the other exits; its clients wait in the manager's backlog.
    agent.wait_for_line("listening");
    let status = desk.agent().unwrap();
    assert_eq!((status.pid, status.started_by.as_str()), (agent.pid(), "systemd"));
    assert!(!Path::new(&format!("/proc/{}/exe", displaced.pid)).exists(), "two agents");
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode, "the successor's socket was touched");
    // The other order: a client that would start an agent finds this one.
    desk.ghapp(["agent", "start"]).ok();
    let started = process::run(desk.command(binary("ghapp-agent")).arg("--foreground"), b"");
    started.failed().stderr_contains("running already");
    assert_eq!(desk.agent().unwrap().pid, agent.pid());
    desk.stop_agent();
    agent.finish().ok();
}

#[test]
fn a_socket_that_was_meant_for_another_process_is_not_used() {
    let desk = Desk::new();
    let script = format!("LISTEN_PID=1 LISTEN_FDS=1 exec {} --foreground", binary("ghapp-agent").display());
    let agent = Running::spawn(desk.command("sh").args(["-c", &script]));
    agent.wait_for_line("listening");
    assert_eq!(desk.agent().unwrap().started_by, "user");
}

#[test]
fn stopping_leaves_tokens_alive_unless_they_are_to_be_revoked() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.ghapp(["agent", "stop"]).ok();
    assert_eq!(desk.github.calls().of(Endpoint::Revoke), 0);
    desk.log_in("memory").ok();
    desk.git_in("web", ["fetch"]).ok();
    desk.ghapp(["agent", "stop", "--revoke"]).ok();
    assert_eq!(desk.github.calls().of(Endpoint::Revoke), 1);
}

#[test]
fn a_token_that_was_being_minted_when_the_agent_ended_is_revoked_too() {
    let desk = Desk::ready();
    desk.token("acme/web");
    let hold = desk.github.hold(Endpoint::Mint);
    thread::scope(|scope| {
        let fill = scope.spawn(|| desk.fill("acme/api"));
        desk.github.wait_until(|calls| calls.of(Endpoint::Mint) == 2);
        let stop = scope.spawn(|| desk.ghapp(["agent", "stop", "--revoke"]));
        // The agent hands out nothing from then on, not even what it has at hand.
        eventually("the agent refuses", || !desk.fill("acme/web").status.success());
        hold.release();
        fill.join().unwrap().failed();
        stop.join().unwrap().ok();
    });
    let minted: Vec<_> = desk.github.mints().into_iter().map(|mint| mint.token).collect();
    assert_eq!((minted.len(), desk.github.calls().of(Endpoint::Revoke)), (2, 2));
    let revoked: Vec<_> = desk.audit().into_iter().filter(|line| line["outcome"] == "revoked").collect();
    let hashes: Vec<_> = revoked.iter().map(|line| line["hashed_token"].as_str().unwrap().to_owned()).collect();
    for token in minted {
        assert!(hashes.contains(&TokenHash::of(token.as_bytes()).to_string()), "{hashes:?}");
    }
}

#[test]
fn a_github_that_does_not_answer_keeps_no_agent_from_ending() {
    let desk = Desk::ready();
    desk.token("acme/web");
    let _hold = desk.github.hold(Endpoint::Revoke);
    let stop = desk.ghapp(["agent", "stop", "--revoke"]);
    stop.ok().stderr_contains("1 lease could not be revoked at GitHub");
    assert!(desk.agent().is_none());
}

#[test]
fn a_second_sigterm_ends_the_agent_at_once() {
    let desk = Desk::new();
    fs::create_dir_all(desk.config_file().parent().unwrap()).unwrap();
    fs::write(desk.config_file(), "[agent]\nrevoke_on_stop = true\n").unwrap();
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground"));
    agent.wait_for_line("listening");
    desk.log_in("memory").ok();
    desk.set_up_git();
    desk.token("acme/web");
    let hold = desk.github.hold(Endpoint::Revoke);
    let pid = rustix::process::Pid::from_raw(i32::try_from(agent.pid()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    desk.github.wait_until(|calls| calls.of(Endpoint::Revoke) == 1);
    kill_process(pid, Signal::TERM).unwrap();
    agent.wait_for_line("told to stop at once");
    agent.finish().ok();
    drop(hold);
}

#[test]
fn an_agent_that_was_stopped_by_a_signal_can_be_ended_by_the_command_that_is_named() {
    let desk = Desk::ready();
    let pid = desk.agent().unwrap().pid;
    let raw = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(raw, Signal::STOP).unwrap();
    let stop = desk.ghapp(["agent", "stop"]);
    stop.failed().stderr_contains(&format!("hint: run: kill -KILL {pid}"));
    process::run(desk.command("sh").args(["-c", &format!("kill -KILL {pid}")]), b"").ok();
    desk.ghapp(["agent", "start"]).ok();
    assert_ne!(desk.agent().unwrap().pid, pid);
}

#[test]
fn a_socket_that_was_removed_is_made_again_by_the_same_agent() {
    let desk = Desk::ready();
    let pid = desk.agent().unwrap().pid;
    fs::remove_file(desk.endpoint().path()).unwrap();
    // A client that needs it meanwhile waits for a moment, or is told to try again.
    eventually("the socket comes back", || desk.ghapp(["token", "acme/web"]).status.success());
    assert_eq!(desk.agent().unwrap().pid, pid, "and with it the key in its memory");
}

#[test]
fn an_agent_whose_place_is_gone_leaves() {
    let desk = Desk::new();
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground"));
    agent.wait_for_line("listening");
    fs::remove_dir_all(desk.runtime_directory().join("ghapp")).unwrap();
    agent.wait_for_line("the place of the socket is gone");
    agent.finish().ok();
}

#[test]
fn an_agent_that_cannot_start_leaves_nothing_half_made() {
    let desk = Desk::new();
    fs::create_dir_all(desk.audit_file()).unwrap(); // a directory where a file should be
    let start = desk.ghapp(["agent", "start"]);
    start.failed().stderr_contains("cannot open the audit log");
    let left: Vec<_> =
        fs::read_dir(desk.runtime_directory().join("ghapp")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with('~')), "{left:?}");
}
