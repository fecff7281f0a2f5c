//! No token, no JWT and no key in anything that is written, printed or visible to other processes.

use std::os::unix::fs::MetadataExt;

use ghapp_tests::process;
use ghapp_tests::{Desk, binary};

#[test]
fn nothing_secret_is_logged_printed_or_visible() {
    let mut seen = Vec::new();
    let desk = Desk::new();
    let trace = desk.path("trace.log");
    // At the highest level that there is, for all three programs.
    let run = |program: &str, arguments: &[&str], input: &[u8]| {
        let mut command = desk.command(program);
        command.env("GHAPP_TRACE", &trace).args(arguments);
        process::run(&mut command, input)
    };
    let ghapp = binary("ghapp").display().to_string();
    let id = desk.app.app_id.to_string();
    let ca_file = desk.github.ca_file().display().to_string();
    let login = [
        "login",
        "--pem",
        "-",
        "--app-id",
        &id,
        "--host",
        desk.github.host(),
        "--ca-file",
        &ca_file,
        "--store",
        "memory",
    ];
    let outcomes = [
        run(&ghapp, &login, desk.app.pem().as_bytes()),
        run(&ghapp, &["setup-git", "--host", desk.github.host()], b""),
        run("git", &["clone", &desk.github.clone_url("acme/web")], b""),
        run(&ghapp, &["status"], b""),
        run(&ghapp, &["status", "--json"], b""),
        run(&ghapp, &["leases"], b""),
        run(&ghapp, &["leases", "--json"], b""),
        run(&ghapp, &["-v", "token", "octo/none"], b""),
        run(&ghapp, &["login", "--pem", "-", "--app-id", "1"], b"-----BEGIN RSA PRIVATE KEY-----\ngarbage\n"),
    ];
    for outcome in &outcomes {
        seen.push(outcome.stdout());
        seen.push(outcome.stderr());
    }
    let token = desk.token("acme/web");
    desk.github.revoke_token(&token);
    let failed = run("git", &["-C", "web", "fetch"], b"");
    seen.extend([failed.stdout(), failed.stderr()]);
    let pid = desk.agent().unwrap().pid;
    for file in ["cmdline", "environ"] {
        // Only root may read the environment of a process that made itself undumpable.
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        seen.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    desk.stop_agent();
    for file in [trace, desk.audit_file(), desk.config_file()] {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.is_empty(), "{} would prove nothing", file.display());
        seen.push(text);
    }

    let key_line = desk.app.pem().lines().nth(5).unwrap().to_owned();
    let secrets = [token.as_str(), &token[..24], "ghs_", "eyJ", "PRIVATE KEY-----", &key_line];
    for text in &seen {
        for secret in secrets {
            // The only marker that may be shown is the one in the error about a PEM; it is no part of one.
            assert!(!text.contains(secret), "a secret ({} characters) in: {text}", secret.len());
        }
    }
}

#[test]
fn a_process_of_the_same_user_cannot_dump_the_agent() {
    let desk = Desk::ready();
    let pid = desk.agent().unwrap().pid;
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits"));
    if let Ok(limits) = limits {
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let values: Vec<_> = core.split_whitespace().rev().skip(1).take(2).collect();
        assert_eq!(values, ["0", "0"], "{core}");
    }
    // The kernel gives the files of an undumpable process to root.
    let owner = std::fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid();
    assert_eq!(owner, 0);
}
