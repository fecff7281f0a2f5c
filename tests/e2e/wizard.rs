//! `ghapp login` on a terminal asks for what is missing; without one, or when asking is forbidden, it names the flag.

use std::fs;
use std::process::Command;

use ghapp_tests::keyring::{self, Keyring};
use ghapp_tests::process;
use ghapp_tests::terminal::Terminal;
use ghapp_tests::{Desk, binary};

/// A desk that trusts its GitHub's certificate, so that the wizard need not ask for it.
fn desk() -> Desk {
    let mut desk = Desk::new();
    let ca = fs::read(desk.github.ca_file()).expect("it is there");
    let bundle = desk.path("trusted.pem");
    fs::write(&bundle, ca).expect("the sandbox is writable");
    desk.set_env("SSL_CERT_FILE", bundle);
    desk
}

fn login(desk: &Desk, options: &[&str]) -> Command {
    let mut command = desk.command(binary("ghapp"));
    command.arg("login").args(options);
    command
}

#[test]
fn a_person_is_asked_from_the_host_to_the_key_that_can_go() {
    let desk = desk();
    let downloads = desk.home().join("Downloads");
    fs::create_dir(&downloads).unwrap();
    let key = downloads.join("acme-bot.2026-01-01.private-key.pem");
    fs::write(&key, desk.app.pem()).unwrap();
    let mut terminal = Terminal::start(&mut login(&desk, &[]));
    terminal.expect("1  Create a new App on GitHub");
    terminal.expect("What shall git act as?");
    terminal.answer("3");
    terminal.expect("a number from 1 to 2");
    terminal.answer("\u{8}2");
    terminal.expect("Host");
    terminal.answer(desk.github.host());
    terminal.expect("acme-bot.2026-01-01.private-key.pem");
    terminal.expect("Which key?");
    terminal.answer("1");
    terminal.expect("App ID or client ID");
    terminal.answer(&desk.app.app_id.to_string());
    terminal.expect("Where shall its key be kept?");
    terminal.answer("2");
    terminal.expect("Accepted   acme-bot");
    terminal.expect("Let git use acme-bot for");
    terminal.answer("y");
    terminal.expect("helper = (reset), ghapp");
    let (status, shown) = terminal.end();
    assert!(status.success(), "{shown}");
    assert!(key.exists() && !shown.contains("Delete the plain key"), "{shown}");
    desk.clone("acme/web").ok();
}

#[test]
fn only_what_is_missing_is_asked_for() {
    let desk = desk();
    fs::write(desk.home().join("my key.pem"), desk.app.pem()).unwrap();
    let id = desk.app.app_id.to_string();
    let host = desk.github.host();
    let options = ["--app-id", &id, "--host", host, "--store", "memory", "--no-setup-git"];
    let mut terminal = Terminal::start(&mut login(&desk, &options));
    terminal.expect("File with the App's private key");
    terminal.answer("~/my key.pem");
    let (status, shown) = terminal.end();
    assert!(status.success(), "{shown}");
    assert!(!shown.contains("Let git use") && shown.contains("next: ghapp setup-git"), "{shown}");
    assert!(desk.git(["config", "--global", "--get-regexp", "^credential"]).stdout().is_empty());
}

#[test]
fn creating_an_app_is_one_of_the_answers() {
    let desk = desk();
    let mut terminal = Terminal::start(&mut login(&desk, &[]));
    terminal.expect("What shall git act as?");
    terminal.answer("");
    terminal.expect("Host");
    terminal.answer(desk.github.host());
    terminal.expect("Organization");
    terminal.answer("acme");
    terminal.expect("Where shall its key be kept?");
    terminal.answer("2");
    terminal.expect("http://127.0.0.1:");
    terminal.expect("waiting for the browser");
}

#[test]
fn nobody_is_asked_who_does_not_want_to_be() {
    let desk = desk();
    let mut terminal = Terminal::start(&mut login(&desk, &["--no-input"]));
    terminal.expect("error[E46]");
    terminal.expect("--pem FILE");
    assert_eq!(terminal.end().0.code(), Some(2));
    let host = desk.github.host();
    let mut terminal = Terminal::start(&mut login(&desk, &["--pem", "app.pem", "--host", host, "--no-input"]));
    terminal.expect("--app-id N or --client-id ID");
    assert_eq!(terminal.end().0.code(), Some(2));
    // Without a terminal it is the same.
    let output = process::run(&mut login(&desk, &[]), b"1\n");
    output.failed().stderr_contains("error[E46]").stderr_contains("--pem FILE");
    assert_eq!(output.status.code(), Some(2));
    assert!(desk.agent().is_none(), "no command needed one");
}

#[test]
fn a_key_that_the_keyring_has_may_go_from_the_downloads() {
    if !keyring::available() {
        return;
    }
    let mut desk = desk();
    let _keyring = Keyring::start(&mut desk);
    for (answer, stays) in [("n", true), ("", false)] {
        let key = desk.home().join("acme-bot.private-key.pem");
        fs::write(&key, desk.app.pem()).unwrap();
        let (id, host) = (desk.app.app_id.to_string(), desk.github.host());
        let options = ["--pem", key.to_str().unwrap(), "--app-id", &id, "--host", host];
        let mut terminal = Terminal::start(&mut login(&desk, &options));
        terminal.expect("Let git use");
        terminal.answer("no");
        terminal.expect("Delete the plain key in");
        terminal.answer(answer);
        assert!(terminal.end().0.success());
        assert_eq!(key.exists(), stays);
    }
    desk.set_up_git();
    desk.token("acme/web");
}
