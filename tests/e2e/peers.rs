//! Another user of the machine gets nothing, even where the file modes would allow it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use ghapp_tests::process;
use ghapp_tests::tools::{Tool, all_there, can_become_another_user};
use ghapp_tests::{Desk, binary};

/// The user `nobody`.
const OTHER_UID: &str = "65534";

/// To become another user, and a client that checks nothing.
const TOOLS: &[Tool] =
    &[Tool { program: "setpriv", package: "util-linux" }, Tool { program: "python3", package: "python3-minimal" }];

// rule 38
#[test]
fn another_user_is_refused_on_both_sides_even_when_the_modes_are_loosened() {
    if !can_become_another_user() || !all_there(TOOLS) {
        return;
    }
    let desk = Desk::ready();
    desk.token("acme/web");
    // OpenSSH's trick: open every directory on the way, so that only the check of the peer is left.
    let socket = desk.endpoint().path().to_owned();
    for directory in way_to(&socket) {
        set_mode(directory, 0o755);
    }
    set_mode(&socket, 0o666);

    // Another user's helper refuses to talk to this user's agent.
    let request = format!("protocol=https\nhost={}\npath=acme/web.git\n\n", desk.github.host());
    let readable = desk.path("helper-for-everybody");
    fs::copy(binary("git-credential-ghapp"), &readable).unwrap();
    set_mode(&readable, 0o755);
    let helper = |script: &str| {
        let mut command = Command::new("setpriv");
        command.env_clear().env("PATH", "/usr/bin:/bin").env("GHAPP_SOCKET", &socket).env("GHAPP_NO_AUTOSTART", "1");
        command.args(["--reuid", OTHER_UID, "--regid", OTHER_UID, "--clear-groups", "sh", "-c", script, "sh"]);
        command.arg(&readable);
        process::run(&mut command, request.as_bytes())
    };
    let answer = helper("exec \"$1\" get");
    assert_eq!(answer.ok().stdout(), "");
    assert!(answer.stderr().starts_with("ghapp: "), "it ran, and was refused: {}", answer.stderr());

    // The agent refuses another user's every program: here one that checks nothing.
    let python = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); \
                  b=b'{\"v\":1,\"client\":\"x\",\"call\":\"status\"}'; \
                  s.sendall(len(b).to_bytes(4,'big')+b); print(len(s.recv(9)))";
    let mut command = Command::new("setpriv");
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command.args(["--reuid", OTHER_UID, "--regid", OTHER_UID, "--clear-groups", "python3", "-c", python]).arg(&socket);
    let outcome = process::run(&mut command, b"");
    let refused = outcome.stdout().trim() == "0"
        || outcome.stderr().contains("ConnectionReset")
        || outcome.stderr().contains("BrokenPipe");
    assert!(refused, "{} {}", outcome.stdout(), outcome.stderr());
    // Everything is as before once the directories are closed again.
    for directory in way_to(&socket) {
        set_mode(directory, 0o700);
    }
    desk.token("acme/web");
    assert_eq!(desk.github.mints().len(), 1);
}

/// The directories of the sandbox above a path. Not /tmp itself: all users share it.
fn way_to(path: &Path) -> impl Iterator<Item = &Path> {
    path.ancestors().skip(1).take_while(|path| *path != Path::new("/tmp"))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the sandbox is ours");
}
