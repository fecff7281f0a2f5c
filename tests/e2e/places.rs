//! Where the agent listens: a directory of this user alone, or a refusal that says what to do.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use ghapp_tests::process::{self, Output, Running};
use ghapp_tests::tools::{Tool, all_there, can_become_another_user};
use ghapp_tests::{Desk, binary};

/// The user `nobody`.
const OTHER_UID: u32 = 65534;
/// To become another user.
const TOOLS: &[Tool] = &[Tool { program: "setpriv", package: "util-linux" }];

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode()
        & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The helper's answer at a place; it never fails.
fn get(desk: &Desk) -> Output {
    let mut command = desk.command(binary("git-credential-ghapp"));
    process::run(command.arg("get"), b"protocol=https\nhost=github.com\npath=acme/web.git\n\n")
}

#[test]
fn whatever_the_umask_everything_is_this_users_alone() {
    for umask in ["000", "077", "0022"] {
        for detached in [true, false] {
            let desk = Desk::new();
            fs::remove_dir_all(desk.home().join(".local")).unwrap();
            let start = if detached { "ghapp agent start" } else { "exec ghapp-agent --foreground" };
            let mut command = desk.command("sh");
            let agent = Running::spawn(command.args(["-c", &format!("umask {umask}; {start}")]));
            agent.wait_for_line(if detached { "started" } else { "listening" });
            desk.ghapp(["status"]).ok();
            let endpoint = desk.endpoint();
            let (socket, state) = (endpoint.path(), desk.audit_file());
            assert_eq!(mode(socket.parent().unwrap()), 0o700, "umask {umask}");
            assert_eq!(mode(state.parent().unwrap()), 0o700, "umask {umask}");
            for file in [socket, &state, &endpoint.run_lock()] {
                assert_eq!(mode(file), 0o600, "umask {umask}: {}", file.display());
            }
            desk.log_in("memory").ok();
            assert_eq!(mode(&desk.config_file()), 0o600, "umask {umask}");
        }
    }
}

/// Asserts that neither the agent nor the helper uses its place, and that both say why.
#[track_caller]
fn is_refused(desk: &Desk, says: &str) {
    let start = desk.ghapp(["agent", "start"]);
    assert_eq!(start.status.code(), Some(1), "{}", start.stderr());
    start.stderr_contains("error[E04]").stderr_contains(says);
    let get = get(desk);
    assert_eq!(get.ok().stdout(), "");
    get.stderr_contains(says);
}

#[test]
fn a_directory_that_is_not_private_is_refused_and_nothing_is_put_there() {
    let desk = Desk::new();
    let (directory, elsewhere) = (desk.runtime_directory().join("ghapp"), desk.path("elsewhere"));
    fs::create_dir(&elsewhere).unwrap();
    set_mode(&elsewhere, 0o700);
    let refused = |says: &str| {
        is_refused(&desk, says);
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    };
    symlink(&elsewhere, &directory).unwrap();
    refused("it is a symbolic link");
    fs::remove_file(&directory).unwrap();
    fs::write(&directory, "").unwrap();
    refused("it is not a directory");
    fs::remove_file(&directory).unwrap();
    fs::create_dir(&directory).unwrap();
    for mode in [0o755, 0o710, 0o770, 0o1777] {
        set_mode(&directory, mode);
        refused(&format!("its mode is {mode:04o}"));
    }
    set_mode(&directory, 0o700);
    desk.ghapp(["agent", "start"]).ok();
}

#[test]
fn a_directory_of_another_user_is_refused() {
    if !can_become_another_user() {
        return;
    }
    let desk = Desk::new();
    let directory = desk.runtime_directory().join("ghapp");
    fs::create_dir(&directory).unwrap();
    set_mode(&directory, 0o700);
    chown(&directory, Some(OTHER_UID), None).unwrap();
    is_refused(&desk, &format!("it belongs to uid {OTHER_UID}"));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    chown(&directory, Some(0), None).unwrap();
    desk.ghapp(["agent", "start"]).ok();
}

#[test]
fn a_lock_that_is_no_file_of_ours_is_refused_in_time() {
    let desk = Desk::new();
    desk.endpoint().prepare().unwrap();
    let target = desk.path("target");
    for lock in [desk.endpoint().start_lock(), desk.endpoint().run_lock()] {
        symlink(&target, &lock).unwrap();
        desk.ghapp(["agent", "start"]).failed();
        fs::remove_file(&lock).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &lock, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
        desk.ghapp(["agent", "start"]).failed();
        fs::remove_file(&lock).unwrap();
    }
    assert!(!target.exists());
    desk.ghapp(["agent", "start"]).ok();
}

#[test]
fn a_path_that_is_too_long_is_named_with_a_way_out() {
    let mut desk = Desk::new();
    let padding = |length: usize| {
        let directory = desk.path("").to_str().unwrap().len();
        desk.path("p".repeat(length - directory - "/agent.sock".len())).join("agent.sock")
    };
    let (longest, too_long) = (padding(103), padding(104));
    desk.set_env("GHAPP_SOCKET", too_long);
    let start = desk.ghapp(["agent", "start"]);
    assert_eq!(start.status.code(), Some(2), "{}", start.stderr());
    start.stderr_contains("longer than 103 bytes").stderr_contains("hint: name a short absolute path with --socket");
    let get = get(&desk);
    assert_eq!(get.ok().stdout(), "");
    get.stderr_contains("GHAPP_SOCKET");
    // The socket is bound under a longer name first.
    desk.set_env("GHAPP_SOCKET", format!("{}pppppppp/a", longest.parent().unwrap().display()));
    desk.ghapp(["agent", "start"]).failed().stderr_contains("longer than 103 bytes; name a shorter one");
    desk.set_env("GHAPP_SOCKET", &longest);
    desk.ghapp(["agent", "start"]).ok();
    desk.ghapp(["agent", "stop"]).ok();
    desk.set_env("GHAPP_SOCKET", "relative.sock");
    desk.ghapp(["agent", "start"])
        .failed()
        .stderr_contains("not absolute")
        .stderr_contains("hint: name a short absolute");
}

#[test]
fn a_relative_configuration_file_is_the_same_for_the_agent_that_it_starts() {
    let mut desk = Desk::new();
    desk.set_env("GHAPP_CONFIG", "mine.toml");
    fs::write(desk.work().join("mine.toml"), "[agent]\nmin_ttl = \"5m\"\n").unwrap();
    set_mode(&desk.work().join("mine.toml"), 0o600);
    let mine = desk.work().join("mine.toml");
    get(&desk).ok();
    assert_eq!(Path::new(&desk.agent().expect("the helper started it").config), mine);
    desk.ghapp(["agent", "reload"]).ok();
    desk.stop_agent();
    desk.ghapp(["agent", "start"]).ok();
    assert_eq!(Path::new(&desk.agent().unwrap().config), mine);
    desk.ghapp(["leases"]).ok();
}

/// The programs, where every user can run them.
fn install_for_everybody(desk: &Desk) -> PathBuf {
    let directory = desk.path("bin");
    fs::create_dir(&directory).unwrap();
    for program in ["ghapp", "ghapp-agent", "git-credential-ghapp"] {
        fs::copy(binary(program), directory.join(program)).unwrap();
        set_mode(&directory.join(program), 0o755);
    }
    set_mode(&directory, 0o755);
    set_mode(&desk.path(""), 0o711);
    directory
}

#[test]
fn after_su_the_runtime_directory_of_somebody_else_is_passed_over() {
    if !can_become_another_user() || !all_there(TOOLS) {
        return;
    }
    let desk = Desk::new();
    let programs = install_for_everybody(&desk);
    let home = desk.path("other");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(OTHER_UID), Some(OTHER_UID)).unwrap();
    let uid = OTHER_UID.to_string();
    let ghapp = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &home).current_dir("/");
        // What `su` without a dash leaves: still the first user's.
        command.env("XDG_RUNTIME_DIR", desk.runtime_directory());
        command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]).arg(programs.join("ghapp")).args(arguments);
        process::run(&mut command, b"")
    };
    // That directory is closed to us; one that is open to all is no better.
    for runtime_mode in [0o700, 0o777] {
        set_mode(&desk.runtime_directory(), runtime_mode);
        let start = ghapp(&["agent", "start"]);
        let own = home.join(".local/state/ghapp/run");
        assert!(start.ok().stdout().contains(own.to_str().unwrap()), "{}", start.stdout());
        assert_eq!(mode(&own), 0o700);
        ghapp(&["agent", "stop"]).ok();
        assert_eq!(fs::read_dir(desk.runtime_directory()).unwrap().count(), 0);
    }
    set_mode(&desk.runtime_directory(), 0o700);
}

#[test]
fn a_command_under_sudo_starts_no_agent_and_trusts_no_directory_of_the_user() {
    if !can_become_another_user() {
        return;
    }
    let mut desk = Desk::new();
    desk.set_env("SUDO_UID", OTHER_UID.to_string());
    let leases = desk.ghapp(["leases"]);
    assert_eq!(leases.status.code(), Some(5));
    leases.stderr_contains("a command under sudo does not start one").stderr_contains("hint: run it without sudo");
    let get = get(&desk);
    assert_eq!(get.ok().stdout(), "");
    get.stderr_contains("sudo");
    assert!(desk.agent().is_none());
    // `sudo -E`: the user's own runtime directory, which is not root's. Nothing is made there.
    chown(desk.runtime_directory(), Some(OTHER_UID), None).unwrap();
    let path = desk.ghapp(["agent", "status"]);
    assert!(!path.stderr().contains(desk.runtime_directory().to_str().unwrap()), "{}", path.stderr());
    assert_eq!(fs::read_dir(desk.runtime_directory()).unwrap().count(), 0);
    chown(desk.runtime_directory(), Some(0), None).unwrap();
}
