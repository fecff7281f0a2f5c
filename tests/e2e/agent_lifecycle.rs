//! The agent's life: started on demand, killed, stopped, activated by systemd, never two.

use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::Stdio;

use ghapp_tests::process::{self, Running};
use ghapp_tests::{Desk, binary};

#[test]
fn an_agent_that_was_killed_is_started_again_by_the_next_git_command() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    let first = desk.agent().unwrap().pid;
    desk.kill_agent();
    assert!(desk.endpoint().path().exists(), "it left its socket behind");
    // The key was in its memory and is gone; that is what git is told, by a new agent, at once.
    let fetch = desk.git_in("web", ["fetch"]);
    fetch.failed().stderr_contains("kept in memory only").stderr_contains("told us to quit");
    let second = desk.agent().expect("a new agent was started");
    assert_ne!(second.pid, first);
    assert_eq!(second.started_by, "client");
    assert_eq!(desk.ghapp(["token", "acme/web"]).status.code(), Some(4));
    desk.log_in("memory").ok();
    desk.git_in("web", ["fetch"]).ok();
}

#[test]
fn a_git_command_that_starts_the_agent_ends_when_it_is_done() {
    let desk = Desk::ready();
    desk.stop_agent();
    // `process::run` waits for the end of both output streams: an agent that kept one open would fail this by the deadline.
    desk.fill("acme/web").failed();
    let pid = desk.agent().expect("it was started").pid;
    let directory = std::fs::read_link(format!("/proc/{pid}/cwd"));
    // Only root may look into a process that made itself undumpable.
    if let Ok(directory) = directory {
        assert_eq!(directory, std::path::Path::new("/"));
    }
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat.rsplit_once(") ").unwrap().1.split(' ').nth(3).unwrap().to_owned();
    assert_eq!(session, pid.to_string(), "it leads a session of its own");
}

#[test]
fn the_socket_and_its_directory_are_this_users_alone() {
    let desk = Desk::ready();
    let socket = std::fs::symlink_metadata(desk.endpoint().path()).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    let directory = std::fs::metadata(desk.runtime_directory().join("ghapp")).unwrap();
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    for file in [desk.audit_file(), desk.config_file(), desk.endpoint().run_lock(), desk.endpoint().start_lock()] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
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
    let inode = std::fs::metadata(&path).unwrap().ino();
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
    assert_eq!(std::fs::metadata(&path).unwrap().ino(), inode, "the socket is the service manager's");
    std::fs::remove_file(&path).unwrap();
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
    assert_eq!(desk.github.calls().of(ghapp_tests::github::Endpoint::Revoke), 0);
    desk.log_in("memory").ok();
    desk.git_in("web", ["fetch"]).ok();
    desk.ghapp(["agent", "stop", "--revoke"]).ok();
    assert_eq!(desk.github.calls().of(ghapp_tests::github::Endpoint::Revoke), 1);
}
