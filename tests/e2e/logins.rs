//! Adding Apps and forgetting them: all or nothing, also when two people do it at once or the keyring answers late.

use std::fs;
use std::thread;

use ghapp_tests::desk::GIT_PERMISSIONS;
use ghapp_tests::github::{AccountKind, App, Endpoint, Selection};
use ghapp_tests::keyring::{self, Keyring};
use ghapp_tests::process::{self, Output, Running};
use ghapp_tests::{Desk, binary};
use rustix::process::{Signal, kill_process};
use serde_json::json;

/// A desk without any login, with a second App on a second organization.
fn desk_with_two_apps() -> (Desk, App) {
    let desk = Desk::new();
    desk.github.create_account("octo", AccountKind::Organization);
    desk.github.create_repository("octo/lib");
    let other = desk.github.create_app("octo-bot", "octo");
    desk.github.install(&other, "octo", Selection::All, GIT_PERMISSIONS);
    (desk, other)
}

/// A login with the desk's key and some more options.
fn log_in_with(desk: &Desk, options: &[&str]) -> Output {
    let id = desk.app.app_id.to_string();
    let mut command = desk.command(binary("ghapp"));
    command.args(["login", "--app-id", &id, "--host", desk.github.host(), "--ca-file"]).arg(desk.github.ca_file());
    process::run(command.args(options), desk.app.pem().as_bytes())
}

fn names(desk: &Desk) -> Vec<String> {
    let apps = desk.ghapp_json(["apps"]);
    let apps = apps["apps"].as_array().expect("a list").iter();
    let mut names: Vec<_> = apps.map(|app| app["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn two_logins_at_once_both_count() {
    let (desk, other) = desk_with_two_apps();
    let hold = desk.github.hold(Endpoint::AppGet);
    thread::scope(|scope| {
        let logins = [&desk.app, &other].map(|app| scope.spawn(|| desk.log_in_as(app, "memory")));
        desk.github.wait_until(|calls| calls.of(Endpoint::AppGet) == 2);
        hold.release();
        for login in logins {
            login.join().unwrap().ok();
        }
    });
    assert_eq!(names(&desk), ["acme-bot", "octo-bot"]);
    let written = fs::read_to_string(desk.config_file()).unwrap();
    assert_eq!(written.matches("[[app]]").count(), 2, "{written}");
    desk.set_up_git();
    desk.token("acme/web");
    desk.token("octo/lib");
}

#[test]
fn a_login_during_a_logout_is_not_undone_by_it() {
    let (desk, other) = desk_with_two_apps();
    desk.log_in("memory").ok();
    desk.set_up_git();
    desk.token("acme/web");
    let hold = desk.github.hold(Endpoint::Revoke);
    thread::scope(|scope| {
        let logout = scope.spawn(|| desk.ghapp(["logout", "acme-bot"]));
        desk.github.wait_until(|calls| calls.of(Endpoint::Revoke) == 1);
        desk.log_in_as(&other, "memory").ok();
        hold.release();
        logout.join().unwrap().ok();
    });
    assert_eq!(names(&desk), ["octo-bot"]);
    assert!(!fs::read_to_string(desk.config_file()).unwrap().contains("acme-bot"));
}

#[test]
fn a_key_that_the_keyring_took_too_late_is_taken_back() {
    if !keyring::available() {
        return;
    }
    let mut desk = Desk::new();
    let keyring = Keyring::start(&mut desk);
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground"));
    agent.wait_for_line("listening");
    kill_process(keyring.pid(), Signal::STOP).unwrap();
    desk.log_in("keyring").failed().stderr_contains("error[E36]");
    kill_process(keyring.pid(), Signal::CONT).unwrap();
    agent.wait_for_line("a key that was saved too late was taken back");
    let found = process::run(desk.command("secret-tool").args(["search", "--all", "service", "ghapp"]), b"");
    assert!(!found.stdout().contains("ghapp"), "{}", found.stdout());
    assert!(!desk.config_file().exists());
}

#[test]
fn a_logout_that_cannot_write_its_file_changes_nothing() {
    let desk = Desk::ready();
    let token = desk.token("acme/web");
    let directory = desk.config_file().parent().unwrap().to_owned();
    let aside = directory.with_file_name("aside");
    fs::rename(&directory, &aside).unwrap();
    // A directory that is a link to nowhere can be read as empty, and not be written, not even by root.
    std::os::unix::fs::symlink(desk.path("nowhere/at/all"), &directory).unwrap();
    desk.ghapp(["logout", "acme-bot"]).failed().stderr_contains("error[E45]").stderr_contains("nothing was changed");
    fs::remove_file(&directory).unwrap();
    fs::rename(&aside, &directory).unwrap();
    assert_eq!(desk.token("acme/web"), token);
    desk.token("acme/api"); // the key is there as well
    assert_eq!(desk.github.calls().of(Endpoint::Revoke), 0);
}

#[test]
fn an_app_has_one_name_and_its_key_stays_as_long_as_an_entry_needs_it() {
    let desk = Desk::ready();
    let second = log_in_with(&desk, &["--pem", "-", "--store", "memory", "--name", "other"]);
    second.failed().stderr_contains("error[E42]").stderr_contains("configured already, as acme-bot");
    assert_eq!(names(&desk), ["acme-bot"]);
    // An entry that is written by hand can share the key of another.
    let entry = fs::read_to_string(desk.config_file()).unwrap().replace("\"acme-bot\"", "\"twin\"");
    desk.configure(&format!("\n{entry}")).ok();
    desk.ghapp(["logout", "twin"]).ok();
    desk.token("acme/web");
    desk.ghapp(["logout", "acme-bot"]).ok().stdout();
    assert_eq!(desk.ghapp_json(["apps"])["apps"], json!([]));
}

#[test]
fn logging_in_again_keeps_the_name_that_was_chosen() {
    let desk = Desk::new();
    log_in_with(&desk, &["--pem", "-", "--store", "memory", "--name", "mine"]).ok();
    log_in_with(&desk, &["--pem", "-", "--store", "memory"]).ok();
    assert_eq!(names(&desk), ["mine"]);
}

#[test]
fn the_hint_after_a_lost_memory_key_works_when_it_is_pasted() {
    let desk = Desk::ready();
    desk.stop_agent();
    assert_eq!(desk.fill("acme/web").failed().stderr().matches("run: ghapp login").count(), 1);
    let status = desk.ghapp_json(["status"]);
    assert_eq!(status["apps"][0]["state"], "login_needed");
    assert_eq!(desk.ghapp(["status", "--check"]).status.code(), Some(4));
    let token = desk.ghapp(["token", "acme/web"]);
    let stderr = token.failed().stderr();
    let command = stderr.split_once("run: ").expect("there is a command").1.lines().next().unwrap();
    let pem = desk.path("key.pem");
    fs::write(&pem, desk.app.pem()).unwrap();
    let command = command.replace("FILE", pem.to_str().unwrap());
    process::run(desk.command("sh").args(["-c", &command]), b"").ok();
    desk.token("acme/web");
    assert_eq!(desk.ghapp_json(["status"])["apps"][0]["state"], "ok");
    assert_eq!(names(&desk), ["acme-bot"]);
}

#[test]
fn the_only_lasting_copy_of_a_key_is_not_deleted() {
    let desk = Desk::new();
    let pem = desk.path("key.pem");
    fs::write(&pem, desk.app.pem()).unwrap();
    let pem_name = pem.to_str().unwrap();
    let memory = log_in_with(&desk, &["--pem", pem_name, "--store", "memory", "--delete-pem"]);
    memory.failed().stderr_contains("error[E46]").stderr_contains("the only copy");
    assert!(pem.exists());
    assert!(desk.agent().is_none(), "no agent was asked");
}

#[test]
fn a_broken_file_is_named_as_such_by_every_command() {
    let desk = Desk::ready();
    let good = fs::read_to_string(desk.config_file()).unwrap();
    fs::write(desk.config_file(), format!("{good}\n[[rule]\n")).unwrap();
    let logout = desk.ghapp(["logout", "acme-bot"]);
    logout.failed().stderr_contains("error[E32]").stderr_contains("config.toml:");
    assert!(!logout.stderr().contains("a rule needs"), "{}", logout.stderr());
    desk.stop_agent();
    desk.ghapp(["agent", "start"]).ok();
    let apps = desk.ghapp(["apps"]);
    apps.failed().stderr_contains("error[E32]").stderr_contains("config.toml:");
    assert_eq!(apps.status.code(), Some(2));
}

#[test]
fn a_ca_file_without_an_end_does_not_stop_the_agent() {
    let desk = Desk::new();
    let pipe = desk.path("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    for file in [pipe.to_str().unwrap(), "/dev/zero"] {
        let id = desk.app.app_id.to_string();
        let mut command = desk.command(binary("ghapp"));
        command.args(["login", "--pem", "-", "--app-id", &id, "--host", desk.github.host(), "--ca-file", file]);
        let login = process::run(&mut command, desk.app.pem().as_bytes());
        login.failed().stderr_contains("it is not a regular file");
        assert!(desk.agent().is_some());
    }
}
