//! An agent that is not there is started: once, however many clients want it, and with no more than it needs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::thread;

use ghapp_protocol::message::Reply;
use tempfile::TempDir;

use crate::agent::{Place, answer_one, reply};
use crate::program::{Outcome, PROGRAM, REQUEST, command_at, run};

/// What is started in the agent's stead: it writes down how it was started, puts the socket, on which the test listens
/// already, into its place, and says what the test wants it to say.
const STAND_IN: &str = r#"#!/bin/sh
here=$GHAPP_STAND_IN
printf 'once\n' >>"$here/starts"
printf '%s\n' "$*" >"$here/arguments"
export -p >"$here/environment"
pwd >"$here/directory"
[ "$GHAPP_SAY" != ready ] || /bin/mv "$here/staged.sock" "$3"
[ -z "$GHAPP_SAY" ] || printf '%b\n' "$GHAPP_SAY"
"#;

/// Written once and only linked to from then on: a program that a process just forked from another test still has open for
/// writing cannot be run.
static SCRIPT: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stand-in");
    fs::write(&path, STAND_IN).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    (directory, path)
});

/// A fresh installation of the program, with a stand-in for the agent beside it.
struct Installation {
    place: Place,
    programs: TempDir,
}

impl Installation {
    fn new() -> Self {
        // In the build directory: a hard link does not leave its file system.
        let programs = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::hard_link(PROGRAM, programs.path().join("git-credential-ghapp")).unwrap();
        symlink(&SCRIPT.1, programs.path().join("ghapp-agent")).unwrap();
        Self { place: Place::new(), programs }
    }

    /// A `get` whose agent will say this when it is started.
    fn get(&self, say: &str) -> Command {
        let program = self.programs.path().join("git-credential-ghapp");
        let mut get = command_at(&program, &self.place, &["get"]);
        get.env("GHAPP_STAND_IN", self.place.path()).env("GHAPP_SAY", say);
        get
    }

    fn failing(say: &str) -> Outcome {
        let installation = Self::new();
        let outcome = run(installation.get(say), REQUEST);
        assert_eq!(installation.written("starts"), "once\n");
        outcome
    }

    fn staged(&self) -> UnixListener {
        UnixListener::bind(self.place.path().join("staged.sock")).unwrap()
    }

    /// What the stand-in wrote down.
    fn written(&self, name: &str) -> String {
        fs::read_to_string(self.place.path().join(name)).unwrap()
    }
}

#[test]
fn an_absent_agent_is_started_beside_the_program_and_asked() {
    let installation = Installation::new();
    let listener = installation.staged();
    let mut get = installation.get("ready");
    get.env("PATH", "/nowhere")
        .env("HOME", "/nowhere")
        .env("XDG_CONFIG_HOME", "/nowhere/config")
        .env("https_proxy", "http://proxy.example:3128")
        .env("GHAPP_CONFIG", "relative.toml")
        .env("GITHUB_TOKEN", "ghs_canary")
        .env("GH_TOKEN", "ghs_canary")
        .env("GIT_DIR", "/canary")
        .env("LD_CANARY", "canary");
    let asked = thread::scope(|scope| {
        let agent = scope.spawn(|| answer_one(&listener, &reply(Reply::NoMatch {})));
        run(get, REQUEST).assert_silent();
        agent.join().unwrap()
    });
    assert!(asked.contains(r#""call":"get""#), "{asked}");
    let socket = installation.place.socket();
    assert_eq!(installation.written("arguments"), format!("--daemonize --socket {}\n", socket.display()));
    assert_eq!(installation.written("directory"), "/\n");
    let environment = installation.written("environment");
    for kept in ["HOME", "XDG_CONFIG_HOME", "https_proxy", "GHAPP_SOCKET"] {
        assert!(environment.contains(&format!("{kept}=")), "{environment}");
    }
    // The agent runs in another directory.
    let here = installation.place.path().join("relative.toml");
    assert!(environment.contains(&format!("{}'", here.display())), "{environment}");
    assert!(!environment.to_lowercase().contains("canary"), "{environment}");
}

#[test]
fn many_clients_at_once_start_one_agent_and_all_are_answered() {
    const CLIENTS: usize = 12;
    let installation = Installation::new();
    let listener = installation.staged();
    thread::scope(|scope| {
        scope.spawn(|| {
            let answer = reply(Reply::NoMatch {});
            // Clients ask for the status before they would start an agent; the last request is the test's own.
            while !answer_one(&listener, &answer).contains("over") {}
        });
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(|| run(installation.get("ready"), REQUEST))).collect();
        let outcomes: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        let mut last = UnixStream::connect(installation.place.socket()).unwrap();
        std::io::Write::write_all(&mut last, &crate::agent::framed("over")).unwrap();
        std::io::copy(&mut last, &mut std::io::sink()).unwrap();
        for outcome in outcomes {
            outcome.assert_silent();
        }
    });
    assert_eq!(installation.written("starts"), "once\n");
}

#[test]
fn why_an_agent_does_not_start_is_the_one_line() {
    let outcome = Installation::failing("failed: config.toml: line 3, column 1");
    let line = outcome.only_line();
    assert!(line.contains("config.toml: line 3, column 1"), "{line}");
}

#[test]
fn an_agent_that_dies_or_talks_nonsense_is_one_line() {
    assert!(Installation::failing("").only_line().contains("ended"));
    for nonsense in ["password=canary", "readyy", "\\0377\\0376canary", "usage: canary"] {
        let outcome = Installation::failing(nonsense);
        assert!(!outcome.only_line().contains("canary"), "{outcome:?}");
    }
    // Its words are kept, and what would start a line of its own, or colour it, is not.
    let outcome = Installation::failing("failed: \\033[31mhost=evil\\tx");
    assert_eq!(outcome.only_line(), "ghapp: the agent does not start: [31mhost=evilx; run: ghapp agent start");
}

#[test]
fn a_missing_program_is_one_line_and_path_is_not_searched() {
    let installation = Installation::new();
    fs::remove_file(installation.programs.path().join("ghapp-agent")).unwrap();
    let mut get = installation.get("ready");
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(&SCRIPT.1, elsewhere.path().join("ghapp-agent")).unwrap();
    get.env("PATH", elsewhere.path());
    let outcome = run(get, REQUEST);
    assert!(outcome.only_line().contains("install ghapp-agent"), "{outcome:?}");
    assert!(!installation.place.path().join("starts").exists());
}
