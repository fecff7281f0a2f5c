//! The key as a credential of the service manager: read where it is, written nowhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghapp_tests::process::Output;
use ghapp_tests::{Desk, binary, process};
use serde_json::json;

/// Puts a credential where systemd puts it.
fn hand_over(desk: &Desk, name: &str, bytes: &[u8], mode: u32) {
    let path = desk.path("credentials").join(name);
    let _ = fs::remove_file(&path); // it may be read-only
    fs::write(&path, bytes).expect("the sandbox is writable");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
}

/// A desk whose agent is started with a directory of credentials.
fn desk_of_a_service() -> Desk {
    let mut desk = Desk::new();
    let directory = desk.path("credentials");
    fs::create_dir(&directory).expect("the sandbox is writable");
    desk.set_env("CREDENTIALS_DIRECTORY", directory);
    desk
}

fn log_in(desk: &Desk, more: &[&str]) -> Output {
    let mut command = desk.command(binary("ghapp"));
    process::run(command.arg("login").args(desk.login_flags(&desk.app, "credentials-dir")).args(more), b"")
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("it is there").flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_key_of_a_credential_is_used_and_nothing_is_written() {
    let desk = desk_of_a_service();
    hand_over(&desk, "ghapp-acme-bot", desk.app.pem().as_bytes(), 0o400);
    hand_over(&desk, "database-password", b"not ours", 0o400);
    let login = log_in(&desk, &[]);
    assert!(login.ok().stdout().contains(&desk.app.fingerprint().to_string()), "{}", login.stdout());
    assert!(login.stdout().contains("nothing was written"), "{}", login.stdout());
    desk.set_up_git();
    desk.clone("acme/web").ok();
    let status = desk.ghapp_json(["status"]);
    assert_eq!(status["store"], json!({"kind": "credentials-dir", "state": "ok"}));
    assert_eq!(status["apps"][0]["state"], "ok");
    // Another agent of the same service.
    desk.kill_agent();
    desk.git_in("web", ["fetch"]).ok();
    desk.ghapp(["lock"]).ok();
    desk.ghapp(["unlock"]).ok();
    desk.git_in("web", ["fetch"]).ok();
    desk.ghapp(["logout"]).ok();
    assert_eq!(names(&desk.path("credentials")), ["database-password", "ghapp-acme-bot"], "it is not ours to delete");
    assert!(desk.key_files().is_empty());
}

#[test]
fn a_credential_may_be_der() {
    let desk = desk_of_a_service();
    let base64: String = desk.app.pem().lines().filter(|line| !line.starts_with('-')).collect();
    hand_over(&desk, "ghapp-build", &STANDARD.decode(base64).unwrap(), 0o440);
    log_in(&desk, &["--name", "build"]).ok();
    assert_eq!(desk.ghapp_json(["status"])["apps"][0]["name"], "build");
    desk.set_up_git();
    desk.token("acme/web");
}

#[test]
fn what_is_missing_and_what_must_not_be_used_are_different_errors_and_nothing_is_configured() {
    let mut desk = desk_of_a_service();
    let refused = |desk: &Desk, more: &[&str], code: i32, words: &str| {
        let login = log_in(desk, more);
        login.failed().stderr_contains(words);
        assert_eq!(login.status.code(), Some(code), "{}", login.stderr());
        assert!(!desk.config_file().exists());
    };
    refused(&desk, &[], 6, "error[E12]: the service manager handed over no credential ghapp-NAME");
    refused(&desk, &["--name", "bot"], 6, "LoadCredentialEncrypted=ghapp-bot:FILE");
    hand_over(&desk, "ghapp-bot", desk.app.pem().as_bytes(), 0o444);
    refused(&desk, &[], 6, "is open to others (mode 0444)");
    hand_over(&desk, "ghapp-bot", b"no key", 0o400);
    refused(&desk, &[], 1, "error[E14]: cannot use the credential ghapp-bot");
    let other = desk.github.create_app("other-bot", "acme");
    hand_over(&desk, "ghapp-bot", other.pem().as_bytes(), 0o400);
    refused(&desk, &[], 7, "error[E15]");
    hand_over(&desk, "ghapp-two", other.pem().as_bytes(), 0o400);
    refused(&desk, &[], 2, "there are credentials for bot, two");
    refused(&desk, &["--pem", "key.pem"], 2, "leave out --pem");
    desk.stop_agent();
    desk.remove_env("CREDENTIALS_DIRECTORY");
    refused(&desk, &["--name", "bot"], 6, "error[E09]");
}

#[test]
fn a_credential_that_is_exchanged_or_gone_is_noticed() {
    let desk = desk_of_a_service();
    hand_over(&desk, "ghapp-acme-bot", desk.app.pem().as_bytes(), 0o400);
    log_in(&desk, &[]).ok();
    desk.set_up_git();
    desk.claim();
    let other = desk.github.create_app("other-bot", "acme");
    hand_over(&desk, "ghapp-acme-bot", other.pem().as_bytes(), 0o400);
    desk.ghapp(["agent", "reload"]).ok();
    desk.fill("acme/web").failed().stderr_contains("is not the key with its fingerprint");
    fs::remove_file(desk.path("credentials/ghapp-acme-bot")).unwrap();
    desk.fill("acme/web").failed().stderr_contains("handed over no credential ghapp-acme-bot");
    assert_eq!(desk.ghapp_json(["status"])["apps"][0]["state"], "key_missing");
    hand_over(&desk, "ghapp-acme-bot", desk.app.pem().as_bytes(), 0o400);
    desk.token("acme/web");
}
