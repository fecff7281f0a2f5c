//! The key in the Linux kernel: it outlives logins and agents, and a lost key is reported.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use ghapp_tests::github::fingerprint_of;
use ghapp_tests::kernel_keyring::{self, in_new_session};
use ghapp_tests::tools::{Tool, all_there, can_become_another_user};
use ghapp_tests::{Desk, binary, process};
use serde_json::json;

/// A user without a name, so that no other keys count towards its quota.
const OTHER_UID: u32 = 64_113;

/// Logs in from a session that ends with the command.
fn log_in_from_another_session(desk: &Desk) {
    let mut command = in_new_session(desk, r#""$@""#);
    command.arg(binary("ghapp")).args(["login", "--pem", "-"]).args(desk.login_flags(&desk.app, "keyutils"));
    process::run(&mut command, desk.app.pem().as_bytes()).ok();
    desk.set_up_git();
}

#[test]
fn a_key_in_the_kernel_outlives_the_login_and_the_agent() {
    if !kernel_keyring::available() {
        return;
    }
    let desk = Desk::new();
    log_in_from_another_session(&desk);
    let status = desk.ghapp_json(["status"]);
    assert_eq!(status["store"], serde_json::json!({"kind": "keyutils", "state": "ok"}));
    assert_eq!(status["apps"][0]["state"], "ok");
    assert_eq!(kernel_keyring::stored(&desk).as_deref(), Some("ghapp:1:der:"), "it is where it belongs");
    desk.clone("acme/web").ok();
    // With the agent the last process of that session is gone. The next agent starts in another session.
    desk.kill_agent();
    let mut fetch = in_new_session(&desk, r#"git -C web fetch && test "$(keyctl rlist @s)" = """#);
    process::run(&mut fetch, b"").ok();
    assert_eq!(desk.github.mints().len(), 2);
    desk.ghapp(["lock"]).ok();
    desk.ghapp(["unlock"]).ok();
    desk.git_in("web", ["fetch"]).ok();
    desk.ghapp(["logout"]).ok();
    assert_eq!(kernel_keyring::stored(&desk), None, "and it is gone after logging out");
}

#[test]
fn a_key_that_the_kernel_forgot_is_missed_and_comes_back_with_the_next_login() {
    if !kernel_keyring::available() {
        return;
    }
    let desk = Desk::new();
    log_in_from_another_session(&desk);
    desk.claim();
    desk.ghapp(["agent", "reload"]).ok(); // the JWT of the login is forgotten
    kernel_keyring::forget(&desk);
    desk.fill("acme/web").failed().stderr_contains("the kernel's keyring has no key for acme-bot: it forgets when the");
    let token = desk.ghapp(["token", "acme/web"]);
    token.failed().stderr_contains("error[E12]").stderr_contains("--store keyutils");
    assert_eq!(token.status.code(), Some(6));
    assert_eq!(desk.ghapp_json(["status"])["apps"][0]["state"], "key_missing");
    assert_eq!(desk.ghapp(["status", "--check"]).status.code(), Some(6));
    desk.log_in("keyutils").ok();
    desk.token("acme/web");
    kernel_keyring::forget(&desk);
}

#[test]
fn a_key_that_is_gone_gives_way_to_the_next_one_and_only_without_any_there_is_none() {
    if !kernel_keyring::available() {
        return;
    }
    let desk = Desk::new();
    log_in_from_another_session(&desk);
    let (old, pem) = (desk.app.fingerprint(), desk.github.add_key(&desk.app));
    let new = fingerprint_of(&pem);
    process::run(desk.command(binary("ghapp")).args(["key", "add", "--pem", "-"]), pem.as_bytes()).ok();
    let configured = fs::read_to_string(desk.config_file()).unwrap();
    kernel_keyring::forget(&desk);
    // Before a key was needed, and after that.
    for _ in 0..2 {
        let app = &desk.ghapp_json(["status"])["apps"][0];
        assert_eq!((&app["key_fingerprint"], &app["state"]), (&json!(new), &json!("ok")));
        assert_eq!(app["missing_keys"], json!([old]));
        let keys = desk.ghapp_json(["key", "list"]);
        let states: Vec<_> =
            keys["keys"].as_array().unwrap().iter().map(|key| (&key["state"], &key["signing"])).collect();
        assert_eq!(states, [(&json!("ok"), &json!(true)), (&json!("key_missing"), &json!(false))]);
        desk.token("acme/web");
        desk.ghapp(["revoke", "--all"]).ok();
    }
    assert!(
        desk.github.calls().iter().all(|call| call.status.is_none_or(|status| status != 401)),
        "nothing is refused"
    );
    let lines: Vec<_> = desk.audit().into_iter().filter(|line| line["call"] == "key_missing").collect();
    assert_eq!(lines.len(), 1, "it is said once: {lines:?}");
    assert_eq!((&lines[0]["key"], &lines[0]["next_key"]), (&json!(old), &json!(new)));
    let command = format!("ghapp key remove {old} --app acme-bot");
    for arguments in [["key", "list"].as_slice(), &["status"]] {
        desk.ghapp(arguments.iter().copied()).ok().stderr_contains("is not in its store").stderr_contains(&command);
    }
    let doctor = desk.ghapp_json(["doctor", "acme/web"]);
    let checks = doctor["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["fix"] == json!(command)).expect("the doctor says what can be done");
    assert_eq!(check["state"], "warn", "{check}");
    assert!(checks.iter().all(|check| check["id"] != "agent-config" || check["state"] == "ok"), "{checks:?}");
    assert_eq!(fs::read_to_string(desk.config_file()).unwrap(), configured, "the file is a person's");

    // Without any key the first one is reported missing.
    kernel_keyring::forget_one(&desk, &new);
    desk.ghapp(["agent", "reload"]).ok();
    let token = desk.ghapp(["token", "acme/web"]);
    token.failed().stderr_contains("error[E12]");
    assert_eq!(desk.ghapp_json(["status"])["apps"][0]["state"], "key_missing");
}

#[test]
fn a_login_that_fails_leaves_no_key_in_the_kernel() {
    if !kernel_keyring::available() {
        return;
    }
    let desk = Desk::new();
    desk.ghapp(["agent", "start"]).ok();
    let hold = desk.github.hold(ghapp_tests::github::Endpoint::AppGet);
    std::thread::scope(|scope| {
        let login = scope.spawn(|| desk.log_in("keyutils"));
        desk.github.wait_until(|calls| calls.of(ghapp_tests::github::Endpoint::AppGet) == 1);
        desk.ghapp(["lock"]).ok();
        hold.release();
        login.join().unwrap().failed().stderr_contains("error[E08]");
    });
    assert_eq!(kernel_keyring::stored(&desk), None);
    assert!(!desk.config_file().exists());
}

#[test]
fn a_quota_that_is_used_up_is_named_with_the_other_stores_and_nothing_is_stored() {
    let tools = [Tool { program: "setpriv", package: "util-linux" }];
    if !kernel_keyring::available() || !can_become_another_user() || !all_there(&tools) {
        return;
    }
    let desk = Desk::new();
    // Another user: root's quota is a thousand times larger, and shared with every test here.
    let home = desk.path("other");
    fs::create_dir_all(home.join("run")).unwrap();
    for program in ["ghapp", "ghapp-agent"] {
        fs::copy(binary(program), home.join(program)).unwrap();
    }
    fs::write(home.join("key.pem"), desk.app.pem()).unwrap();
    fs::copy(desk.github.ca_file(), home.join("ca.pem")).unwrap();
    for path in ["", "run", "key.pem", "ca.pem"] {
        chown(home.join(path), Some(OTHER_UID), Some(OTHER_UID)).unwrap();
    }
    for path in [home.clone(), home.join("run")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
    }
    fs::set_permissions(desk.path(""), fs::Permissions::from_mode(0o711)).unwrap();
    // Fills the rest of the quota, in pieces.
    let script = r#"
        number=0
        for size in 8000 4000 2000 1000 500 250; do
            while head -c $size /dev/zero | keyctl padd user "filler $number" @s; do number=$((number + 1)); done
        done >/dev/null 2>&1
        login() { "$HOME/ghapp" login --pem "$HOME/key.pem" --ca-file "$HOME/ca.pem" --store keyutils "$@"; }
        code=0; login "$@" || code=$?
        test -e "$HOME/.config/ghapp/config.toml" && exit 99
        keyctl clear @s
        # The kernel gives the room back in its own time.
        for try in $(seq 200); do login "$@" >&2 && break; done
        "$HOME/ghapp" logout >&2
        "$HOME/ghapp" agent stop >&2
        exit $code"#;
    let uid = OTHER_UID.to_string();
    let mut command = desk.command("setpriv");
    command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("HOME", &home).current_dir(&home);
    command.env("XDG_RUNTIME_DIR", home.join("run"));
    command.args([
        "--reuid",
        &uid,
        "--regid",
        &uid,
        "--clear-groups",
        "keyctl",
        "session",
        "-",
        "sh",
        "-uc",
        script,
        "sh",
    ]);
    command.args(["--app-id", &desk.app.app_id.to_string(), "--host", desk.github.host()]);
    let outcome = process::run(&mut command, b"");
    assert_eq!(outcome.status.code(), Some(6), "{}", outcome.stderr());
    outcome
        .stderr_contains("error[E47]: the kernel's keyring refused: your quota of kernel keys is used up")
        .stderr_contains("--store keyring, encrypted-file, credentials-dir or memory")
        .stderr_contains("hint: for example: ghapp login --pem FILE")
        .stderr_contains("Stored     acme-bot in the kernel's keyring");
}
