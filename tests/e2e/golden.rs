//! What each command of `ghapp` prints, word by word: `golden/NAME.txt` is about `ghapp NAME`, and `golden/flags.txt` has all `--help`.
//!
//! After a change that is meant, write them anew with `UPDATE_GOLDEN=1 cargo test -p ghapp-tests --test e2e golden`, and read the
//! difference: it is what a user or a script will notice.
//!
//! What differs from run to run is replaced by its name in brackets, and nothing else is. The name may have another length, so that
//! in these files a column may not be below its heading.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::BTreeSet;
use std::fs;

use ghapp_tests::Desk;
use ghapp_tests::golden::{Golden, directory};

/// The commands that `ghapp ARGUMENTS --help` lists.
fn commands(desk: &Desk, arguments: &[&str]) -> Vec<String> {
    let help = desk.ghapp(arguments.iter().copied().chain(["--help"])).ok().stdout();
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    // A name is two columns from the left; its explanation stands further to the right.
    let rows = list.lines().take_while(|line| !line.is_empty());
    let names = rows.filter_map(|row| row.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    names.map(|name| name.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn every_command_has_a_file_with_a_run_of_each_of_its_subcommands() {
    let desk = Desk::new();
    let top = commands(&desk, &[]);
    assert!(top.len() > 20, "{top:?}");
    for command in &top {
        let file = directory().join(command).with_extension("txt");
        let golden = fs::read_to_string(&file).unwrap_or_else(|_| panic!("there is no golden/{command}.txt"));
        let inner = commands(&desk, &[command]);
        for name in if inner.is_empty() {
            vec![command.clone()]
        } else {
            inner.iter().map(|name| format!("{command} {name}")).collect()
        } {
            let runs = golden.lines().filter_map(|line| line.strip_prefix("$ ghapp ")?.strip_prefix(&name));
            let ran = runs.into_iter().any(|rest| rest.is_empty() || rest.starts_with(' '));
            assert!(ran, "golden/{command}.txt has no run of ghapp {name}");
        }
    }
    // No file is left of a command that was removed.
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<_> = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let expected = top.into_iter().chain(["flags".to_owned()]).collect();
    assert_eq!(files, expected);
}

#[test]
fn flags() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "flags");
    golden.run(&["--help"]);
    for command in commands(&desk, &[]) {
        golden.run(&[&command, "--help"]);
        for inner in commands(&desk, &[&command]) {
            golden.run(&[&command, &inner, "--help"]);
        }
    }
    golden.check();
}

#[test]
fn help() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "help");
    golden.run(&["help"]).run(&["help", "errors"]).run(&["help", "exit-codes"]).run(&["help", "E08"]);
    golden.run(&["help", "leases"]).run(&["help", "nonsense"]).run(&["help", "E99"]);
    // Errors before any command is reached.
    golden.run(&["--version"]).run(&[]).run(&["nonsense"]).run(&["statsu"]).run(&["status", "--nonsense"]);
    golden.run(&["status", "--color", "sometimes"]).check();
}

#[test]
fn login() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "login");
    let flags = desk.login_flags(&desk.app, "memory");
    let with = |first: &[&'static str]| {
        let flags = flags.iter().map(String::as_str);
        ["login", "--pem", "-"]
            .into_iter()
            .chain(flags)
            .chain(first.iter().copied())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut run = |more: &[&'static str], pem: &str| {
        let arguments = with(more);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        golden.run_with(&arguments, pem, |_| {});
    };
    run(&[], desk.app.pem());
    run(&[], desk.app.pem());
    run(&["--quiet"], desk.app.pem());
    run(&["--name", "other"], desk.app.pem());
    run(&[], "not a key\n");
    golden.run(&["login"]).run(&["login", "--no-input", "--pem", "-"]);
    golden.run(&["login", "--pem", "nowhere.pem", "--app-id", "1"]).check();
}

#[test]
fn logout() {
    let desk = Desk::ready();
    desk.token("acme/web");
    let mut golden = Golden::of(&desk, "logout");
    golden.run(&["logout", "nobody"]).run(&["logout"]).run(&["logout"]).check();
}

#[test]
fn setup_git() {
    let desk = Desk::new();
    desk.log_in("memory").ok();
    let mut golden = Golden::of(&desk, "setup-git");
    golden.run(&["setup-git", "--print"]).run(&["setup-git", "--print", "--absolute"]);
    golden.run(&["setup-git", "--print", "--owner", "acme", "--ssh-remotes", "--identity"]);
    golden.run(&["setup-git"]).run(&["setup-git"]).run(&["setup-git", "--remove"]).run(&["setup-git", "--remove"]);
    golden.run(&["setup-git", "--local"]).check();
}

#[test]
fn status() {
    let mut fresh = Desk::new();
    fresh.set_env("GHAPP_NO_AUTOSTART", "1");
    let mut golden = Golden::of(&fresh, "status");
    golden.both(&["status"]).run(&["status", "--check"]);
    let before = golden.redacted();

    let desk = Desk::ready();
    desk.token("acme/web");
    let mut golden = Golden::of(&desk, "status");
    golden.text = before;
    golden.both(&["status"]).run(&["status", "--check"]).run(&["status", "--color", "always"]);
    let no_color = golden.outcome(&["status", "--color", "auto"], "", |command| {
        command.env("NO_COLOR", "1");
    });
    golden.record("NO_COLOR=1 ghapp status --color auto", &no_color, &no_color.stdout());
    desk.ghapp(["lock"]).ok();
    golden.both(&["status"]).run(&["status", "--check", "--color", "always"]).check();
}

#[test]
fn which() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "which");
    golden
        .both(&["which", "acme/web"])
        .both(&["which", "globex/site"])
        .both(&["which", "https://elsewhere.example/o/r"]);
    golden.run(&["which", "."]).run(&["which", "no repository"]).check();
}

#[test]
fn doctor() {
    let mut fresh = Desk::new();
    fresh.set_env("GHAPP_NO_AUTOSTART", "1");
    let mut golden = Golden::of(&fresh, "doctor");
    golden.both(&["doctor"]);
    let before = golden.redacted();

    let desk = Desk::new();
    desk.log_in("memory").ok();
    desk.ghapp(["setup-git", "--absolute"]).ok();
    let mut golden = Golden::of(&desk, "doctor");
    golden.text = before;
    golden.both(&["doctor", "acme/web"]).run(&["doctor", "--color", "always"]).run(&["doctor", "globex/site"]).check();
}

#[test]
fn token() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "token");
    golden.both(&["token", "acme/web"]).both(&["token", "acme/web", "--header"]);
    golden.run(&["token", "acme/web", "--permissions", "contents=read", "--json"]);
    golden.run(&["token", "globex/site"]).run(&["token"]).run(&["token", "acme/web", "--permissions", "x"]).check();
}

#[test]
fn exec() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "exec");
    golden.run(&["exec", "acme/web", "--", "true"]).run(&["exec", "acme/web", "--", "sh", "-c", "exit 3"]);
    golden.run(&["exec", "acme/web", "--", "./nonsense"]).run(&["exec", "globex/site", "--", "true"]).run(&["exec"]);
    golden.check();
}

#[test]
fn leases() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "leases");
    golden.both(&["leases"]);
    desk.ghapp(["token", "acme/web"]).ok();
    desk.ghapp(["token", "acme/api", "--permissions", "contents=read"]).ok();
    golden.both(&["leases"]).run(&["leases", "--color", "always"]).check();
}

#[test]
fn revoke() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "revoke");
    for repository in ["acme/web", "acme/api"] {
        desk.ghapp(["token", repository]).ok();
    }
    golden.run(&["revoke"]).run(&["revoke", "L9"]).run(&["revoke", "L1"]).run(&["revoke", "--all", "--json"]);
    golden.both(&["revoke", "--all"]).check();
}

#[test]
fn lock_and_unlock() {
    let desk = Desk::ready();
    desk.ghapp(["token", "acme/web"]).ok();
    let mut golden = Golden::of(&desk, "lock");
    golden.run(&["lock", "--revoke"]).run(&["lock"]).run(&["token", "acme/web"]).check();

    let mut golden = Golden::of(&desk, "unlock");
    golden.run(&["unlock"]).run(&["unlock"]).run(&["token", "acme/web"]).check();
}

#[test]
fn logs() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "logs");
    desk.ghapp(["token", "acme/web"]).ok();
    desk.ghapp(["token", "globex/site"]).failed();
    desk.ghapp(["revoke", "--all"]).ok();
    desk.stop_agent(); // everything is written
    golden.both(&["logs"]).run(&["logs", "--since", "2999-01-01T00:00:00Z"]).run(&["logs", "--since", "soon"]).check();
}

#[test]
fn apps() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "apps");
    golden.both(&["apps"]);
    desk.log_in("memory").ok();
    golden.both(&["apps"]).run(&["apps", "--refresh"]).run(&["apps", "--app", "nobody"]).check();
}

#[test]
fn installations() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "installations");
    golden.both(&["installations"]).both(&["installations", "--refresh"]);
    desk.github.suspend(desk.installation);
    golden.both(&["installations", "--refresh"]).check();
}

#[test]
fn repos() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "repos");
    golden.both(&["repos"]);
    desk.github.suspend(desk.installation);
    golden.both(&["repos", "--refresh"]).check();
}

#[test]
fn key() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "key");
    golden.both(&["key", "list"]).both(&["key", "verify"]).run(&["key", "verify", "SHA256:nonsense"]);
    golden.run(&["key", "remove", desk.app.fingerprint()]);
    let (second, third) = (desk.github.add_key(&desk.app), desk.github.add_key(&desk.app));
    golden.run_with(&["key", "add", "--pem", "-"], &second, |_| {}).run(&["key", "list"]);
    golden.run_with(&["key", "rotate", "--pem", "-"], &third, |_| {}).run(&["key", "list"]);
    desk.github.remove_key(&desk.app, desk.app.pem());
    golden.both(&["key", "verify"]).run(&["key", "remove", desk.app.fingerprint()]).both(&["key", "list"]).check();
}

#[test]
fn identity() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "identity");
    golden.both(&["identity"]).run(&["identity", "--write", "global"]).run(&["identity", "--write", "global"]);
    golden.run(&["identity", "--app", "nobody"]).check();
}

#[test]
fn agent() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "agent");
    golden.both(&["agent", "status"]).run(&["agent", "stop"]).run(&["agent", "reload"]);
    golden.run(&["agent", "start"]).run(&["agent", "start"]).both(&["agent", "status"]).both(&["agent", "env", "--sh"]);
    golden.run(&["agent", "restart"]).run(&["agent", "run", "true"]);
    desk.log_in("memory").ok();
    golden.run(&["agent", "reload"]).both(&["agent", "exposed"]);
    golden.run(&["agent", "expose", "--repo", "acme/web", "--label", "box", "--ttl", "30m"]);
    golden.run(&[
        "agent",
        "expose",
        "--repo",
        "acme/api",
        "--permissions",
        "contents=read",
        "--label",
        "read",
        "--json",
    ]);
    golden
        .both(&["agent", "exposed"])
        .run(&["agent", "expose", "--repo", "globex/site"])
        .run(&["agent", "unexpose", "nobody"]);
    golden.run(&["agent", "unexpose", "box"]).run(&["agent", "stop"]).run(&["agent", "stop", "--revoke"]).check();
}

#[test]
fn config() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "config");
    golden.both(&["config", "path"]).both(&["config", "check"]).both(&["config", "get", "agent.min_ttl"]);
    golden.run(&["config", "get", "app.acme-bot.store"]).run(&["config", "get", "agent.min_tll"]);
    golden.both(&["config", "set", "agent.min_ttl", "15m"]).run(&["config", "get", "agent.min_ttl"]);
    golden.run(&["config", "set", "agent.min_ttl", "soon"]).both(&["config", "set", "agent.min_ttl", "--unset"]);
    golden.run(&["config", "example"]);
    let good = fs::read_to_string(desk.config_file()).unwrap();
    fs::write(desk.config_file(), format!("{good}\n[agent]\nmin_tll = \"1m\"\n")).unwrap();
    golden.both(&["config", "check"]).check();
}

#[test]
fn completion() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "completion");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        golden.run_for_first_line(&["completion", shell]);
    }
    golden.run(&["completion", "tcsh"]).run(&["completion"]).check();
}

#[test]
fn man() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "man");
    golden.run(&["man", "--dir", "pages"]).run(&["man"]).check();
}
