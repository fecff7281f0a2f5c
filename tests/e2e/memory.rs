//! What is in the agent's memory, seen by root: secrets while they are needed, and none once it is locked.

use std::collections::BTreeMap;
use std::time::Duration;

use ghapp_tests::github::{Endpoint, fingerprint_of};
use ghapp_tests::keyring::{self, Keyring};
use ghapp_tests::secrets::Secrets;
use ghapp_tests::tools::can_become_another_user;
use ghapp_tests::{Desk, binary, eventually_within, memory, process};
use rustix::process::{Pid, Signal, kill_process};

/// Time for connections to close and tasks to end: a secret that is still there then stays there.
const SOON: Duration = Duration::from_secs(15);

/// How many places hold a secret, by its name.
type Found = BTreeMap<&'static str, usize>;

/// What the agent's memory holds of the desk's secrets.
fn found(desk: &Desk) -> Found {
    memory::secrets_in(desk.agent().expect("it runs").pid, &Secrets::of(desk))
}

/// Waits until nothing of a key is in memory any more.
#[track_caller]
fn assert_key_gone(desk: &Desk, pem: &str) {
    let (pid, secrets) = (desk.agent().expect("it runs").pid, Secrets::of_key(pem));
    eventually_within(SOON, "the key leaves the memory", || none_of(memory::secrets_in(pid, &secrets)));
}

/// Waits until nothing of these is in memory any more.
#[track_caller]
fn assert_gone(desk: &Desk, names: &[&str]) {
    eventually_within(SOON, "secrets leave the memory", || none_of(only(found(desk), names)));
}

/// The found secrets that have these names.
fn only(mut found: Found, names: &[&str]) -> Found {
    found.retain(|name, _| names.contains(name));
    found
}

/// Nothing was found, or an error with what was.
fn none_of(found: Found) -> Result<(), Found> {
    if found.is_empty() { Ok(()) } else { Err(found) }
}

/// Everything that brings a secret into the agent.
fn use_everything(desk: &Desk) {
    desk.clone("acme/web").ok();
    desk.ghapp(["token", "acme/api", "--permissions", "contents=read"]).ok();
    desk.ghapp(["installations", "--refresh"]).ok();
    let token = desk.token("acme/web");
    desk.github.revoke_token(&token);
    desk.git_in("web", ["fetch"]).failed(); // git erases it
    desk.git_in("web", ["fetch"]).ok();
    desk.ghapp(["revoke", "L2"]).ok();
}

#[test]
fn after_a_lock_neither_key_nor_token_nor_jwt_is_in_memory() {
    if !can_become_another_user() {
        return;
    }
    let desk = Desk::ready();
    use_everything(&desk);
    let before = found(&desk);
    for secret in ["key", "token", "JWT"] {
        assert!(before.contains_key(secret), "this test could not fail: {before:?}");
    }
    desk.ghapp(["lock"]).ok();
    assert_gone(&desk, &["key", "token", "JWT"]);
}

#[test]
fn a_key_that_was_removed_and_every_key_after_a_lock_is_gone_from_memory() {
    if !can_become_another_user() {
        return;
    }
    let desk = Desk::ready();
    let more = [desk.github.add_key(&desk.app), desk.github.add_key(&desk.app)];
    for (verb, pem) in [("add", &more[0]), ("rotate", &more[1])] {
        let mut command = desk.command(binary("ghapp"));
        process::run(command.args(["key", verb, "--pem", "-"]), pem.as_bytes()).ok();
    }
    desk.ghapp(["key", "verify"]).ok();
    desk.token("acme/web");
    let pid = desk.agent().unwrap().pid;
    for pem in [desk.app.pem(), &more[0], &more[1]] {
        assert!(!memory::secrets_in(pid, &Secrets::of_key(pem)).is_empty(), "this test could not fail");
    }
    desk.ghapp(["key", "remove", &fingerprint_of(&more[1])]).ok();
    assert_key_gone(&desk, &more[1]);
    desk.ghapp(["lock"]).ok();
    assert_key_gone(&desk, desk.app.pem());
    assert_key_gone(&desk, &more[0]);
    assert_gone(&desk, &["JWT"]);
}

#[test]
fn after_a_signal_neither_key_nor_token_nor_jwt_is_in_memory() {
    if !can_become_another_user() {
        return;
    }
    let desk = Desk::ready();
    use_everything(&desk);
    let pid = Pid::from_raw(i32::try_from(desk.agent().unwrap().pid).unwrap()).unwrap();
    kill_process(pid, Signal::USR1).unwrap();
    assert_gone(&desk, &["key", "token", "JWT"]);
    assert!(desk.agent().unwrap().locked);
}

#[test]
fn a_mint_that_meets_a_lock_leaves_nothing_behind() {
    if !can_become_another_user() {
        return;
    }
    let desk = Desk::ready();
    desk.token("acme/web");
    let hold = desk.github.hold(Endpoint::Mint);
    std::thread::scope(|scope| {
        let fill = scope.spawn(|| desk.fill("acme/api"));
        desk.github.wait_until(|calls| calls.of(Endpoint::Mint) == 2);
        desk.ghapp(["lock"]).ok();
        hold.release();
        fill.join().unwrap().failed();
    });
    assert_eq!(desk.github.mints().len(), 2);
    assert_gone(&desk, &["key", "token", "JWT"]);
}

#[test]
fn a_key_from_the_keyring_is_in_memory_only_while_it_signs() {
    if !can_become_another_user() || !keyring::available() {
        return;
    }
    let mut desk = Desk::new();
    let _keyring = Keyring::start(&mut desk);
    desk.log_in("keyring").ok();
    desk.set_up_git();
    use_everything(&desk);
    assert!(found(&desk).contains_key("token"));
    assert_gone(&desk, &["key"]);
    desk.ghapp(["lock"]).ok();
    assert_gone(&desk, &["key", "token", "JWT"]);
}

#[test]
fn after_a_lock_neither_key_nor_passphrase_of_an_encrypted_file_is_in_memory() {
    if !can_become_another_user() {
        return;
    }
    let passphrase = "a passphrase that is long enough to be found by no accident";
    let desk = Desk::new();
    desk.log_in_with_passphrase(&desk.app, passphrase).ok();
    desk.set_up_git();
    use_everything(&desk);
    let pid = desk.agent().unwrap().pid;
    let secrets = || Secrets::of(&desk).and("passphrase", passphrase);
    assert_eq!(secrets().found_in(passphrase.as_bytes()).keys().collect::<Vec<_>>(), [&"passphrase"]);
    let gone = |names: &[&str]| {
        let look = || none_of(only(memory::secrets_in(pid, &secrets()), names));
        eventually_within(SOON, "secrets leave the memory", look);
    };
    assert!(memory::secrets_in(pid, &secrets()).contains_key("key"), "it is open");
    gone(&["passphrase"]); // needed for a moment only, open or not
    desk.ghapp(["lock"]).ok();
    gone(&["key", "token", "JWT", "passphrase"]);
    desk.unlock(&passphrase.replace("found", "bound")).failed();
    gone(&["key", "passphrase"]);
    desk.unlock(passphrase).ok();
    desk.token("acme/web");
    assert!(memory::secrets_in(pid, &secrets()).contains_key("key"), "it is open again");
    gone(&["passphrase"]);
    desk.ghapp(["lock"]).ok();
    gone(&["key", "token", "JWT", "passphrase"]);
}

#[test]
fn a_key_that_stays_in_memory_is_kept_out_of_swap_where_that_is_allowed() {
    let desk = Desk::ready();
    let pid = desk.agent().unwrap().pid;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap().trim();
    let allowed = limits.lines().any(|line| line.starts_with("Max locked memory") && !line.contains(" 0 "));
    assert!(!allowed || locked != "0 kB", "{limits}");
}
