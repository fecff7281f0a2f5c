//! The next key signs when GitHub refuses one, or one is gone, and for no other reason.

use std::fs;
use std::thread;

use ghapp_tests::github::Endpoint;
use ghapp_tests::keyring::{self, Keyring};
use ghapp_tests::process::{self, Running};
use ghapp_tests::{Desk, binary};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{answers, desk_with_keyring, give, keys, new_key, ok, stored};

#[test]
fn when_github_refuses_a_key_the_next_one_signs_after_one_more_call() {
    let desk = Desk::new();
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground"));
    agent.wait_for_line("listening");
    desk.log_in("memory").ok();
    desk.set_up_git();
    let (old, new) = (desk.app.fingerprint(), new_key(&desk));
    give(&desk, "add", &new.pem).ok();
    assert_eq!(keys(&desk), ok(&[old, &new.fingerprint]));
    let configured = fs::read_to_string(desk.config_file()).unwrap();
    let token = desk.token("acme/web");

    desk.github.remove_key(&desk.app, desk.app.pem());
    let before = desk.github.calls();
    desk.token("acme/api");
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [401, 201]);
    assert_eq!(desk.token("acme/web"), token, "a token outlives the key that it was minted with");
    desk.ghapp(["revoke", "--all"]).ok();
    let before = desk.github.calls();
    desk.token("acme/web");
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [201], "from then on it is asked first");

    let refused = vec![(new.fingerprint.clone(), "ok".to_owned()), (old.to_owned(), "key_refused".to_owned())];
    assert_eq!(keys(&desk), refused);
    agent.wait_for_line("GitHub refuses a key");
    let command = format!("ghapp key remove {old} --app acme-bot");
    for arguments in [["key", "list"].as_slice(), &["status"]] {
        desk.ghapp(arguments.iter().copied()).ok().stderr_contains("GitHub refuses the key").stderr_contains(&command);
    }
    let app = &desk.ghapp_json(["status"])["apps"][0];
    assert_eq!((&app["key_fingerprint"], &app["state"]), (&json!(new.fingerprint), &json!("ok")));
    assert_eq!(app["refused_keys"], json!([old]));
    let lines: Vec<_> = desk.audit().into_iter().filter(|line| line["call"] == "key_refused").collect();
    assert_eq!(lines.len(), 1, "it is said once: {lines:?}");
    assert_eq!((&lines[0]["key"], &lines[0]["next_key"]), (&json!(old), &json!(new.fingerprint)));
    let doctor = desk.ghapp_json(["doctor", "acme/web"]);
    let checks = doctor["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["fix"] == json!(command)).expect("the doctor says what can be done");
    assert_eq!(check["state"], "warn", "{check}");
    assert!(checks.iter().all(|check| check["id"] != "agent-config" || check["state"] == "ok"), "{checks:?}");
    assert_eq!(fs::read_to_string(desk.config_file()).unwrap(), configured, "the file is a person's");

    process::run(desk.command("sh").args(["-c", &command]), b"").ok();
    assert_eq!(keys(&desk), ok(&[&new.fingerprint]));
    assert_eq!(desk.ghapp(["status"]).ok().stderr(), "");
}

#[test]
fn a_lookup_falls_over_as_a_mint_does_and_all_who_wait_get_their_tokens() {
    let desk = Desk::ready();
    let new = new_key(&desk);
    give(&desk, "add", &new.pem).ok();
    desk.github.remove_key(&desk.app, desk.app.pem());
    let before = desk.github.calls();
    thread::scope(|scope| {
        for repository in ["acme/web", "acme/api"].repeat(4) {
            scope.spawn(|| desk.token(repository));
        }
    });
    assert_eq!(answers(&before, &desk, Endpoint::UserInstallation), [401, 200]);
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [201, 201]);
}

#[test]
fn a_call_that_a_rotation_overtakes_is_made_with_the_new_key() {
    let desk = Desk::ready();
    let new = new_key(&desk);
    let hold = desk.github.hold(Endpoint::Mint);
    let before = desk.github.calls();
    thread::scope(|scope| {
        let token = scope.spawn(|| desk.token("acme/web"));
        desk.github.wait_until(|calls| calls.of(Endpoint::Mint) == 1);
        give(&desk, "rotate", &new.pem).ok();
        desk.ghapp(["key", "remove", desk.app.fingerprint()]).ok();
        desk.github.remove_key(&desk.app, desk.app.pem());
        hold.release();
        token.join().expect("git does not notice");
    });
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [401, 201]);
    assert_eq!(keys(&desk), ok(&[&new.fingerprint]));
}

#[test]
fn a_key_that_is_removed_while_it_is_tried_is_nobodys_concern() {
    let desk = Desk::ready();
    let new = new_key(&desk);
    give(&desk, "add", &new.pem).ok();
    let hold = desk.github.hold(Endpoint::Mint);
    let before = desk.github.calls();
    thread::scope(|scope| {
        let token = scope.spawn(|| desk.token("acme/web"));
        desk.github.wait_until(|calls| calls.of(Endpoint::Mint) == 1);
        desk.ghapp(["key", "remove", desk.app.fingerprint()]).ok();
        desk.github.remove_key(&desk.app, desk.app.pem());
        hold.release();
        token.join().expect("git does not notice");
    });
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [401, 201]);
    assert_eq!(desk.ghapp(["status"]).ok().stderr(), "");
    assert!(desk.audit().iter().all(|line| line["call"] != "key_refused"));
}

#[test]
fn when_github_refuses_every_key_each_is_tried_once_and_nothing_is_concluded() {
    let desk = Desk::ready();
    let new = new_key(&desk);
    give(&desk, "add", &new.pem).ok();
    desk.token("acme/web");
    desk.github.remove_key(&desk.app, desk.app.pem());
    desk.github.remove_key(&desk.app, &new.pem);
    for _ in 0..2 {
        let before = desk.github.calls();
        let token = desk.ghapp(["token", "acme/api"]);
        token.failed().stderr_contains("error[E15]").stderr_contains(&new.fingerprint);
        assert_eq!(token.status.code(), Some(7));
        assert_eq!(answers(&before, &desk, Endpoint::Mint), [401, 401]);
    }
    assert_eq!(keys(&desk), ok(&[desk.app.fingerprint(), &new.fingerprint]));
    let verify = desk.ghapp(["key", "verify"]);
    assert_eq!(verify.status.code(), Some(7), "{}", verify.stdout());
    assert_eq!(verify.stdout().matches("does not accept the key").count(), 2, "{}", verify.stdout());
}

#[test]
fn a_wrong_clock_is_no_reason_to_take_another_key() {
    let desk = Desk::ready();
    give(&desk, "add", &new_key(&desk).pem).ok();
    desk.token("acme/web");
    desk.github.clock_ahead(SignedDuration::from_mins(20));
    desk.ghapp(["revoke", "--all"]).ok();
    let before = desk.github.calls();
    desk.token("acme/web");
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [401, 201]);
    assert_eq!(keys(&desk)[0], (desk.app.fingerprint().to_owned(), "ok".to_owned()));
    assert_eq!(desk.ghapp_json(["status"])["apps"][0]["refused_keys"], Value::Null);
}

#[test]
fn a_keyring_that_is_locked_is_no_reason_to_take_another_key_and_one_that_has_lost_it_is() {
    if !keyring::available() {
        return;
    }
    let (desk, mut keyring) = desk_with_keyring();
    let (old, new) = (desk.app.fingerprint(), new_key(&desk));
    give(&desk, "add", &new.pem).ok();
    Keyring::lock(&desk);
    desk.ghapp(["token", "acme/web"]).failed().stderr_contains("error[E11]");
    keyring.end_daemon();
    keyring.unlock(&desk);
    desk.token("acme/web");
    assert_eq!(keys(&desk), ok(&[old, &new.fingerprint]));

    let name = format!("{}/{}/{old}", desk.github.host(), desk.app.app_id);
    process::run(desk.command("secret-tool").args(["clear", "service", "ghapp", "username", &name]), b"").ok();
    assert_eq!(stored(&desk), [new.fingerprint.as_str()]);
    desk.ghapp(["agent", "reload"]).ok(); // the JWT at hand is forgotten
    desk.token("acme/api");
    let gone = vec![(new.fingerprint.clone(), "ok".to_owned()), (old.to_owned(), "key_missing".to_owned())];
    assert_eq!(keys(&desk), gone);
    let lines: Vec<_> = desk.audit().into_iter().filter(|line| line["call"] == "key_missing").collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    // Added again it is as good as before.
    give(&desk, "add", desk.app.pem()).ok();
    assert_eq!(keys(&desk), ok(&[old, &new.fingerprint]));
}

#[test]
fn verify_tells_of_each_key_whether_github_accepts_it() {
    let desk = Desk::ready();
    let (old, new, third) = (desk.app.fingerprint(), new_key(&desk), new_key(&desk));
    give(&desk, "add", &new.pem).ok();
    give(&desk, "add", &third.pem).ok();
    let before = desk.github.calls();
    desk.ghapp(["key", "verify"]).ok();
    assert_eq!(answers(&before, &desk, Endpoint::AppGet), [200, 200, 200]);
    desk.github.remove_key(&desk.app, &new.pem);
    let verify = desk.ghapp(["key", "verify"]);
    assert_eq!(verify.status.code(), Some(7));
    let stdout = verify.stdout();
    let line = |key: &str| stdout.lines().find(|line| line.contains(key)).unwrap_or_default();
    assert!(line(old).contains("accepted") && line(&third.fingerprint).contains("accepted"), "{stdout}");
    assert!(line(&new.fingerprint).contains("does not accept"), "{stdout}");
    let states: Vec<_> = keys(&desk).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["ok", "ok", "key_refused"], "the refused one comes last");
    desk.ghapp(["key", "verify", &third.fingerprint[..20]]).ok();
    // A key that GitHub accepts again is as good as before.
    desk.ghapp(["agent", "reload"]).ok();
    assert_eq!(keys(&desk), ok(&[old, &new.fingerprint, &third.fingerprint]));
    let json = process::run(desk.command(binary("ghapp")).args(["key", "verify", "--json"]), b"");
    assert_eq!(json.status.code(), Some(7));
    let json: Value = serde_json::from_str(&json.stdout()).unwrap();
    let refused = json["keys"].as_array().unwrap().iter().find(|key| key["state"] == "key_refused").unwrap();
    assert!(refused["error"].as_str().unwrap().contains("does not accept"), "{refused}");
}
