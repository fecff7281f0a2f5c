//! `docs/first-run.md` shows what a first run prints, from nothing to a pushed commit.

use std::process::Command;

use ghapp_tests::Desk;
use ghapp_tests::desk::GIT_PERMISSIONS;
use ghapp_tests::github::{App, Selection};
use ghapp_tests::keyring::{self, Keyring};
use ghapp_tests::process::{self, Running};

use super::browser::Browser;

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/first-run.md");

/// When the commit is made, so that its id is the same every time.
const COMMITTED: &str = "1700000600 +0000";

/// Stands for the port of the page and for the secret in its address.
const PAGE: &str = "http://127.0.0.1:40123/…";

/// Stands for the App's name, whose end is random.
const SLUG: &str = "acme-git-7f3c";

/// A line at a shell, with both streams in one as on a terminal.
fn at_a_shell(desk: &Desk, line: &str) -> Command {
    let mut shell = desk.command("sh");
    shell.args(["-c", &format!("exec 2>&1\n{line}\nexit $?")]);
    shell
}

/// Runs the login, with the parts of the browser and the owner of `acme`. Returns the output, the page and the new App.
fn log_in(desk: &Desk, line: &str) -> (String, String, App) {
    let running = Running::spawn(&mut at_a_shell(desk, line));
    let start = running.wait_for_line("http://127.0.0.1:").trim().to_owned();
    let browser = Browser::new(&desk.github);
    browser.get(&browser.register(&start));
    running.wait_for_line("To stop waiting press Ctrl-C");
    let app = desk.github.registered_apps().pop().expect("GitHub has registered one");
    desk.github.install(&app, "acme", Selection::All, GIT_PERMISSIONS);
    (running.finish().ok().stdout(), start, app)
}

/// The lines as a person types them, and what they print.
fn transcript(desk: &Desk) -> String {
    let host = desk.github.host();
    let login = format!("ghapp login --create --org acme --setup-git --host {host}");
    let (printed, start, app) = log_in(desk, &login);
    let mut transcript = format!("$ {login}\n{printed}");
    for line in [
        format!("git clone https://{host}/acme/web.git"),
        "echo hello > web/hello.txt && git -C web add hello.txt && git -C web commit -m 'Say hello'".into(),
        "git -C web push".into(),
    ] {
        let printed = process::run(&mut at_a_shell(desk, &line), b"").ok().stdout();
        transcript += &["$ ", &line, "\n", &printed].concat();
    }
    transcript.replace(&start, PAGE).replace(host, "github.example").replace(&app.slug, SLUG)
}

#[test]
fn the_kept_transcript_is_what_a_first_run_prints() {
    if !keyring::available() {
        return;
    }
    let mut desk = Desk::new();
    let _keyring = Keyring::start(&mut desk);
    let ca_file = desk.github.ca_file().to_owned();
    desk.set_env("SSL_CERT_FILE", ca_file);
    desk.set_env("GIT_AUTHOR_DATE", COMMITTED);
    desk.set_env("GIT_COMMITTER_DATE", COMMITTED);
    let transcript = transcript(&desk);
    let kept = std::fs::read_to_string(KEPT).expect("it is in docs/");
    assert!(kept.contains(&format!("```console\n{transcript}```\n")), "a first run prints now:\n{transcript}");
}
