//! `ghapp config`: values that are read, changed and refused.

use std::fs;
use std::thread;

use serde_json::json;

use crate::eventually::eventually;
use crate::support::{Ended, Home, status};

const FILE: &str = "\
# mine
[agent]
min_ttl = \"5m\" # short

[[app]]
name = \"acme-bot\" # the bot
app_id = 1

[[rule]]
match = \"github.com/acme/*\"
app = \"acme-bot\"
# narrow
permissions = { contents = \"read\" }
";

fn home() -> Home {
    let home = Home::new();
    home.write("config/ghapp/config.toml", FILE);
    home
}

fn file(home: &Home) -> String {
    fs::read_to_string(home.path("config/ghapp/config.toml")).unwrap()
}

#[track_caller]
fn prints(ended: &Ended, stdout: &str) {
    assert_eq!((ended.code, ended.stderr.as_str(), ended.stdout.as_str()), (0, "", stdout));
}

#[test]
fn get_prints_the_value_that_counts() {
    let home = home();
    for (key, value) in [
        ("agent.min_ttl", "5m\n"),
        ("agent.idle_exit", "never\n"),
        ("agent.revoke_on_stop", "false\n"),
        ("app.acme-bot.app_id", "1\n"),
        ("app.acme-bot.host", "github.com\n"),
        ("app.acme-bot.api_url", "https://api.github.com\n"),
        ("app.acme-bot.ca_file", ""),
        ("rule.1.permissions", "{ contents = \"read\" }\n"),
        ("rule.1.access", "write\n"),
    ] {
        prints(&home.run(&["config", "get", key]), value);
    }
    let written = home.run(&["config", "get", "rule.1.permissions", "--json"]).json();
    assert_eq!((&written["value"], &written["set"]), (&json!({"contents": "read"}), &json!(true)));
    let left_out = home.run(&["config", "get", "agent.revoke_on_stop", "--json"]).json();
    assert_eq!((&left_out["value"], &left_out["set"]), (&json!(false), &json!(false)));
    prints(&Home::new().run(&["config", "get", "agent.min_ttl"]), "10m\n");
}

#[test]
fn set_changes_one_value_and_keeps_everything_else() {
    let home = home();
    let path = home.path("config/ghapp/config.toml");
    let set = home.run(&["config", "set", "agent.min_ttl", "20m"]);
    prints(&set, &format!("agent.min_ttl set in {}; an agent that starts reads it\n", path.display()));
    assert_eq!(file(&home), FILE.replace("5m", "20m"));
    home.run(&["config", "set", "agent.min_ttl", "5m"]);
    home.run(&["config", "set", "rule.1.permissions", "{ contents = \"write\" }"]);
    assert_eq!(file(&home), FILE.replace("contents = \"read\"", "contents = \"write\""));
    home.run(&["config", "set", "rule.1.permissions", "{ contents = \"read\" }"]);
    let json = home.run(&["config", "set", "app.acme-bot.installation_id", "7", "--json"]).json();
    assert_eq!((&json["value"], &json["reloaded"]), (&json!(7), &json!(false)));
    assert_eq!(file(&home), FILE.replace("app_id = 1\n", "app_id = 1\ninstallation_id = 7\n"));
    home.run(&["config", "set", "--unset", "app.acme-bot.installation_id"]);
    assert_eq!(file(&home), FILE);
    for repositories in ["installation", "[\"web\", \"api\"]"] {
        home.run(&["config", "set", "rule.1.repositories", repositories]);
        prints(&home.run(&["config", "get", "rule.1.repositories"]), &format!("{repositories}\n"));
    }
}

#[test]
fn what_would_be_a_mistake_is_not_written() {
    let home = home();
    for (arguments, code, says) in [
        (
            &["agent.min_tll", "5m"][..],
            "E46",
            "there is no key \"agent.min_tll\"\nghapp: hint: did you mean: ghapp config set agent.min_ttl",
        ),
        (&["agent.min_ttl", "2h"], "E32", "cannot set agent.min_ttl: min_ttl must be a time from \"2m\" to \"50m\""),
        (
            &["agent.revoke_on_stop", "maybe"],
            "E32",
            "cannot set agent.revoke_on_stop: revoke_on_stop: invalid type: string \"maybe\"",
        ),
        (&["rule.1.app", "other"], "E32", "cannot set rule.1.app: there is no App of that name; there are: acme-bot"),
        (&["--unset", "rule.1.match"], "E32", "cannot set rule.1.match: missing field `match`"),
        (&["rule.2.access", "read"], "E46", "there is no [[rule]] table number 2 in "),
        (&["app.other.slug", "x"], "E46", "there is no [[app]] table of the name \"other\" in "),
        (&["app.acme-bot.signer", "memory"], "E46", "says where the App's key is"),
        (&["app.acme-bot.key", "x"], "E46", "ghapp: hint: see: ghapp key --help"),
    ] {
        let ended = home.run(&[&["config", "set"], arguments].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{ended:?}");
        assert!(ended.stderr.contains(&format!("error[{code}]: ")) && ended.stderr.contains(says), "{}", ended.stderr);
        assert_eq!(file(&home), FILE, "{arguments:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_made_and_one_with_a_mistake_is_left_alone() {
    let home = Home::new();
    assert_eq!(home.run(&["config", "set", "agent.lock_after", "8h"]).code, 0);
    assert_eq!(file(&home), "[agent]\nlock_after = \"8h\"\n");
    home.write("config/ghapp/config.toml", "[agent]\nmin_tll = 1\n");
    for command in [&["config", "set", "agent.lock_after", "1h"][..], &["config", "get", "agent.lock_after"]] {
        let ended = home.run(command);
        assert_eq!(ended.code, 2);
        assert!(
            ended.stderr.contains("error[E32]") && ended.stderr.contains("config.toml:2:1 unknown key"),
            "{ended:?}"
        );
    }
    assert_eq!(file(&home), "[agent]\nmin_tll = 1\n");
}

#[test]
fn check_says_ok_or_where_the_mistake_is() {
    let home = home();
    let path = home.path("config/ghapp/config.toml");
    prints(&home.run(&["config", "check"]), &format!("{}: ok, 1 App, 1 rule\n", path.display()));
    let json = home.run(&["config", "check", "--json"]).json();
    assert_eq!(json, json!({"schema": 1, "path": path, "ok": true, "apps": 1, "rules": 1}));
    home.write("config/ghapp/config.toml", format!("{FILE}acess = \"read\"\n"));
    let wrong = home.run(&["config", "check", "--json"]);
    assert_eq!(wrong.code, 2);
    assert_eq!(
        wrong.json()["error"],
        json!({"line": 14, "column": 1, "message": "unknown key \"acess\"; did you mean \"access\"?"})
    );
    let expected =
        format!("ghapp: error[E32]: {}:14:1 unknown key \"acess\"; did you mean \"access\"?\n", path.display());
    assert_eq!(home.run(&["config", "check"]).stderr, expected);
    let nothing = Home::new();
    let path = nothing.path("config/ghapp/config.toml");
    prints(&nothing.run(&["config", "check"]), &format!("{}: not there, so nothing is configured\n", path.display()));
}

#[test]
fn the_example_is_accepted_by_check() {
    let home = Home::new();
    let example = home.run(&["config", "example"]);
    assert_eq!((example.code, example.stderr.as_str()), (0, ""));
    home.write("config/ghapp/config.toml", &example.stdout);
    let ended = home.run(&["config", "check"]);
    assert!(ended.code == 0 && ended.stdout.contains(": ok, 0 Apps, 0 rules"), "{ended:?}");
}

#[test]
fn a_running_agent_reads_what_was_set_and_one_of_another_file_is_named() {
    let home = home();
    let mut mine = status();
    mine["config"] = json!(home.path("config/ghapp/config.toml"));
    let agent = home.agent(vec![mine, json!({"reply": "reloaded"}), status()]);
    let set = home.run(&["config", "set", "agent.min_ttl", "9m"]);
    assert!(set.stdout.ends_with("; the agent has read it\n"), "{set:?}");
    let other = home.run(&["config", "set", "agent.min_ttl", "8m"]);
    assert!(other.stdout.ends_with("; an agent that starts reads it\n"), "{other:?}");
    assert_eq!(other.stderr, "ghapp: the running agent uses /home/mona/config.toml\n");
    let calls: Vec<_> = agent.asked().iter().map(|call| call["call"].clone()).collect();
    assert_eq!(calls, ["status", "reload", "status"]);
}

#[test]
fn changes_at_the_same_time_are_all_there_in_the_end() {
    let home = home();
    let values = [
        ("agent.idle_exit", "1h"),
        ("agent.lock_after", "2h"),
        ("app.acme-bot.slug", "bot"),
        ("rule.1.access", "read"),
    ];
    for _ in 0..5 {
        home.write("config/ghapp/config.toml", FILE);
        thread::scope(|scope| {
            for (key, value) in values {
                let home = &home;
                scope.spawn(move || {
                    // A command that loses three times in a row says so, and can be run again.
                    let tried = || home.run(&["config", "set", key, value]);
                    eventually(&format!("{key} is set"), || Some(tried()).filter(|set| set.code != 1));
                });
            }
        });
        for (key, value) in values {
            prints(&home.run(&["config", "get", key]), &format!("{value}\n"));
        }
    }
}
