//! Locking: nothing is handed out, nothing is kept and GitHub is not asked, until the agent is unlocked.

use std::collections::BTreeSet;
use std::thread;

use ghapp_protocol::token_hash::TokenHash;
use ghapp_tests::github::{Endpoint, Fault};
use ghapp_tests::keyring::{self, Keyring};
use ghapp_tests::{Desk, binary, eventually, process};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// The outcomes of a call in the audit log, in their order.
fn outcomes(desk: &Desk, call: &str) -> Vec<String> {
    let lines = desk.audit().into_iter().filter(|line| line["call"] == call);
    lines.map(|line| line["outcome"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Waits for a lock without a request for it.
fn wait_until_locked(desk: &Desk) {
    eventually("the agent is locked", || desk.agent().expect("it runs").locked);
}

#[test]
fn a_locked_agent_gives_nothing_asks_nobody_and_says_what_to_do() {
    let desk = Desk::ready();
    desk.claim();
    desk.clone("acme/web").ok();
    desk.ghapp(["status", "--check"]).ok();
    let lock = desk.ghapp(["lock"]);
    assert_eq!(lock.ok().stdout(), "locked: keys and tokens forgotten\n");
    lock.stderr_contains("the key of acme-bot was in memory only");
    let calls = desk.github.calls().len();

    let fill = desk.fill("acme/web");
    fill.failed().stderr_contains("ghapp: the agent is locked; run: ghapp unlock").stderr_contains("told us to quit");
    desk.fill("acme/never-seen").failed().stderr_contains("the agent is locked");
    let token = desk.ghapp(["token", "acme/web"]);
    token.failed().stderr_contains("error[E08]: the agent is locked").stderr_contains("hint: run: ghapp unlock");
    assert_eq!(token.status.code(), Some(4));
    assert_eq!(desk.ghapp(["installations", "--refresh"]).status.code(), Some(4));
    assert_eq!(desk.ghapp(["logout"]).status.code(), Some(4), "a key is not touched, not even to be deleted");
    let login = desk.log_in("memory");
    login.failed().stderr_contains("error[E08]");
    assert_eq!(desk.ghapp(["which", "acme/web"]).status.code(), Some(4));
    let status = desk.ghapp_json(["status"]);
    assert_eq!((&status["agent"]["locked"], &status["leases"]), (&json!(true), &json!(0)));
    assert_eq!(status["apps"][0]["state"], "login_needed");
    assert_eq!(desk.ghapp(["status", "--check"]).status.code(), Some(4));
    assert_eq!(desk.ghapp_json(["leases"])["leases"], json!([]));
    desk.ghapp(["agent", "reload"]).ok();
    assert!(desk.agent().unwrap().locked, "reading the configuration is not unlocking");
    assert_eq!(desk.github.calls().len(), calls, "GitHub heard nothing of it");
    assert_eq!(desk.github.calls().of(Endpoint::Revoke), 0);

    assert_eq!(desk.ghapp(["unlock"]).ok().stdout(), "unlocked\n");
    let fill = desk.fill("acme/web");
    fill.failed().stderr_contains("kept in memory only, and the agent was locked or started anew");
    assert_eq!(desk.ghapp(["status", "--check"]).status.code(), Some(4), "a login is needed");
    desk.log_in("memory").ok();
    desk.git_in("web", ["fetch"]).ok();
    assert_eq!((outcomes(&desk, "lock"), outcomes(&desk, "unlock")), (vec!["ok".to_owned()], vec!["ok".to_owned()]));
}

#[test]
fn an_app_whose_key_is_in_the_keyring_is_back_after_unlocking() {
    if !keyring::available() {
        return;
    }
    let mut desk = Desk::new();
    let _keyring = Keyring::start(&mut desk);
    desk.log_in("keyring").ok();
    desk.set_up_git();
    desk.clone("acme/web").ok();
    let lock = desk.ghapp(["lock"]);
    assert_eq!(lock.ok().stderr(), "", "nothing has to be done again");
    desk.git_in("web", ["fetch"]).failed().stderr_contains("the agent is locked");
    assert_eq!(desk.ghapp_json(["status"])["apps"][0]["state"], "ok");
    desk.ghapp(["unlock"]).ok();
    desk.git_in("web", ["fetch"]).ok();
    assert_eq!(desk.github.mints().len(), 2, "the token from before is forgotten");
    let leases = desk.ghapp_json(["leases"]);
    assert_eq!(leases["leases"][0]["id"], "L2", "and its name is not used again");
}

#[test]
fn remotes_that_are_not_ours_are_left_to_other_helpers() {
    let desk = Desk::ready();
    desk.ghapp(["lock"]).ok();
    let answer = |host: &str| {
        let request = format!("protocol=https\nhost={host}\npath=octo/web.git\n\n");
        process::run(desk.command(binary("git-credential-ghapp")).arg("get"), request.as_bytes())
    };
    let foreign = answer("elsewhere.example");
    assert_eq!((foreign.ok().stdout(), foreign.stderr()), (String::new(), String::new()));
    // Only GitHub could tell whether an owner is ours that the agent has not seen yet.
    let unknown = answer(desk.github.host());
    assert_eq!(unknown.ok().stdout(), "", "git goes on");
    unknown.stderr_contains("the agent is locked");
}

#[test]
fn lock_with_revoke_kills_the_tokens_first() {
    let desk = Desk::ready();
    let tokens = [desk.token("acme/web"), desk.token("acme/api")];
    let lock = desk.ghapp(["lock", "--revoke"]);
    assert_eq!(lock.ok().stdout(), "locked: 2 leases revoked, keys and tokens forgotten\n");
    assert_eq!(desk.github.calls().of(Endpoint::Revoke), 2);
    let revoked = desk.audit().into_iter().filter(|line| line["outcome"] == "revoked");
    let revoked: BTreeSet<_> = revoked.map(|line| line["hashed_token"].as_str().unwrap().to_owned()).collect();
    assert_eq!(revoked, tokens.map(|token| TokenHash::of(token.as_bytes()).to_string()).into());
}

#[test]
fn tokens_that_could_not_be_revoked_are_told_and_forgotten_all_the_same() {
    let desk = Desk::ready();
    desk.token("acme/web");
    desk.github.fault(Endpoint::Revoke, Fault::bad_gateway(), 1);
    let lock = desk.ghapp(["lock", "--revoke"]);
    assert_eq!(lock.ok().stdout(), "locked: 0 leases revoked, keys and tokens forgotten\n");
    lock.stderr_contains("1 lease could not be revoked at GitHub and will expire within the hour");
    let status = desk.agent().unwrap();
    assert_eq!((status.locked, status.leases), (true, 0));
}

#[test]
fn a_mint_that_is_under_way_kills_its_token_and_hands_out_none() {
    for arguments in [["lock"].as_slice(), &["lock", "--revoke"]] {
        let desk = Desk::ready();
        desk.claim();
        let hold = desk.github.hold(Endpoint::Mint);
        thread::scope(|scope| {
            let fill = scope.spawn(|| desk.fill("acme/api"));
            desk.github.wait_until(|calls| calls.of(Endpoint::Mint) == 1);
            let lock = scope.spawn(|| desk.ghapp(arguments.iter().copied()));
            wait_until_locked(&desk);
            hold.release();
            fill.join().unwrap().failed().stderr_contains("the agent is locked");
            lock.join().unwrap().ok();
        });
        assert_eq!((desk.github.mints().len(), desk.github.calls().of(Endpoint::Revoke)), (1, 1), "{arguments:?}");
        assert_eq!(desk.agent().unwrap().leases, 0);
        assert_eq!(outcomes(&desk, "revoke"), ["revoked"]);
    }
}

#[test]
fn a_lock_before_the_mint_keeps_the_mint_from_happening() {
    let desk = Desk::ready();
    let hold = desk.github.hold(Endpoint::UserInstallation);
    thread::scope(|scope| {
        let fill = scope.spawn(|| desk.fill("acme/web"));
        desk.github.wait_until(|calls| calls.of(Endpoint::UserInstallation) == 1);
        desk.ghapp(["lock"]).ok();
        hold.release();
        fill.join().unwrap().failed().stderr_contains("the agent is locked");
    });
    assert_eq!(desk.github.calls().of(Endpoint::Mint), 0);
}

#[test]
fn a_login_that_meets_a_lock_leaves_no_key_and_no_app() {
    let desk = Desk::new();
    desk.ghapp(["agent", "start"]).ok();
    let hold = desk.github.hold(Endpoint::AppGet);
    thread::scope(|scope| {
        let login = scope.spawn(|| desk.log_in("memory"));
        desk.github.wait_until(|calls| calls.of(Endpoint::AppGet) == 1);
        desk.ghapp(["lock"]).ok();
        hold.release();
        login.join().unwrap().failed().stderr_contains("error[E08]");
    });
    assert!(!desk.config_file().exists());
    desk.ghapp(["unlock"]).ok();
    assert_eq!(desk.ghapp_json(["status"])["apps"], json!([]));
}

#[test]
fn a_key_that_the_keyring_gives_behind_the_lock_signs_nothing() {
    if !keyring::available() {
        return;
    }
    let mut desk = Desk::new();
    let keyring = Keyring::start(&mut desk);
    desk.log_in("keyring").ok();
    desk.set_up_git();
    desk.ghapp(["agent", "reload"]).ok(); // the JWT of the login is forgotten
    let calls = desk.github.calls().len();
    kill_process(keyring.pid(), Signal::STOP).unwrap();
    thread::scope(|scope| {
        let fill = scope.spawn(|| desk.fill("acme/web"));
        // While a client waits for a key, the state of the keyring is unknown.
        eventually("the keyring is asked", || desk.agent().unwrap().store.state == "silent");
        desk.ghapp(["lock"]).ok();
        kill_process(keyring.pid(), Signal::CONT).unwrap();
        fill.join().unwrap().failed().stderr_contains("the agent is locked");
    });
    assert_eq!(desk.github.calls().len(), calls);
    desk.ghapp(["unlock"]).ok();
    desk.token("acme/web");
}

#[test]
fn a_signal_locks_and_ends_nothing() {
    let desk = Desk::ready();
    desk.token("acme/web");
    let pid = desk.agent().unwrap().pid;
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::USR1).unwrap();
    wait_until_locked(&desk);
    desk.fill("acme/web").failed().stderr_contains("the agent is locked");
    assert_eq!(desk.agent().unwrap().pid, pid);
    assert_eq!(outcomes(&desk, "lock"), ["signal"]);
}

#[test]
fn an_agent_that_nobody_needs_locks_itself() {
    let desk = Desk::ready();
    desk.token("acme/web");
    let config = std::fs::read_to_string(desk.config_file()).unwrap();
    std::fs::write(desk.config_file(), format!("[agent]\nlock_after = \"1s\"\n\n{config}")).unwrap();
    desk.ghapp(["agent", "reload"]).ok();
    // A question for its status does not keep it awake.
    wait_until_locked(&desk);
    desk.fill("acme/web").failed().stderr_contains("the agent is locked");
    assert_eq!(outcomes(&desk, "lock"), ["unused"]);
}
