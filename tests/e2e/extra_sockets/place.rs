//! Where an exposed socket is, and who may connect to it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use ghapp_tests::process::{self, Output};
use ghapp_tests::tools::{Tool, all_there, can_become_another_user};
use ghapp_tests::{Desk, binary, eventually};

use super::{expose, exposed, token};

/// The user `nobody`, and a third user.
const OTHER_UID: u32 = 65534;

const THIRD_UID: u32 = 65533;

const SETPRIV: Tool = Tool { program: "setpriv", package: "util-linux" };

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_socket_is_private_and_made_only_where_nobody_can_replace_it() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web", "--label", "box"]);
    assert_eq!(socket, desk.endpoint().path().with_file_name("exposed-box").join("exposed.sock"));
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
    let place = |name: &str| desk.path("work").join(name);
    let at = |path: &Path| desk.ghapp(["agent", "expose", "--repo", "acme/web", "--path", path.to_str().unwrap()]);

    let made = at(&place("made/my.sock"));
    made.ok().stderr_contains("set GHAPP_NO_AUTOSTART=1 where it is used");
    assert_eq!((mode(&place("made/my.sock")), mode(&place("made"))), (0o600, 0o700));
    at(&place("made/my.sock")).failed().stderr_contains("is exposed already");

    fs::create_dir(place("open")).unwrap();
    set_mode(&place("open"), 0o755);
    at(&place("open/x.sock")).failed().stderr_contains("its mode is 0755 instead of 0700");
    symlink(place("made"), place("link")).unwrap();
    at(&place("link/x.sock")).failed().stderr_contains("it is a symbolic link");
    fs::write(place("made/file"), "precious").unwrap();
    at(&place("made/file")).failed().stderr_contains("something else is there");
    assert_eq!(fs::read_to_string(place("made/file")).unwrap(), "precious");
    at(desk.endpoint().path()).failed().stderr_contains("somebody listens there");
    at(&place(&"x".repeat(100)).join("x.sock")).failed().stderr_contains("longer than 103 bytes");
    at(&place("none/none/x.sock")).failed().stderr_contains("the socket cannot be made");
    assert_eq!(exposed(&desk).len(), 2, "a failure takes neither label nor place");

    // What an agent that was killed left behind is replaced.
    drop(UnixListener::bind(place("made/stale.sock")).unwrap());
    at(&place("made/stale.sock")).ok();
    token(&desk, &place("made/stale.sock"), "acme/web");
}

/// A command as another user, who has copies of the programs.
fn as_user(desk: &Desk, uid: u32, socket: &Path) -> Output {
    let readable = desk.path("helper-for-everybody");
    if !readable.exists() {
        fs::copy(binary("git-credential-ghapp"), &readable).unwrap();
        set_mode(&readable, 0o755);
    }
    let uid = uid.to_string();
    let mut command = Command::new("setpriv");
    command.env_clear().env("PATH", "/usr/bin:/bin").env("GHAPP_SOCKET", socket).env("GHAPP_NO_AUTOSTART", "1");
    command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]).arg(&readable).arg("get");
    let request = format!("protocol=https\nhost={}\npath=acme/web.git\n\n", desk.github.host());
    process::run(&mut command, request.as_bytes())
}

#[test]
fn another_user_is_served_only_when_he_is_named_and_nobody_else_with_him() {
    if !can_become_another_user() || !all_there(&[SETPRIV]) {
        return;
    }
    let desk = Desk::ready();
    let (own, his) = (expose(&desk, &["--repo", "acme/web"]), desk.path("his/exposed.sock"));
    let exposed = desk.ghapp([
        "agent",
        "expose",
        "--repo",
        "acme/web",
        "--label",
        "his",
        "--uid",
        &OTHER_UID.to_string(),
        "--path",
        his.to_str().unwrap(),
    ]);
    exposed.ok();
    let metadata = fs::symlink_metadata(&his).unwrap();
    assert_eq!((metadata.uid(), mode(&his)), (OTHER_UID, 0o600));
    let directory = fs::symlink_metadata(his.parent().unwrap()).unwrap();
    assert_eq!(
        (directory.uid(), mode(his.parent().unwrap())),
        (0, 0o711),
        "the user can pass through it and change nothing in it"
    );

    // Every directory on the way to both is opened, as a mount would.
    for directory in own.ancestors().skip(1).take_while(|path| *path != Path::new("/tmp")) {
        set_mode(directory, 0o755);
    }
    let answer = as_user(&desk, OTHER_UID, &his);
    assert!(answer.ok().stdout().contains("password="), "{} {}", answer.stdout(), answer.stderr());
    let third = as_user(&desk, THIRD_UID, &his);
    assert_eq!(third.ok().stdout(), "");
    third.stderr_contains("Permission denied");
    // Without the modes the check of the peer remains, on the other user's socket and on the first user's own.
    set_mode(&his, 0o666);
    set_mode(&own, 0o666);
    for (uid, socket) in [(THIRD_UID, &his), (OTHER_UID, &own)] {
        let answer = as_user(&desk, uid, socket);
        assert_eq!(answer.ok().stdout(), "");
        assert!(!answer.stderr().contains("Permission denied"), "it was let in and refused: {}", answer.stderr());
    }
    assert_eq!(desk.github.mints().len(), 1);
    assert!(as_user(&desk, OTHER_UID, &his).ok().stdout().contains("password="));
}

#[cfg(target_os = "linux")] // it looks into /proc
#[test]
fn who_only_connects_takes_the_places_of_no_other_socket() {
    let desk = Desk::ready();
    let socket = expose(&desk, &["--repo", "acme/web"]);
    let main = desk.token("acme/web");
    let pid = desk.agent().unwrap().pid;
    let descriptors = || fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let before = descriptors();
    let taken = || descriptors().saturating_sub(before);
    let _idle: Vec<_> = (0..64).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    eventually("some are served", || taken() > 0);
    assert_eq!(desk.token("acme/web"), main);
    let taken = taken();
    assert!(taken <= 16, "{taken} connections over the one socket are held open at once");
}
