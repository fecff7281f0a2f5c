//! The key in the real Secret Service: kept, locked, hanging, missing, appearing later.

use std::thread;

use ghapp_tests::github::{App, Selection};
use ghapp_tests::keyring::{self, Keyring};
use ghapp_tests::process::Output;
use ghapp_tests::{Desk, binary, desk, process};
use rustix::process::{Signal, kill_process};

/// What the keyring holds for the desk's App, read by a program that is not ours.
fn stored(desk: &Desk) -> String {
    let user = format!("{}/{}/{}", desk.github.host(), desk.app.app_id, desk.app.fingerprint());
    process::run(desk.command("secret-tool").args(["lookup", "service", "ghapp", "username", &user]), b"").stdout()
}

fn desk_with_keyring() -> (Desk, Keyring) {
    let mut desk = Desk::new();
    let keyring = Keyring::start(&mut desk);
    desk.log_in("keyring").ok();
    desk.set_up_git();
    (desk, keyring)
}

#[test]
fn the_key_is_kept_in_the_keyring_and_survives_the_agent() {
    if !keyring::available() {
        return;
    }
    let (desk, _keyring) = desk_with_keyring();
    assert!(stored(&desk).starts_with("ghapp:1:"), "the key is where it belongs");
    assert_eq!(desk.ghapp_json(["status"])["store"]["kind"], "secret-service");
    desk.clone("acme/web").ok();
    desk.kill_agent();
    desk.git_in("web", ["fetch"]).ok();
    assert_eq!(desk.github.mints().len(), 2);
    desk.ghapp(["logout"]).ok();
    assert_eq!(stored(&desk), "", "and it is gone after logging out");
}

#[test]
fn a_locked_keyring_is_named_and_works_again_once_it_is_unlocked() {
    if !keyring::available() {
        return;
    }
    let (desk, mut keyring) = desk_with_keyring();
    desk.claim();
    desk.ghapp(["agent", "stop"]).ok();
    Keyring::lock(&desk);
    let fill = desk.fill("acme/web");
    fill.failed().stderr_contains("is locked").stderr_contains("told us to quit");
    assert_eq!(desk.ghapp(["token", "acme/web"]).status.code(), Some(6));
    // A new login session: the daemon again, unlocked, while the agent runs on.
    keyring.end_daemon();
    keyring.unlock(&desk);
    desk.clone("acme/web").ok();
}

#[test]
fn a_keyring_that_hangs_costs_a_deadline_and_the_agent_can_still_end() {
    if !keyring::available() {
        return;
    }
    let (desk, keyring) = desk_with_keyring();
    desk.claim();
    desk.ghapp(["agent", "stop"]).ok();
    kill_process(keyring.pid(), Signal::STOP).unwrap();
    desk.fill("acme/web").failed().stderr_contains("did not answer").stderr_contains("told us to quit");
    desk.stop_agent();
    kill_process(keyring.pid(), Signal::CONT).unwrap();
    desk.clone("acme/web").ok();
}

#[test]
fn without_a_session_bus_login_names_the_choices_and_stores_nothing() {
    let desk = Desk::new();
    let outcome = desk.log_in("keyring");
    outcome.failed().stderr_contains("error[E10]: no D-Bus session bus; keep the key elsewhere with --store keyutils");
    assert_eq!(outcome.status.code(), Some(6));
    assert!(!desk.config_file().exists());
    paste_the_hint(&desk, &desk.app, &outcome);
}

#[test]
fn a_bus_without_a_keyring_is_another_error_and_a_keyring_that_appears_is_found() {
    if !keyring::available() {
        return;
    }
    let mut desk = Desk::new();
    let mut keyring = Keyring::without_daemon(&mut desk);
    let outcome = desk.log_in("keyring");
    outcome.failed().stderr_contains("error[E09]");
    assert_eq!(outcome.status.code(), Some(6));
    let pid = desk.agent().unwrap().pid;

    keyring.unlock(&desk);
    desk.log_in("keyring").ok();
    assert_eq!(desk.agent().unwrap().pid, pid, "without restarting the agent");
}

#[test]
fn a_bus_that_appears_after_the_agent_is_found_without_restarting_it() {
    if !keyring::available() {
        return;
    }
    let mut desk = Desk::new();
    desk.ghapp(["agent", "start"]).ok();
    let pid = desk.agent().unwrap().pid;
    desk.log_in("keyring").failed().stderr_contains("error[E10]");
    assert_eq!(desk.ghapp_json(["status"])["store"], serde_json::json!({"kind": "secret-service", "state": "missing"}));
    // At the place where a login session has its bus; the agent's environment does not change any more.
    let _keyring = Keyring::start(&mut desk);
    desk.log_in("keyring").ok();
    desk.set_up_git();
    desk.token("acme/web");
    assert_eq!(desk.agent().unwrap().pid, pid);
}

#[test]
fn a_keyring_that_is_killed_is_missed_and_found_again_when_it_is_back() {
    if !keyring::available() {
        return;
    }
    let mut desk = Desk::new();
    // On this bus no other daemon is started in its place.
    let mut keyring = Keyring::without_daemon(&mut desk);
    keyring.unlock(&desk);
    desk.log_in("keyring").ok();
    desk.set_up_git();
    desk.claim();
    desk.ghapp(["agent", "reload"]).ok(); // the JWT of the login is forgotten
    let pid = desk.agent().unwrap().pid;
    kill_process(keyring.pid(), Signal::KILL).unwrap();
    keyring.end_daemon();
    desk.fill("acme/web").failed().stderr_contains("no keyring answers");
    let token = desk.ghapp(["token", "acme/web"]);
    token.failed().stderr_contains("error[E09]");
    assert_eq!(token.status.code(), Some(6));
    keyring.unlock(&desk);
    desk.token("acme/web");
    assert_eq!(desk.agent().unwrap().pid, pid, "without restarting the agent");
}

#[test]
fn a_person_is_never_asked_twice_at_a_time() {
    if !keyring::available() {
        return;
    }
    let (desk, _keyring) = desk_with_keyring();
    let other = desk.github.create_app("other-bot", "octo");
    desk.github.install(&other, "octo", Selection::All, desk::GIT_PERMISSIONS);
    desk.log_in_as(&other, "keyring").ok();
    desk.ghapp(["agent", "reload"]).ok();
    Keyring::lock(&desk);
    let monitor = keyring::Prompts::watch(&desk);
    thread::scope(|scope| {
        for repository in ["acme/web", "acme/api", "octo/web", "octo/api"].repeat(4) {
            let desk = &desk;
            scope.spawn(move || {
                desk.fill(repository).failed().stderr_contains("is locked");
            });
        }
    });
    let prompts = monitor.finish(&desk);
    assert!(prompts.asked > 0, "this test could not fail");
    assert_eq!(prompts.most_at_once, 1, "of {}", prompts.asked);
}

#[test]
fn a_login_that_meets_a_locked_keyring_names_the_choices_and_the_hint_works() {
    if !keyring::available() {
        return;
    }
    let (desk, _keyring) = desk_with_keyring();
    let other = desk.github.create_app("other-bot", "acme");
    Keyring::lock(&desk);
    let login = desk.log_in_as(&other, "keyring");
    login.failed().stderr_contains("error[E11]").stderr_contains("is locked");
    assert_eq!(login.status.code(), Some(6));
    assert_eq!(desk.ghapp_json(["apps"])["apps"].as_array().unwrap().len(), 1);
    paste_the_hint(&desk, &other, &login);
}

/// Runs the command that a failed login hints at, with a file and a passphrase.
fn paste_the_hint(desk: &Desk, app: &App, login: &Output) {
    for store in ["keyutils", "encrypted-file", "credentials-dir", "memory"] {
        login.stderr_contains(store);
    }
    let stderr = login.stderr();
    let hint =
        stderr.lines().find_map(|line| line.strip_prefix("ghapp: hint: for example: ")).expect("there is a hint");
    std::fs::write(desk.work().join("FILE"), app.pem()).expect("the sandbox is writable");
    process::run(desk.command("sh").args(["-c", hint]), b"a long passphrase").ok();
    assert_eq!(desk.key_files().len(), 1);
}

#[test]
fn the_helper_cannot_talk_to_a_keyring() {
    // It does not even contain the name.
    let program = std::fs::read(binary("git-credential-ghapp")).unwrap();
    let name = b"org.freedesktop.secrets";
    assert!(!program.windows(name.len()).any(|window| window == name));
}
