//! The key in the real Secret Service: kept, locked, hanging, missing, appearing later.

use ghapp_tests::keyring::{self, Keyring};
use ghapp_tests::{Desk, binary, process};
use rustix::process::{Signal, kill_process};

/// What the keyring holds for the desk's App, read by another program.
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
    outcome.failed().stderr_contains("error[E10]").stderr_contains("--store memory");
    assert_eq!(outcome.status.code(), Some(6));
    assert!(!desk.config_file().exists());
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
fn the_helper_cannot_talk_to_a_keyring() {
    // It does not even contain the name.
    let program = std::fs::read(binary("git-credential-ghapp")).unwrap();
    let name = b"org.freedesktop.secrets";
    assert!(!program.windows(name.len()).any(|window| window == name));
}
