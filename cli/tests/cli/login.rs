//! `ghapp login` and `logout`.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ghapp_agent::model::PrivateKey;
use ghapp_agent::signer;
use serde_json::{Value, json};

use crate::support::{Home, app, error, installation, installations, status, status_of};

/// A key made for one test: PEM, base64 of its PKCS#1 DER form, fingerprint.
pub(crate) struct Key {
    pub(crate) pem: String,
    pub(crate) wire: String,
    pub(crate) fingerprint: String,
}

pub(crate) fn new_key() -> Key {
    /// Where the PKCS#1 key begins inside a PKCS#8 one: behind a sequence, a version and an algorithm (RFC 5208).
    const PKCS1_IN_PKCS8: usize = 26;
    let der: Pkcs8V1Der<'_> = KeyPair::generate(KeySize::Rsa2048).unwrap().as_der().unwrap();
    let wire = STANDARD.encode(&der.as_ref()[PKCS1_IN_PKCS8..]);
    let key = PrivateKey::from_der(der.as_ref()[PKCS1_IN_PKCS8..].to_vec().into());
    Key {
        pem: format!("-----BEGIN RSA PRIVATE KEY-----\n{wire}\n-----END RSA PRIVATE KEY-----\n"),
        wire,
        fingerprint: signer::fingerprint(&key).unwrap().to_string(),
    }
}

fn logged_in() -> Value {
    let mut reply = app();
    reply["reply"] = json!("logged_in");
    reply
}

#[test]
fn login_hands_the_key_over_and_says_what_became_of_it() {
    let (home, key) = (Home::new(), new_key());
    home.write("app.pem", &key.pem);
    let agent = home.agent(vec![
        logged_in(),
        status(),
        installations(&[installation(7, "acme")], true),
        installations(&[installation(9, "octo")], false),
    ]);
    let ended = home.run(&["login", "--pem", "app.pem", "--app-id", "123456"]);
    assert_eq!(
        ended.stdout,
        format!(
            "Key        {}\n\
             Accepted   acme-bot (App 123456) on github.com\n\
             Stored     acme-bot in the keyring (secret-service)\n\
             Installed  acme: selected repositories; contents:write metadata:read  (installation 7)\n\
             \u{20}          octo: selected repositories; contents:write metadata:read  (installation 9)\n",
            key.fingerprint
        )
    );
    assert_eq!(
        ended.stderr,
        "           compare it with \"Private keys\" on the App's settings page\n\
         next: ghapp setup-git --host github.com --owner acme --owner octo\n"
    );
    assert_eq!(ended.code, 0);
    assert_eq!(
        agent.asked(),
        [
            json!({"call": "login", "host": "github.com", "app_id": 123_456, "store": "keyring", "key": key.wire}),
            json!({"call": "status"}),
            json!({"call": "installations", "app": "acme-bot", "refresh": true}),
            json!({"call": "installations", "app": "acme-bot", "refresh": false, "after": 7}),
        ]
    );
    assert!(home.path("app.pem").exists(), "nobody asked to delete it");
}

#[test]
fn every_flag_of_login_reaches_the_agent() {
    let (home, key) = (Home::new(), new_key());
    let agent = home.agent(vec![logged_in(), status(), installations(&[], false)]);
    let arguments = [
        "login",
        "--pem",
        "-",
        "--client-id",
        "Iv23x",
        "--host",
        "GHES.corp:8443",
        "--api-url",
        "https://ghes.corp:8443/api/v3/",
        "--ca-file",
        "ca.pem",
        "--name",
        "build",
        "--signer",
        "memory",
        "-q",
    ];
    let ended = home.run_with_stdin(&arguments, key.pem.as_bytes());
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{ended:?}");
    assert_eq!(
        agent.asked()[0],
        json!({
            "call": "login", "name": "build", "host": "ghes.corp:8443", "api_url": "https://ghes.corp:8443/api/v3",
            "ca_file": home.path("ca.pem"), "client_id": "Iv23x", "store": "memory", "key": key.wire,
        })
    );
}

#[test]
fn a_refused_key_ends_login_and_leaves_the_file() {
    let (home, key) = (Home::new(), new_key());
    let file = home.write("app.pem", &key.pem);
    let refused = error("key_refused", "GitHub does not accept the key for App 5", "https://github.com/settings/apps");
    let agent = home.agent(vec![refused]);
    let ended = home.run(&["login", "--pem", "app.pem", "--app-id", "5", "--delete-pem", "--setup-git"]);
    assert_eq!(ended.code, 7);
    assert!(
        ended.stderr.ends_with(
            "ghapp: error[E15]: GitHub does not accept the key for App 5\n\
             ghapp: hint: https://github.com/settings/apps\n"
        ),
        "{}",
        ended.stderr
    );
    assert!(file.exists());
    assert!(!home.path(".gitconfig").exists());
    agent.asked();
}

#[test]
fn login_can_set_git_up_and_delete_the_file() {
    let (home, key) = (Home::new(), new_key());
    let file = home.write("real.pem", &key.pem);
    std::os::unix::fs::symlink(&file, home.path("link.pem")).unwrap();
    let found = installations(&[installation(7, "acme"), installation(9, "Octo")], false);
    let agent = home.agent(vec![logged_in(), status(), found]);
    let ended = home.run(&["login", "--pem", "link.pem", "--app-id", "123456", "--delete-pem", "--setup-git"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    agent.asked();
    assert!(!file.exists() && home.path("link.pem").symlink_metadata().is_err());
    for owner in ["acme", "Octo"] {
        let key = format!("credential.https://github.com/{owner}.helper");
        assert_eq!(home.git(&["config", "--global", "--get-all", &key]).stdout, "\nghapp\n");
    }
    assert_eq!(home.git(&["config", "--global", "credential.https://github.com.helper"]).code, 1);
}

#[test]
fn the_next_step_is_the_last_line_also_behind_a_deletion() {
    let (home, key) = (Home::new(), new_key());
    home.write("app.pem", &key.pem);
    let agent = home.agent(vec![logged_in(), status(), installations(&[installation(7, "acme")], false)]);
    let shown = home.shown(&["login", "--pem", "app.pem", "--app-id", "123456", "--delete-pem"]);
    let end = "Deleted    app.pem\nnext: ghapp setup-git --host github.com --owner acme\n";
    assert!(shown.ends_with(end), "{shown}");
    agent.asked();
}

#[test]
fn an_app_that_is_installed_nowhere_is_not_wired_host_wide() {
    let (home, key) = (Home::new(), new_key());
    home.write("app.pem", &key.pem);
    let agent = home.agent(vec![logged_in(), status(), installations(&[], false)]);
    let ended = home.run(&["login", "--pem", "app.pem", "--app-id", "123456", "--setup-git"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("https://github.com/apps/acme-bot/installations/new"), "{ended:?}");
    assert!(ended.stderr.contains("warning: git is not set up: acme-bot is not installed"), "{ended:?}");
    assert!(!home.path(".gitconfig").exists());
    agent.asked();
}

#[test]
fn a_missing_answer_names_its_flag_and_a_wrong_file_what_it_is() {
    let (home, key) = (Home::new(), new_key());
    home.write("app.pem", &key.pem);
    home.write("cert.pem", "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n");
    home.write("notes.txt", "ssh-rsa canary");
    home.write("large.pem", vec![b'x'; 70_000]);
    for (arguments, code, expected) in [
        (&["--app-id", "1"][..], 2, "error[E46]: login needs the file with the App's private key: --pem FILE"),
        (&["--pem", "app.pem"], 2, "error[E46]: login needs to know which App: --app-id N or --client-id ID"),
        (&["--pem", "missing.pem", "--app-id", "1"], 1, "error[E45]: cannot read missing.pem: No such file"),
        (&["--pem", "cert.pem", "--app-id", "1"], 1, "error[E14]: cannot use cert.pem: it is a certificate"),
        (&["--pem", "notes.txt", "--app-id", "1"], 1, "error[E13]: cannot use notes.txt: it is not a PEM"),
        (&["--pem", "large.pem", "--app-id", "1"], 1, "error[E13]: cannot use large.pem: it is larger than 64 KiB"),
        (&["--pem", "-", "--app-id", "1"], 1, "error[E13]: cannot use standard input: it is not a PEM"),
        (&["--pem", "-", "--app-id", "1", "--delete-pem"], 2, "error[E46]: --delete-pem needs a file"),
        (&["--pem", "app.pem", "--app-id", "1", "--api-url", "http://h"], 2, "error[E46]: --api-url: the API URL must"),
        (&["--pem", key.pem.as_str(), "--app-id", "1"], 2, "error[E46]: there is a key or a token on the command line"),
        (&["--pem", "app.pem", "--app-id", "1", "--client-id", "x"], 2, "cannot be used with"),
        (&["--pem", "app.pem", "--app-id", "1", "--store", "cloud"], 2, "invalid value"),
        (&["--pem", "app.pem", "--app-id", "1", "--signer", "ssh-agent"], 2, "invalid value"),
    ] {
        let arguments = [&["login", "--no-input"], arguments].concat();
        let ended = home.run(&arguments);
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
        assert!(!ended.stderr.contains("canary") && !ended.stderr.contains(&key.wire[..40]), "{}", ended.stderr);
        assert!(ended.stdout.is_empty(), "{ended:?}");
    }
}

#[test]
fn logout_tidies_up_unless_another_app_is_on_the_host() {
    let logged_out = json!({
        "reply": "logged_out", "app": "acme-bot", "host": "github.com", "revoked": 2, "not_revoked": 1, "key_deleted": true,
    });
    for (others, wired) in [(vec![], false), (vec![app()], true)] {
        let home = Home::new();
        home.run(&["setup-git", "--host", "github.com", "--owner", "acme"]);
        home.run(&["setup-git", "--host", "ghes.corp"]);
        let agent = home.agent(vec![logged_out.clone(), status_of(&others)]);
        let ended = home.run(&["logout", "acme-bot"]);
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(ended.stdout.starts_with("removed acme-bot: 2 leases revoked, key deleted\n"), "{ended:?}");
        assert!(ended.stderr.contains("warning: 1 lease could not be revoked"), "{ended:?}");
        assert_eq!(agent.asked()[0], json!({"call": "logout", "app": "acme-bot", "keep_key": false}));
        let helper = |url: &str| home.git(&["config", "--global", "--get-all", &format!("credential.{url}.helper")]);
        assert_eq!(helper("https://github.com/acme").code == 0, wired);
        assert_eq!(helper("https://ghes.corp").code, 0, "another host is none of its business");
    }
}
