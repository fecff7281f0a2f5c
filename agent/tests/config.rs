//! The configuration file: what is understood, and where each mistake is reported.

use std::path::Path;
use std::time::Duration;

use ghapp_agent::config::{Config, EditError, Section, add_app, change_keys, load, parse, remove_app};
use ghapp_agent::model::{App, AppName, Fingerprint, StoreKind};

const APP: &str = "[[app]]\nname = \"bot\"\napp_id = 1\n";

fn read(text: &str) -> Result<Config, String> {
    parse(text, Path::new("config.toml")).map_err(|error| error.to_string())
}

/// Parses a text in which `^` marks where the mistake is to be reported.
#[track_caller]
fn mistake(text: &str, says: &str) {
    let at = text.find('^').expect("the place is marked");
    let (line, column) = (text[..at].matches('\n').count() + 1, at - text[..at].rfind('\n').map_or(0, |at| at + 1) + 1);
    let error = read(&text.replacen('^', "", 1)).expect_err("there is a mistake");
    assert!(error.starts_with(&format!("config.toml:{line}:{column} ")), "{error}");
    assert!(error.contains(says), "{error}");
}

#[test]
fn an_empty_file_is_an_empty_configuration() {
    assert_eq!(read("").unwrap(), Config::default());
    assert_eq!(load(Path::new("/nonexistent/config.toml")).unwrap(), Config::default());
}

#[test]
fn the_documented_example_is_understood() {
    let config = read(
        r#"
        [agent]
        min_ttl = "10m"
        revoke_on_stop = false
        lock_after = "8h"
        lock_with_screen = true
        idle_exit = "never"
        [[app]]
        name = "acme-bot"
        host = "GitHub.com"
        client_id = "Iv23liAbCdEf"
        signer = "keyring"
        [[rule]]
        match = "github.com/acme/*"
        app = "acme-bot"
        repositories = "requested"
        permissions = { contents = "write", workflows = "write" }
        access = "write"
        on_failure = "quit"
        deny = false
        "#,
    )
    .unwrap();
    assert_eq!(config.apps[0].api_url.as_str(), "https://api.github.com");
    assert_eq!(config.apps[0].store, StoreKind::Keyring);
    assert_eq!(config.rules.len(), 1);
    assert_eq!(config.agent.lock_after, Some(Duration::from_secs(8 * 3600)));
    assert!(config.agent.lock_with_screen);
    assert_eq!(read("[agent]\nlock_after = \"never\"\n").unwrap().agent.lock_after, None);
}

#[test]
fn a_value_of_another_type_is_told_with_its_key() {
    mistake(
        "[[rule]]\nmatch = \"github.com/acme/*\"\ndeny = ^\"yes\"\n",
        "deny: invalid type: string \"yes\", expected a boolean",
    );
    mistake("[agent]\nrevoke_on_stop = ^1\n", "revoke_on_stop: invalid type");
    mistake("[[app]]\nname = \"bot\"\napp_id = ^\"one\"\n", "app_id: invalid type");
}

#[test]
fn every_store_is_a_signer() {
    for name in ["keyring", "keyutils", "encrypted-file", "credentials-dir", "memory"] {
        let config = read(&format!("[[app]]\nname = \"bot\"\napp_id = 1\nsigner = \"{name}\"\n")).unwrap();
        assert_eq!(config.apps[0].store.as_str(), name);
    }
}

#[test]
fn every_mistake_has_its_place_and_the_nearest_valid_word() {
    mistake("[agent]\n^min_tll = \"1m\"\n", "did you mean \"min_ttl\"?");
    mistake("[agent]\nmin_ttl = ^\"1h\"\n", "from \"2m\" to \"50m\"");
    mistake("[agent]\nmin_ttl = ^10\n", "invalid type");
    mistake("[agent]\nlock_after = ^\"on-screen-lock\"\n", "\"never\" or a time");
    mistake("[agent]\nlock_after = ^\"0s\"\n", "at least a second");
    mistake("[agent]\nidle_exit = ^\"soon\"\n", "\"never\" or a time");
    mistake("[agent]\nidle_exit = ^\"0s\"\n", "\"never\" or a time");
    mistake("[^agnet]\n", "did you mean \"agent\"?");
    mistake("[[app]]\nname = ^\"a b\"\napp_id = 1\n", "1 to 64");
    mistake("[[app]]\nname = ^\"bot\"\n", "needs app_id or client_id");
    mistake("[[app]]\nname = \"bot\"\napp_id = 1\nhost = ^\"a b\"\n", "host");
    mistake("[[app]]\nname = \"bot\"\napp_id = 1\napi_url = ^\"http://x/api/v3\"\n", "https://");
    mistake("[[app]]\nname = \"bot\"\napp_id = 1\nca_file = ^\"ca.pem\"\n", "absolute");
    mistake("[[app]]\nname = \"bot\"\napp_id = 1\nsigner = ^\"file\"\n", "keyring, keyutils");
    mistake("[[app]]\nname = \"bot\"\napp_id = 1\nsigner = ^\"encryptedfile\"\n", "mean \"encrypted-file\"?");
    mistake("[[app]]\nname = \"bot\"\napp_id = 1\nsigner = ^\"keyrings\"\n", "mean \"keyring\"?");
    mistake("[[app]]\nname = \"bot\"\napp_id = 1\nkey = ^\"MD5:1\"\n", "fingerprint");
    let (one, two) =
        ("SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=", "SHA256:Lxz0bMfkKB4fQvRcBPuCC3bS8Sx1FgTyUWC8sIBxNZI=");
    mistake(&format!("{APP}more_keys = [^\"{one}\"]\n"), "needs key");
    mistake(&format!("{APP}key = \"{one}\"\nmore_keys = [\"{two}\", ^\"{one}\"]\n"), "there already");
    mistake(&format!("{APP}key = \"{one}\"\nmore_keys = [^\"MD5:1\"]\n"), "fingerprint");
    mistake(&format!("{APP}key = \"{one}\"\nmore_keys = ^\"{two}\"\n"), "invalid type");
    mistake(
        &format!("{APP}signer = \"credentials-dir\"\nkey = \"{one}\"\nmore_keys = [^\"{two}\"]\n"),
        "holds one key",
    );
    let numbered = |number: usize| format!("\"{}{number}=\"", &one[..one.len() - 2]);
    let full = (1..App::MAX_KEYS).map(numbered).collect::<Vec<_>>().join(", ");
    let keys = format!("{APP}key = \"{one}\"\nmore_keys = [{full}");
    assert_eq!(read(&format!("{keys}]\n")).unwrap().apps[0].keys().count(), App::MAX_KEYS);
    mistake(&format!("{keys}, ^\"{two}\"]\n"), "at most 4 keys");
    mistake(&format!("{APP}[[app]]\nname = ^\"bot\"\napp_id = 2\n"), "two Apps");
    mistake(&format!("{APP}[[rule]]\nmatch = ^\"github.com/acme\"\napp = \"bot\"\n"), "match must look like");
    mistake(&format!("{APP}[[rule]]\nmatch = ^\"github.com/*\"\n"), "needs an app");
    mistake(&format!("{APP}[[rule]]\nmatch = \"github.com/*\"\napp = ^\"bto\"\n"), "there are: bot");
    mistake(&format!("{APP}[[rule]]\nmatch = \"ghes/*\"\napp = ^\"bot\"\n"), "is on github.com and the rule on ghes");
    let rule = format!("{APP}[[rule]]\nmatch = \"github.com/*\"\napp = \"bot\"\n");
    mistake(&format!("{rule}repositories = ^[]\n"), "1 to 5000");
    mistake(&format!("{rule}repositories = ^\"all\"\n"), "\"installation\"");
    mistake(&format!("{rule}permissions = ^{{}}\n"), "at least one");
    mistake(&format!("{rule}permissions = ^{{ contents = \"all\" }}\n"), "contents must be");
    mistake(&format!("{rule}access = ^\"rw\"\n"), "access must be");
    mistake(&format!("{rule}on_failure = ^\"prompt\"\n"), "on_failure must be");
    mistake(&format!("{rule}^permision = 1\n"), "did you mean \"permissions\"?");
}

#[test]
fn adding_and_removing_an_app_leaves_the_rest_of_the_file_alone() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("made/config.toml");
    let mut app = read(APP).unwrap().apps.remove(0);
    let config = add_app(&path, &app).unwrap().write().unwrap();
    assert_eq!(config.apps, [app.clone()]);
    assert_eq!(load(&path).unwrap(), config);

    let text = std::fs::read_to_string(&path).unwrap();
    let text = format!("# first\n[agent]\nmin_ttl = \"5m\" # short\n\n{text}# last\n");
    std::fs::write(&path, &text).unwrap();
    app.slug = Some("acme-bot".to_owned());
    add_app(&path, &app).unwrap().write().unwrap();
    let changed = std::fs::read_to_string(&path).unwrap();
    assert!(changed.starts_with("# first\n[agent]\nmin_ttl = \"5m\" # short\n"), "{changed}");
    assert!(changed.ends_with("# last\n"), "{changed}");
    assert!(changed.contains("slug = \"acme-bot\""), "{changed}");
    assert_eq!(changed.matches("[[app]]").count(), 1, "{changed}");

    remove_app(&path, &AppName::parse("bot").unwrap()).unwrap().write().unwrap();
    let left = std::fs::read_to_string(&path).unwrap();
    assert!(left.starts_with("# first\n[agent]\nmin_ttl = \"5m\" # short\n"), "{left}");
    assert!(!left.contains("[[app]]"), "{left}");
}

#[test]
fn changing_keys_touches_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("config.toml");
    let text = "# first\n[[app]]\nname = \"bot\" # mine\nclient_id = \"Iv23li\"\n\n[[app]]\nname = \"other\"\napp_id = 2 # his\n";
    std::fs::write(&path, text).unwrap();
    let bot = AppName::parse("bot").unwrap();
    let key = |number: u8| {
        let text = format!("SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa{number}=");
        Fingerprint::parse(&text).unwrap()
    };
    let change = |edit: &dyn Fn(&mut Vec<Fingerprint>)| {
        let config = change_keys(&path, &bot, edit).unwrap().write().unwrap();
        assert_eq!(load(&path).unwrap(), config);
        config.app(&bot).unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(change(&|keys| keys.push(key(1))), [key(1)]);
    assert_eq!(change(&|keys| keys.insert(0, key(2))), [key(2), key(1)]);
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains(&format!("key = \"{}\"\nmore_keys = [\"{}\"]\n", key(2), key(1))), "{written}");
    assert!(written.contains("# mine") && written.ends_with("app_id = 2 # his\n"), "{written}");
    assert_eq!(written.lines().count(), text.lines().count() + 2, "{written}");
    assert_eq!(change(&|keys| keys.retain(|other| *other != key(2))), [key(1)]);
    assert!(!std::fs::read_to_string(&path).unwrap().contains("more_keys"));
    let gone = change_keys(&path, &AppName::parse("nobody").unwrap(), |_| {});
    assert!(matches!(gone, Err(EditError::Gone { .. })));
}

#[test]
fn a_file_that_is_a_link_stays_one() {
    #[cfg(unix)]
    {
        let temp = tempfile::tempdir().unwrap();
        let (real, link) = (temp.path().join("dotfiles.toml"), temp.path().join("config.toml"));
        std::fs::write(&real, "").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        add_app(&link, &read(APP).unwrap().apps[0]).unwrap().write().unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(load(&real).unwrap().apps.len(), 1);
    }
}

#[test]
fn an_app_that_a_rule_names_is_not_removed() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("config.toml");
    let text = format!("{APP}[[rule]]\nmatch = \"github.com/*\"\napp = \"bot\"\n");
    std::fs::write(&path, &text).unwrap();
    assert!(remove_app(&path, &AppName::parse("bot").unwrap()).is_err());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn the_table_of_keys_has_those_that_are_understood() {
    for section in Section::ALL {
        // The error for an unknown key lists the keys that exist.
        let error = read(&format!("{}\nqqqqqqqqqqqqqqqqqqqqqqqq = 1\n", section.header())).unwrap_err();
        let (_, valid) = error.split_once("valid keys: ").unwrap();
        let mut understood: Vec<_> = valid.split(", ").collect();
        let mut listed: Vec<_> = section.keys().map(|key| key.name).collect();
        understood.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, understood, "{section:?}");
    }
}
