//! Hosts: a GitHub Enterprise Server with a private CA and a port, and several hosts at once.

use ghapp_tests::desk::GIT_PERMISSIONS;
use ghapp_tests::github::{AccountKind, Selection};
use ghapp_tests::process;
use ghapp_tests::{Desk, GitHub, binary};

#[test]
fn two_hosts_each_have_their_app_and_their_ca() {
    let desk = Desk::ready();
    let other = GitHub::start();
    other.create_account("acme", AccountKind::Organization);
    let app = other.create_app("acme-bot", "acme");
    other.create_repository("acme/web");
    other.install(&app, "acme", Selection::All, GIT_PERMISSIONS);
    desk.trust_in_git(&other);
    let mut command = desk.command(binary("ghapp"));
    command.args(["login", "--pem", "-", "--app-id", &app.app_id.to_string(), "--host", other.host()]);
    command.args(["--name", "acme-ghes", "--store", "memory", "--ca-file"]).arg(other.ca_file());
    process::run(&mut command, app.pem().as_bytes()).ok();
    desk.ghapp(["setup-git", "--host", other.host()]).ok();

    desk.git(["clone", "--quiet", &desk.github.clone_url("acme/web"), "one"]).ok();
    desk.git(["clone", "--quiet", &other.clone_url("acme/web"), "two"]).ok();
    assert_eq!((desk.github.mints().len(), other.mints().len()), (1, 1));
    assert_ne!(desk.github.mints()[0].token, other.mints()[0].token);
}

#[test]
fn an_api_elsewhere_is_used_when_it_is_named() {
    let desk = Desk::new();
    // The host that git uses has no API under its own name here: every call goes to the host that was named.
    let mut command = desk.command(binary("ghapp"));
    command.args(["login", "--pem", "-", "--app-id", &desk.app.app_id.to_string(), "--host", "git.example"]);
    command.args(["--api-url", &desk.github.api_url(), "--store", "memory", "--ca-file"]).arg(desk.github.ca_file());
    process::run(&mut command, desk.app.pem().as_bytes()).ok();
    let request = "protocol=https\nhost=git.example\npath=acme/web.git\n\n";
    let answer = process::run(desk.command(binary("git-credential-ghapp")).arg("get"), request.as_bytes());
    assert!(answer.ok().stdout().contains("password="));
}

#[test]
fn an_api_without_encryption_is_refused() {
    let desk = Desk::new();
    let mut command = desk.command(binary("ghapp"));
    command.args(["login", "--pem", "-", "--app-id", "1", "--api-url", "http://localhost/api/v3", "--store", "memory"]);
    let outcome = process::run(&mut command, desk.app.pem().as_bytes());
    outcome.failed().stderr_contains("https://");
}
