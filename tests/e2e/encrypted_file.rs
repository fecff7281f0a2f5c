//! The key in a file with a passphrase: the passphrase opens it, a lock closes it, and nothing else loses it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use ghapp_tests::github::{Endpoint, Fault, Selection};
use ghapp_tests::tools::{Tool, all_there};
use ghapp_tests::{Desk, binary, desk, process};
use serde_json::json;

const PASSPHRASE: &str = "correct horse battery staple";

/// A desk whose App has its key in an encrypted file.
fn desk_with_file() -> Desk {
    let desk = Desk::new();
    let login = desk.log_in_with_passphrase(&desk.app, PASSPHRASE);
    assert!(login.ok().stdout().contains("Stored     acme-bot in an encrypted file"), "{}", login.stdout());
    desk.set_up_git();
    desk.claim();
    desk
}

fn outcomes(desk: &Desk) -> Vec<String> {
    let lines = desk.audit().into_iter().filter(|line| line["call"] == "unlock");
    lines.map(|line| line["outcome"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn an_encrypted_file_is_opened_by_its_passphrase_and_closed_by_a_lock() {
    let desk = desk_with_file();
    let files = desk.key_files();
    assert_eq!(files.len(), 1);
    let sealed = fs::read(&files[0]).unwrap();
    assert!(sealed.starts_with(b"age-encryption.org/v1\n-> scrypt "));
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&files[0]), mode(files[0].parent().unwrap())), (0o600, 0o700));
    desk.clone("acme/web").ok();
    let status = desk.ghapp_json(["status"]);
    assert_eq!(status["store"], json!({"kind": "encrypted-file", "state": "ok"}));

    // An agent that is started anew is not locked, but has no passphrase.
    desk.kill_agent();
    let fetch = desk.git_in("web", ["fetch"]);
    fetch.failed().stderr_contains("the file with the key of acme-bot has not been opened yet; run: ghapp unlock");
    assert_eq!(fetch.stderr().lines().filter(|line| line.starts_with("ghapp: ")).count(), 1, "{}", fetch.stderr());
    let token = desk.ghapp(["token", "acme/web"]);
    token.failed().stderr_contains("error[E08]").stderr_contains("hint: run: ghapp unlock");
    assert_eq!(token.status.code(), Some(4));
    let status = desk.ghapp_json(["status"]);
    assert_eq!(status["store"], json!({"kind": "encrypted-file", "state": "locked"}));
    assert_eq!((&status["agent"]["locked"], &status["apps"][0]["state"]), (&json!(false), &json!("locked")));
    assert_eq!(desk.ghapp(["status", "--check"]).status.code(), Some(4));

    assert_eq!(desk.unlock(PASSPHRASE).ok().stdout(), "unlocked\n");
    desk.git_in("web", ["fetch"]).ok();
    desk.ghapp(["status", "--check"]).ok();
    assert_eq!(desk.ghapp(["unlock"]).ok().stdout(), "unlocked\n", "a passphrase that is not needed is not asked for");

    let lock = desk.ghapp(["lock"]);
    assert_eq!(lock.ok().stderr(), "", "nothing has to be logged in again");
    desk.git_in("web", ["fetch"]).failed().stderr_contains("the agent is locked; run: ghapp unlock");
    let file = desk.path("passphrase");
    fs::write(&file, format!("{PASSPHRASE}\nand a second line\n")).unwrap();
    desk.ghapp(["unlock", "--passphrase-file", file.to_str().unwrap()]).ok();
    desk.git_in("web", ["fetch"]).ok();
}

#[test]
fn unlocking_starts_the_agent_that_is_needed_for_it() {
    let desk = desk_with_file();
    desk.kill_agent();
    assert_eq!(desk.unlock(PASSPHRASE).ok().stdout(), "unlocked\n");
    desk.token("acme/web");
}

#[test]
fn a_missing_passphrase_is_an_error_that_names_the_flag() {
    let desk = desk_with_file();
    desk.ghapp(["lock"]).ok();
    for arguments in [&["unlock", "--no-input"][..], &["unlock"]] {
        let unlock = desk.ghapp(arguments.iter().copied());
        assert_eq!(unlock.status.code(), Some(2), "{}", unlock.stderr());
        unlock.stderr_contains("--passphrase-file");
    }
    assert!(desk.agent().unwrap().locked);
    let login = desk.log_in("encrypted-file");
    login
        .failed()
        .stderr_contains("there is no terminal to ask for the passphrase")
        .stderr_contains("--passphrase-file");
    desk.unlock(PASSPHRASE).ok();
    desk.log_in_with_passphrase(&desk.app, "short").failed().stderr_contains("at least 8");
    desk.kill_agent();
    desk.unlock(PASSPHRASE).ok();
}

#[test]
fn wrong_passphrases_open_nothing_and_cost_more_and_more_time() {
    let desk = desk_with_file();
    desk.ghapp(["lock"]).ok();
    for _ in 0..3 {
        let unlock = desk.unlock("correct horse battery stable");
        unlock.failed().stderr_contains("error[E56]: that is not the passphrase of acme-bot");
        unlock.stderr_contains("hint: try again: ghapp unlock");
        assert_eq!(unlock.status.code(), Some(4));
        assert!(desk.agent().unwrap().locked, "not even other keys are used");
    }
    // Now even the right one is refused unread.
    let unlock = desk.unlock(PASSPHRASE);
    unlock.failed().stderr_contains("error[E57]: too many wrong passphrases: none is looked at until 20");
    assert_eq!(unlock.status.code(), Some(4));
    desk.fill("acme/web").failed().stderr_contains("the agent is locked");
    let audit = outcomes(&desk);
    assert_eq!(audit.iter().filter(|outcome| *outcome == "error E56").count(), 3, "{audit:?}");
    assert_eq!(audit.last().unwrap(), "error E57");
    // The work for each guess protects the file: this limit only binds the agent.
    desk.kill_agent();
    desk.unlock(PASSPHRASE).ok();
    desk.token("acme/web");
}

#[test]
fn files_with_different_passphrases_are_opened_one_after_the_other() {
    let desk = desk_with_file();
    let other = desk.github.create_app("other-bot", "acme");
    desk.github.install(&other, "acme", Selection::All, desk::GIT_PERMISSIONS);
    desk.log_in_with_passphrase(&other, "another passphrase").ok();
    desk.ghapp(["lock"]).ok();
    let unlock = desk.unlock(PASSPHRASE);
    unlock.ok().stderr_contains("the file of other-bot has another passphrase; run: ghapp unlock --app other-bot");
    desk.token("acme/web");
    let state = |at: usize| desk.ghapp_json(["status"])["apps"][at]["state"].clone();
    assert_eq!((state(0), state(1)), (json!("ok"), json!("locked")));
    let mut command = desk.command(binary("ghapp"));
    process::run(command.args(["unlock", "--app", "other-bot"]), b"another passphrase").ok();
    assert_eq!(state(1), "ok");
    desk.ghapp(["unlock", "--app", "nobody"]).failed().stderr_contains("nobody");
}

#[test]
fn a_login_that_fails_leaves_what_was_there() {
    let desk = Desk::new();
    desk.github.fault(Endpoint::AppGet, Fault::bad_gateway(), 1);
    desk.log_in_with_passphrase(&desk.app, PASSPHRASE).failed();
    assert!(desk.key_files().is_empty() && !desk.config_file().exists());

    // Another login of the same App, with another passphrase, that meets a lock after its last call to GitHub.
    let desk = desk_with_file();
    let before = fs::read(&desk.key_files()[0]).unwrap();
    let hold = desk.github.hold(Endpoint::AppGet);
    let calls = desk.github.calls().of(Endpoint::AppGet);
    thread::scope(|scope| {
        let login = scope.spawn(|| desk.log_in_with_passphrase(&desk.app, "another passphrase"));
        desk.github.wait_until(|now| now.of(Endpoint::AppGet) == calls + 1);
        desk.ghapp(["lock"]).ok();
        hold.release();
        login.join().unwrap().failed().stderr_contains("error[E08]");
    });
    assert_eq!(fs::read(&desk.key_files()[0]).unwrap(), before);
    assert_eq!(desk.key_files().len(), 1);
    desk.unlock("another passphrase").failed();
    desk.unlock(PASSPHRASE).ok();
    desk.token("acme/web");
    // A login that succeeds changes the passphrase.
    desk.log_in_with_passphrase(&desk.app, "another passphrase").ok();
    assert_eq!(desk.key_files().len(), 1);
    desk.ghapp(["lock"]).ok();
    desk.unlock(PASSPHRASE).failed();
    desk.unlock("another passphrase").ok();
}

#[test]
fn a_key_moves_from_store_to_store_and_is_left_in_none() {
    let desk = Desk::ready();
    desk.log_in_with_passphrase(&desk.app, PASSPHRASE).ok();
    assert_eq!((desk.key_files().len(), desk.token("acme/web").len() > 20), (1, true));
    desk.log_in("memory").ok();
    assert!(desk.key_files().is_empty());
    desk.token("acme/web");
    desk.log_in_with_passphrase(&desk.app, PASSPHRASE).ok();
    desk.ghapp(["logout"]).ok();
    assert!(desk.key_files().is_empty());
}

#[test]
fn a_file_that_is_damaged_or_gone_is_not_called_a_wrong_passphrase() {
    let desk = desk_with_file();
    let file = desk.key_files().remove(0);
    let sealed = fs::read(&file).unwrap();
    desk.ghapp(["lock"]).ok();
    fs::write(&file, &sealed[..sealed.len() - 10]).unwrap();
    let unlock = desk.unlock(PASSPHRASE);
    unlock.failed().stderr_contains("error[E47]").stderr_contains("the file is damaged");
    assert_eq!(unlock.status.code(), Some(6));
    fs::remove_file(&file).unwrap();
    assert_eq!(desk.ghapp_json(["status"])["apps"][0]["state"], "key_missing");
    desk.fill("acme/web").failed().stderr_contains("no key for acme-bot");
    let token = desk.ghapp(["token", "acme/web"]);
    assert_eq!(token.status.code(), Some(6));
    token.stderr_contains("error[E12]").stderr_contains("--store encrypted-file");
    desk.log_in_with_passphrase(&desk.app, PASSPHRASE).ok();
    desk.token("acme/web");
}

#[test]
fn nobody_waits_while_a_key_is_derived() {
    let desk = desk_with_file();
    desk.ghapp(["lock"]).ok();
    let answered = thread::scope(|scope| {
        let unlock = scope.spawn(|| desk.unlock(PASSPHRASE));
        let mut answered = 0;
        // A client that asks meanwhile is answered: still locked.
        while desk.agent().expect("it answers").locked && !unlock.is_finished() {
            answered += 1;
        }
        unlock.join().unwrap().ok();
        answered
    });
    // A runtime that derived keys itself would answer one client at most meanwhile, and a few before.
    assert!(answered > 20, "{answered}");
}

/// Runs a command on a terminal and types the lines, each at its prompt. Prints what the terminal showed.
const AT_A_TERMINAL: &str = r#"
import os, pty, sys, termios
lines, command = sys.argv[1].split("|"), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(command[0], command)
shown = b""
def read():
    global shown
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        piece = b""
    shown += piece
    return piece
for count, line in enumerate(lines, 1):
    while shown.count(b": ") < count:
        if not read():
            break
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        pass  # the prompt comes a moment before
    os.write(terminal, line.encode() + b"\n")
while read():
    pass
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[test]
fn at_a_terminal_the_passphrase_is_asked_for_and_not_shown() {
    if !all_there(&[Tool { program: "python3", package: "python3" }]) {
        return;
    }
    let desk = desk_with_file();
    let ghapp = binary("ghapp");
    let at_a_terminal = |lines: &str, arguments: &[String]| {
        let mut command = desk.command("python3");
        command.args(["-c", AT_A_TERMINAL, lines]).arg(&ghapp).args(arguments);
        process::run(&mut command, b"")
    };
    desk.ghapp(["lock"]).ok();
    let unlock = at_a_terminal(PASSPHRASE, &["unlock".to_owned()]);
    assert_eq!(unlock.ok().stdout().replace('\r', ""), "Passphrase: \nunlocked\n");

    let file = desk.path("key.pem");
    fs::write(&file, desk.app.pem()).unwrap();
    let mut login: Vec<_> = ["login", "--pem"].map(str::to_owned).into();
    login.push(file.display().to_string());
    login.extend(desk.login_flags(&desk.app, "encrypted-file"));
    login.push("--no-setup-git".to_owned());
    let differs = at_a_terminal("first passphrase|second passphrase", &login);
    assert!(differs.failed().stdout().contains("the two passphrases differ"), "{}", differs.stdout());
    // The last question is whether the file may go.
    let twice = at_a_terminal("second passphrase|second passphrase|no", &login);
    for shown in [differs.stdout(), twice.ok().stdout()] {
        assert!(!shown.contains("first passphrase") && !shown.contains("second passphrase"), "{shown}");
    }
    desk.ghapp(["lock"]).ok();
    desk.unlock("second passphrase").ok();
    assert!(file.exists());
}
