//! A process that a test starts sees the sandbox only, and does not outlive it.

use ghapp_tests::Sandbox;
use ghapp_tests::github::GitHub;
use ghapp_tests::process::{Running, run};

#[test]
fn nothing_of_the_machine_reaches_a_command() {
    let sandbox = Sandbox::new();
    let output = run(&mut sandbox.command("env"), b"");
    let mut names: Vec<String> =
        output.ok().stdout().lines().filter_map(|line| line.split_once('=').map(|(name, _)| name.to_owned())).collect();
    names.sort();
    let expected = [
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_TERMINAL_PROMPT",
        "HOME",
        "LC_ALL",
        "PATH",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
        "XDG_STATE_HOME",
    ];
    assert_eq!(names, expected);
    assert!(output.stdout().contains(&format!("PATH={}", ghapp_tests::binary_directory().display())));
}

#[cfg(unix)]
#[test]
fn a_socket_fits_into_the_runtime_directory_and_nobody_else_may_look() {
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox = Sandbox::new();
    let socket = sandbox.runtime_directory().join("ghapp/agent.sock");
    assert!(socket.as_os_str().len() < 64, "{}", socket.display());
    let mode = std::fs::metadata(sandbox.runtime_directory()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn two_simulators_are_trusted_at_once() {
    let (one, other) = (GitHub::start(), GitHub::start());
    let mut sandbox = Sandbox::new();
    for github in [&one, &other] {
        sandbox.trust(github);
        github.create_public_repository("acme/open");
    }
    for github in [&one, &other] {
        sandbox.git(["ls-remote", &github.clone_url("acme/open")]).ok();
    }
    let bundle = std::fs::read_to_string(sandbox.path("trusted.pem")).unwrap();
    assert_eq!(bundle.matches("BEGIN CERTIFICATE").count(), 2);
}

#[test]
fn a_running_process_is_watched_line_by_line_and_killed_on_drop() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("sh");
    command.args(["-c", "echo starting; echo ready 42 >&2; exec tail -f /dev/null"]);
    let running = Running::spawn(&mut command);
    assert_eq!(running.wait_for_line("ready"), "ready 42");
    assert_eq!(running.wait_for_line("starting"), "starting");
    // Returns only after the process, which would never exit by itself, is gone.
    drop(running);
}

#[test]
#[should_panic(expected = "no line with \"ready\"")]
fn waiting_for_a_line_ends_with_the_process() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("sh");
    command.args(["-c", "echo broken"]);
    Running::spawn(&mut command).wait_for_line("ready");
}

#[test]
fn a_process_gets_its_input_and_its_output_is_kept_apart() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("sh");
    command.args(["-c", "cat; echo problem >&2; exit 3"]);
    let output = run(&mut command, b"input");
    assert_eq!(output.failed().stdout(), "input");
    assert_eq!(output.stderr_contains("problem").status.code(), Some(3));
}
