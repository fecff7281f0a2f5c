//! `ghapp key`: what it asks for, what it prints, and what it refuses before it asks.

use serde_json::{Value, json};

use crate::login::new_key;
use crate::support::{Ended, Home, app, error, status, status_of};

const OLD: &str = "SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
const NEW: &str = "SHA256:Lxz0bMfkKB4fQvRcBPuCC3bS8Sx1FgTyUWC8sIBxNZI=";

fn key(fingerprint: &str, signing: bool, state: &str) -> Value {
    json!({"app": "acme-bot", "fingerprint": fingerprint, "store": "keyring", "state": state, "signing": signing})
}

fn keys(all: &[Value]) -> Value {
    json!({"reply": "keys", "keys": all})
}

fn app_in(store: &str) -> Value {
    let mut app = app();
    app["store"] = json!(store);
    status_of(&[app])
}

#[test]
fn keys_are_listed_for_people_and_for_scripts() {
    let home = Home::new();
    let both = [key(NEW, true, "ok"), key(OLD, false, "key_refused")];
    let agent = home.agent(vec![status(), keys(&both), status(), keys(&both)]);
    let ended = home.run(&["key", "list"]);
    assert_eq!(
        ended.stdout,
        format!(
            "APP       KEY                                                  USE    STORE    STATE\n\
             acme-bot  {NEW}  signs  keyring  ok\n\
             acme-bot  {OLD}  next   keyring  key_refused\n"
        )
    );
    assert_eq!(
        ended.stderr,
        format!(
            "ghapp: warning: GitHub refuses the key {OLD} of acme-bot, and another one signs; if it was deleted there, \
             run: ghapp key remove {OLD} --app acme-bot\n"
        )
    );
    assert_eq!(home.run(&["key", "list", "--json"]).json(), json!({"schema": 1, "keys": both}));
    let asked = agent.asked();
    assert_eq!(asked[1], json!({"call": "keys", "app": "acme-bot", "verify": false}));
}

#[test]
fn without_an_agent_the_configuration_tells_the_keys() {
    let home = Home::new();
    home.write(
        "config/ghapp/config.toml",
        format!("[[app]]\nname = \"bot\"\napp_id = 1\nkey = \"{NEW}\"\nmore_keys = [\"{OLD}\"]\n"),
    );
    let listed = home.run(&["key", "list", "--json"]).json();
    let key = |fingerprint: &str, signing| json!({"app": "bot", "fingerprint": fingerprint, "store": "keyring", "state": "unknown", "signing": signing});
    assert_eq!(listed, json!({"schema": 1, "keys": [key(NEW, true), key(OLD, false)]}));
    let other = home.run(&["key", "list", "--app", "other"]);
    assert_eq!(other.code, 3, "{other:?}");
}

#[test]
fn a_new_key_is_handed_over_and_the_way_to_the_end_is_shown() {
    let (home, new) = (Home::new(), new_key());
    let file = home.write("new.pem", &new.pem);
    let page = "https://github.com/organizations/acme/settings/apps/acme-bot";
    let added = json!({
        "reply": "key_added", "added": key(&new.fingerprint, true, "ok"), "others": [OLD], "page": page,
    });
    let agent = home.agent(vec![status(), added]);
    let ended = home.run(&["key", "rotate", "--pem", "new.pem", "--delete-pem"]);
    assert_eq!(
        ended.stdout,
        format!(
            "Key        {}\n\
             Accepted   for acme-bot by github.com\n\
             Stored     acme-bot in the keyring (secret-service)\n\
             Deleted    new.pem\n\
             Replaces   {OLD}, which signs should GitHub refuse the new one\n\
             Delete it  there: {page}\n\
             \u{20}          then here: ghapp key remove {OLD} --app acme-bot\n",
            new.fingerprint
        )
    );
    assert!(!file.exists());
    let expected = json!({"call": "add_key", "app": "acme-bot", "key": new.wire, "signs": true});
    assert_eq!(agent.asked()[1], expected);
}

#[test]
fn a_passphrase_goes_along_when_the_app_has_encrypted_files() {
    let (home, new) = (Home::new(), new_key());
    home.write("new.pem", &new.pem);
    let added =
        json!({"reply": "key_added", "added": key(&new.fingerprint, false, "ok"), "others": [OLD], "page": "x"});
    let agent = home.agent(vec![app_in("encrypted-file"), added, app_in("encrypted-file"), status()]);
    let arguments = ["key", "add", "--pem", "new.pem", "--passphrase-file", "-"];
    let ended = home.run_with_stdin(&arguments, b"correct horse\n");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("signs when GitHub refuses the one before it"), "{ended:?}");
    let silent = home.run(&["key", "add", "--pem", "new.pem", "--no-input"]);
    assert_eq!(silent.code, 2, "{silent:?}");
    assert!(silent.stderr.contains("--passphrase-file FILE"), "{silent:?}");
    // A key in a keyring has no passphrase.
    assert_eq!(home.run_with_stdin(&arguments, b"correct horse\n").code, 2);
    let asked = agent.asked();
    assert_eq!((&asked[1]["passphrase"], &asked[1]["signs"]), (&json!("correct horse"), &json!(false)));
}

#[test]
fn bad_usage_is_refused_before_anybody_is_asked() {
    let (home, new) = (Home::new(), new_key());
    home.write("new.pem", &new.pem);
    for (arguments, says) in [
        (&["key"][..], "Usage"),
        (&["key", "add"], "--pem <FILE|->"),
        (&["key", "rotate", "--no-input"], "--pem <FILE|->"),
        (&["key", "remove"], "<FINGERPRINT>"),
        (&["key", "add", "--pem", "-", "--delete-pem"], "--delete-pem needs a file"),
        (&["key", "add", "--pem", &new.pem], "where other users can see it"),
        (&["key", "add", "--pem", "new.pem\n"], "not the key itself"),
    ] {
        let ended = home.run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(says), "{arguments:?}: {ended:?}");
        assert!(!ended.stderr.contains("PRIVATE KEY"), "{ended:?}");
    }
    let none = home.run(&["key", "remove", "abc"]);
    assert_eq!(none.code, 5, "{none:?}");
}

#[test]
fn what_the_agent_s_apps_do_not_allow_is_said_before_the_key_is_sent() {
    let (home, new) = (Home::new(), new_key());
    home.write("new.pem", &new.pem);
    home.write("text.pem", "not a key");
    let mut other = app();
    other["name"] = json!("other");
    let replies = vec![app_in("memory"), status_of(&[app(), other]), status_of(&[]), status(), status()];
    let agent = home.agent(replies);
    let run = |arguments: &[&str]| -> Ended { home.run(&[&["key", "add", "--pem"], arguments].concat()) };
    let memory = run(&["new.pem", "--delete-pem"]);
    assert!(memory.code == 2 && memory.stderr.contains("the only copy"), "{memory:?}");
    let several = run(&["new.pem"]);
    assert!(several.code == 2 && several.stderr.contains("hint: name one: --app acme-bot"), "{several:?}");
    assert_eq!(run(&["new.pem"]).code, 3);
    assert_eq!(run(&["missing.pem"]).code, 1);
    let text = run(&["text.pem"]);
    assert!(text.code == 1 && text.stderr.contains("error[E13]"), "{text:?}");
    agent.asked();
    assert!(home.path("new.pem").exists());
}

#[test]
fn a_key_is_removed_by_the_beginning_of_its_fingerprint() {
    let home = Home::new();
    let both = keys(&[key(OLD, true, "ok"), key(NEW, false, "ok")]);
    let removed = json!({
        "reply": "key_removed", "app": "acme-bot", "fingerprint": NEW, "signing": OLD, "deleted": true,
    });
    let refused = error("last_key", "it is the only key", "run: ghapp logout acme-bot");
    let agent = home.agent(vec![
        status(),
        both.clone(),
        removed,
        status(),
        both,
        status(),
        keys(&[key(OLD, true, "ok")]),
        refused,
    ]);
    let ended = home.run(&["key", "remove", "Lxz0"]);
    assert_eq!(ended.stdout, format!("removed {NEW} of acme-bot: deleted from its store\n{OLD} signs\n"));
    let unknown = home.run(&["key", "remove", "SHA256:ghs_secret"]);
    assert_eq!(
        unknown.stderr,
        "ghapp: error[E60]: no key here has that fingerprint\nghapp: hint: run: ghapp key list\n"
    );
    assert_eq!(unknown.code, 1);
    assert_eq!(home.run(&["key", "remove", OLD]).code, 1);
    assert_eq!(agent.asked()[2], json!({"call": "remove_key", "app": "acme-bot", "fingerprint": NEW}));
}

#[test]
fn verify_ends_with_7_when_github_refuses_a_key() {
    let home = Home::new();
    let mut refused = key(NEW, false, "key_refused");
    refused["error"] = json!({"code": "key_refused", "message": "github.com does not accept the key", "hint": "look"});
    let agent = home.agent(vec![
        status(),
        keys(&[key(OLD, true, "ok"), refused.clone()]),
        status(),
        keys(&[key(OLD, true, "ok"), key(NEW, false, "ok")]),
        keys(&[refused]),
    ]);
    let ended = home.run(&["key", "verify"]);
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(ended.stdout.contains(&format!("{OLD}  accepted for acme-bot, and signs\n")), "{ended:?}");
    assert!(ended.stdout.contains(&format!("{NEW}  github.com does not accept the key\n")), "{ended:?}");
    let one = home.run(&["key", "verify", "SHA256:Lxz", "--json"]);
    assert_eq!((one.code, &one.json()["keys"][0]["state"]), (7, &json!("key_refused")));
    let asked = agent.asked();
    assert_eq!(asked[4], json!({"call": "keys", "app": "acme-bot", "verify": true, "fingerprint": NEW}));
}
