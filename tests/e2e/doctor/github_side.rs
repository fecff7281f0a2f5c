//! The way to GitHub, the App there, its installations, and one repository.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use ghapp_tests::Desk;
use ghapp_tests::github::{Endpoint, Fault, Selection};
use ghapp_tests::keyring::{self, Keyring};
use jiff::SignedDuration;

use super::{edit_config, healthy, visit, visit_with, wire};

/// Changes where the agent looks for GitHub, and lets it read that.
fn reconfigure(desk: &Desk, before: &str, after: &str) {
    edit_config(desk, before, after);
    desk.ghapp(["agent", "reload"]).ok();
}

#[test]
fn a_proxy_that_wants_a_password() {
    if !keyring::available() {
        return;
    }
    let mut desk = Desk::new();
    let _keyring = Keyring::start(&mut desk);
    desk.log_in("keyring").ok();
    wire(&desk);
    desk.stop_agent();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            drop(stream.read(&mut [0; 4096]));
            drop(stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    desk.set_env("HTTPS_PROXY", format!("http://mona:canary@{address}"));
    let visited = visit(&desk);
    visited.sees("proxy", "fail");
    assert_eq!((visited.code, visited.state("network"), visited.state("app")), (8, "skip", "skip"));
    assert!(!visited.output.stdout().contains("canary"));
}

#[test]
fn a_host_that_cannot_be_reached_or_is_out_of_order() {
    let desk = healthy();
    desk.github.fault(Endpoint::Meta, Fault::bad_gateway(), 1);
    let visited = visit(&desk);
    visited.sees("network", "fail");
    assert_eq!((visited.code, visited.state("tls")), (8, "skip"));

    reconfigure(&desk, "name = \"acme-bot\"", "name = \"acme-bot\"\napi_url = \"https://127.0.0.1:1/api/v3\"");
    let visited = visit(&desk);
    let (detail, _) = visited.sees("network", "fail");
    assert!(detail.contains("cannot reach 127.0.0.1:1"), "{detail}");
    assert_eq!((visited.code, visited.state("app"), visited.state("repository")), (8, "skip", "skip"));
}

#[test]
fn a_certificate_that_nobody_vouches_for() {
    let desk = healthy();
    let line = format!("ca_file = \"{}\"\n", desk.github.ca_file().display());
    reconfigure(&desk, &line, "");
    let visited = visit(&desk);
    let (_, fix) = visited.sees("tls", "fail");
    assert!(fix.contains("--ca-file"), "{fix}");
    assert_eq!((visited.code, visited.state("app")), (8, "skip"));
}

#[test]
fn a_clock_that_is_wrong() {
    let desk = healthy();
    desk.github.clock_ahead(SignedDuration::from_secs(94));
    let visited = visit(&desk);
    let (detail, fix) = visited.sees("clock", "warn");
    let seconds: u64 = detail.split(' ').find_map(|word| word.parse().ok()).unwrap();
    // A slow machine makes it less.
    assert!((31..=94).contains(&seconds) && detail.ends_with("s behind GitHub's"), "{detail}");
    assert_eq!((visited.code, fix.as_str()), (0, "timedatectl set-ntp true"));
    assert_eq!(visited.state("app"), "ok", "the agent makes up for it");
    desk.github.clock_ahead(SignedDuration::from_secs(0));
    visit(&desk).is_well();
}

#[test]
fn a_key_that_was_deleted_at_github() {
    let desk = healthy();
    visit(&desk).is_well();
    let other = desk.github.add_key(&desk.app);
    desk.github.remove_key(&desk.app, desk.app.pem());
    let visited = visit(&desk);
    let (_, fix) = visited.sees("app", "fail");
    assert!(fix.contains(desk.app.fingerprint()), "{fix}");
    assert_eq!((visited.code, visited.state("installations")), (7, "skip"));
    drop(other);
}

#[test]
fn an_app_that_is_suspended_or_installed_nowhere() {
    let desk = healthy();
    desk.github.suspend(desk.installation);
    let visited = visit(&desk);
    let (detail, fix) = visited.sees("installations", "fail");
    assert_eq!(detail, "the installation of acme-bot on acme is suspended");
    assert!(fix.ends_with(&format!("/settings/installations/{}", desk.installation)), "{fix}");
    assert_eq!((visited.code, visited.state("repository")), (7, "skip"));

    desk.github.uninstall(desk.installation);
    let visited = visit(&desk);
    let (_, fix) = visited.sees("installations", "fail");
    assert!(fix.ends_with("/acme-bot/installations/new"), "{fix}");
    assert_eq!(visited.code, 9);
}

#[test]
fn one_suspended_installation_of_two_matters_only_to_its_repositories() {
    let desk = healthy();
    let other =
        desk.github.install(&desk.app, "octo", Selection::All, &[("contents", "write"), ("workflows", "write")]);
    desk.github.suspend(other);
    visit_with(&desk, ".", &[]).sees("installations", "warn");
    visit(&desk).is_well();
}

#[test]
fn a_permission_that_is_not_granted() {
    let desk = healthy();
    desk.github.grant(desk.installation, &[("contents", "read")]);
    let visited = visit(&desk);
    let (detail, _) = visited.sees("permissions", "warn");
    assert!(detail.contains("a push will be refused"), "{detail}");
    assert_eq!((visited.code, visited.state("token")), (0, "ok"));

    desk.github.grant(desk.installation, &[("issues", "write")]);
    let visited = visit(&desk);
    let (_, fix) = visited.sees("permissions", "fail");
    assert!(fix.contains("an owner of acme approves: https://"), "{fix}");
    assert_eq!((visited.code, visited.state("repository")), (7, "skip"));
}

#[test]
fn a_repository_outside_the_installation_and_one_that_a_rule_denies() {
    let desk = healthy();
    desk.github.select(desk.installation, Selection::selected(&["api"]));
    let visited = visit(&desk);
    let (detail, fix) = visited.sees("repository", "fail");
    assert!(detail.contains("does not include acme/web"), "{detail}");
    assert!(fix.contains(&desk.installation.to_string()), "{fix}");
    assert_eq!((visited.code, visited.state("token")), (9, "skip"));
    visit_with(&desk, ".", &["acme/api"]).is_well();

    desk.configure(&format!("\n[[rule]]\nmatch = \"{}/acme/api\"\ndeny = true\n", desk.github.host())).ok();
    let visited = visit_with(&desk, ".", &["acme/api"]);
    visited.sees("repository", "fail");
    assert_eq!(visited.code, 1);
}

#[test]
fn a_token_that_git_does_not_get_although_all_looks_well() {
    let desk = healthy();
    desk.github.fault(Endpoint::Mint, Fault::message(403, "Although you appear to have the correct authorization"), 9);
    let visited = visit(&desk);
    let (detail, fix) = visited.sees("token", "fail");
    assert!(detail.contains("git got no token: "), "{detail}");
    assert!(fix.starts_with("GHAPP_TRACE=1 git ls-remote https://"), "{fix}");
    assert_eq!(visited.code, 1);
}
