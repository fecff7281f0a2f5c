//! The agent, its socket and its configuration; the keys and their stores.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::thread;

use ghapp_protocol::frame;
use ghapp_tests::keyring::{self, Keyring};
use ghapp_tests::{Desk, process};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{edit_config, first_in_path, healthy, install_script, paste, set_mode, visit, visit_with, wire};

#[test]
fn a_socket_directory_that_others_can_enter() {
    let desk = healthy();
    set_mode(&desk.runtime_directory().join("ghapp"), 0o755);
    let visited = visit(&desk);
    let (detail, fix) = visited.sees("socket", "fail");
    assert!(detail.contains("its mode is 0755 instead of 0700"), "{detail}");
    assert_eq!((visited.code, visited.state("agent")), (1, "skip"));
    paste(&desk, ".", &fix);
    visit(&desk).is_well();
}

#[test]
fn an_agent_that_does_not_run_and_may_not_be_started() {
    let mut desk = healthy();
    desk.stop_agent();
    desk.set_env("GHAPP_NO_AUTOSTART", "1");
    let visited = visit(&desk);
    let (_, fix) = visited.sees("agent", "fail");
    assert_eq!((visited.code, visited.state("store"), fix.as_str()), (5, "skip", "ghapp agent start"));
    paste(&desk, ".", &fix);
    assert_eq!(visit(&desk).state("agent"), "ok");
    // Like the next git command, the doctor starts an agent where that is allowed.
    desk.stop_agent();
    desk.remove_env("GHAPP_NO_AUTOSTART");
    let visited = visit(&desk);
    assert_eq!(visited.state("agent"), "ok");
    assert!(desk.agent().is_some());
}

#[test]
fn an_agent_that_cannot_start() {
    let desk = healthy();
    desk.stop_agent();
    // It cannot take the lock that shows that an agent lives.
    fs::remove_file(desk.endpoint().run_lock()).unwrap();
    fs::create_dir(desk.endpoint().run_lock()).unwrap();
    let visited = visit(&desk);
    visited.sees("agent", "fail");
    assert_eq!(visited.code, 5);
    fs::remove_dir(desk.endpoint().run_lock()).unwrap();
}

#[test]
fn an_agent_that_does_not_answer() {
    let desk = healthy();
    let pid = desk.agent().and_then(|status| Pid::from_raw(i32::try_from(status.pid).ok()?)).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let visited = visit(&desk);
    kill_process(pid, Signal::CONT).unwrap();
    let (detail, fix) = visited.sees("agent", "fail");
    assert!(detail.contains("did not answer in time"), "{detail}");
    assert_eq!((visited.code, fix), (5, format!("kill -KILL {}", pid.as_raw_nonzero())));
}

#[test]
fn a_unit_that_systemd_has_given_up() {
    let mut desk = healthy();
    let systemctl = "#!/bin/sh\ncase $2 in\nis-enabled) echo enabled;;\nis-failed) test ! -e \"$HOME/mended\";;\n\
                     restart) touch \"$HOME/mended\";;\nesac\n";
    install_script(&desk, "bin/systemctl", systemctl);
    first_in_path(&mut desk, "bin");
    let (_, fix) = visit(&desk).sees("unit", "warn");
    assert!(fix.ends_with("systemctl --user restart ghapp-agent.socket"), "{fix}");
    paste(&desk, ".", &fix);
    visit(&desk).is_well();
}

/// An agent of another version, which answers `status` and nothing else, as often as it is asked.
fn foreign_agent(desk: &Desk, config: &str) {
    let place = desk.endpoint();
    place.prepare().unwrap();
    let listener = UnixListener::bind(place.path()).unwrap();
    let (config, host) = (config.to_owned(), desk.github.host().to_owned());
    let (id, fingerprint) = (desk.app.app_id, desk.app.fingerprint().to_owned());
    let client_id = desk.app.client_id.clone();
    // It ends with the test.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let Ok(request) = frame::read::<Value>(&mut stream) else { continue };
            let answer = match request["call"].as_str().unwrap() {
                "status" => json!({
                    "v": request["v"], "agent": "0.0.1", "reply": "status", "pid": 1, "version": "0.0.1", "socket": "",
                    "config": config, "locked": false, "started_by": "client", "leases": 0,
                    "store": {"kind": "x", "state": "ok"},
                    "apps": [{
                        "name": "acme-bot", "host": host, "app_id": id, "client_id": client_id, "store": "keyring",
                        "state": "ok", "key_fingerprint": fingerprint,
                    }],
                }),
                _ => json!({"v": 2, "agent": "0.0.1", "reply": "error", "code": "version_mismatch", "message": "?"}),
            };
            stream.write_all(&frame::encode(&answer).unwrap()).unwrap();
        }
    });
}

#[test]
fn an_agent_of_another_version_is_left_in_its_place() {
    let desk = healthy();
    desk.stop_agent();
    edit_config(&desk, "\"memory\"", "\"keyring\"");
    foreign_agent(&desk, &desk.config_file().display().to_string());
    let visited = visit(&desk);
    let (detail, fix) = visited.sees("agent_version", "warn");
    assert!(detail.starts_with("the agent is 0.0.1, and this ghapp is "), "{detail}");
    assert_eq!(fix, "ghapp agent restart");
    assert_eq!(visited.state("store"), "skip");
    assert_eq!(desk.agent().unwrap().version, "0.0.1");
}

#[test]
fn an_agent_with_an_older_or_another_configuration() {
    let desk = healthy();
    edit_config(&desk, "name = \"acme-bot\"", "name = \"other\"");
    let (detail, fix) = visit(&desk).sees("agent_config", "fail");
    assert!(detail.contains("other Apps than the agent"), "{detail}");
    assert_eq!(fix, "ghapp agent reload");
    paste(&desk, ".", &fix);
    visit(&desk).is_well();

    // It started with an error in the file, which is corrected now.
    edit_config(&desk, "app_id", "app_ib");
    desk.stop_agent();
    desk.ghapp(["agent", "start"]).ok();
    edit_config(&desk, "app_ib", "app_id");
    let (detail, fix) = visit(&desk).sees("agent_config", "fail");
    assert!(detail.contains("still has the error"), "{detail}");
    paste(&desk, ".", &fix);
    assert_eq!(visit(&desk).state("agent_config"), "ok");

    let copy = desk.path("copy.toml");
    fs::copy(desk.config_file(), &copy).unwrap();
    let copy = copy.display().to_string();
    let arguments = [desk.github.clone_url("acme/web"), "--config".to_owned(), copy.clone()];
    let visited = visit_with(&desk, ".", &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    // While the agent runs, no second one with this configuration can be started.
    let text = visited.output.stdout();
    assert!(text.contains("agent uses") && text.contains(&copy), "{text}");
}

#[test]
fn an_audit_log_that_was_taken_away() {
    let desk = healthy();
    fs::remove_file(desk.audit_file()).unwrap();
    desk.token("acme/web");
    desk.audit();
    let (detail, fix) = visit(&desk).sees("audit", "warn");
    assert!(detail.contains("removed or replaced"), "{detail}");
    assert_eq!(fix, "ghapp agent restart");
    paste(&desk, ".", &fix);
    assert_eq!(visit(&desk).state("audit"), "ok");
}

#[test]
fn an_agent_that_is_locked_is_not_unlocked_by_fix() {
    let desk = healthy();
    desk.ghapp(["lock"]).ok();
    let visited = visit_with(&desk, ".", &["acme/web", "--fix"]);
    let (_, fix) = visited.sees("lock", "fail");
    assert_eq!((visited.code, fix.as_str()), (4, "ghapp unlock"));
    assert!(desk.agent().unwrap().locked);
    paste(&desk, ".", &fix);
    assert_eq!(visit(&desk).state("lock"), "ok");
}

#[test]
fn a_key_that_was_in_memory_only() {
    let desk = healthy();
    desk.stop_agent();
    let visited = visit(&desk);
    let (_, fix) = visited.sees("key", "fail");
    assert!(fix.starts_with("ghapp login --pem FILE --app-id "), "{fix}");
    assert_eq!((visited.code, visited.state("network"), visited.state("app")), (4, "ok", "skip"));
}

#[test]
fn no_keyring_at_all() {
    let desk = healthy();
    edit_config(&desk, "\"memory\"", "\"keyring\"");
    desk.ghapp(["agent", "reload"]).ok();
    let visited = visit(&desk);
    let (_, fix) = visited.sees("store", "fail");
    assert!(fix.contains("--store encrypted-file"), "{fix}");
    assert_eq!((visited.code, visited.state("key")), (6, "skip"));
}

#[test]
fn a_keyring_that_is_locked_or_has_lost_the_key() {
    if !keyring::available() {
        return;
    }
    let mut desk = Desk::new();
    let mut keyring = Keyring::start(&mut desk);
    desk.log_in("keyring").ok();
    wire(&desk);
    visit(&desk).is_well();

    Keyring::lock(&desk);
    let visited = visit(&desk);
    let (detail, _) = visited.sees("store", "fail");
    assert!(detail.contains("is locked"), "{detail}");
    assert_eq!((visited.code, visited.state("key")), (6, "skip"));

    keyring.end_daemon();
    keyring.unlock(&desk);
    process::run(desk.command("secret-tool").args(["clear", "service", "ghapp"]), b"").ok();
    let visited = visit(&desk);
    let (detail, _) = visited.sees("key", "fail");
    assert_eq!((visited.code, detail.as_str()), (6, "the keyring has no key for acme-bot"));
}

#[test]
fn a_key_that_lies_in_the_downloads() {
    let desk = healthy();
    fs::create_dir(desk.home().join("Downloads")).unwrap();
    let file = desk.home().join("Downloads/acme bot.2026-11-20.private-key.pem");
    fs::write(&file, desk.app.pem()).unwrap();
    let visited = visit(&desk);
    let (_, fix) = visited.sees("key_files", "warn");
    assert_eq!((visited.code, fix.as_str()), (0, format!("rm '{}'", file.display()).as_str()));
    // The doctor leaves to people what cannot be undone.
    visit_with(&desk, ".", &["--fix"]);
    assert!(file.exists());
    paste(&desk, ".", &fix);
    visit(&desk).is_well();
}
