//! `ghapp login --create`: from nothing to a pushed commit, and nothing is left behind when it fails.

mod browser;
mod chromium;
mod first_run;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use ghapp_tests::desk::GIT_PERMISSIONS;
use ghapp_tests::github::{Endpoint, Fault, Selection};
use ghapp_tests::process::{self, Output, Running};
use ghapp_tests::secrets::Secrets;
use ghapp_tests::tools::can_become_another_user;
use ghapp_tests::{Desk, binary};
use jiff::SignedDuration;
use rustix::process::{Pid, Signal, kill_process};

use browser::Browser;

/// `ghapp login --create` for the desk's GitHub, with the key in memory.
fn command(desk: &Desk, options: &[&str]) -> Command {
    let mut command = desk.command(binary("ghapp"));
    command.args(["login", "--create", "--host", desk.github.host(), "--store", "memory", "--ca-file"]);
    command.arg(desk.github.ca_file()).args(options);
    command
}

/// Runs it until it shows its page, and returns the page's address.
fn open(command: &mut Command) -> (Running, String) {
    let running = Running::spawn(command);
    let line = running.wait_for_line("http://127.0.0.1:");
    (running, line.trim().to_owned())
}

/// Asserts that nothing of the login is left: no App, no key, no file.
fn assert_nothing_is_left(desk: &Desk) {
    assert!(!desk.config_file().exists());
    assert_eq!(desk.ghapp_json(["apps"])["apps"], serde_json::json!([]));
}

fn failed_with(running: Running, id: &str, code: i32) -> Output {
    let output = running.finish();
    output.failed().stderr_contains(&format!("error[{id}]"));
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    output
}

#[test]
fn a_new_app_is_created_installed_and_used_for_a_push() {
    let desk = Desk::new();
    // With standard input closed, and not only empty.
    let create = command(&desk, &["--org", "acme", "--setup-git"]);
    let mut closed = desk.command("sh");
    closed.args(["-c", "exec \"$0\" \"$@\" <&-"]).arg(create.get_program()).args(create.get_args());
    let (running, start) = open(&mut closed);
    let browser = Browser::new(&desk.github);
    let page = browser.get(&start).text;
    assert!(page.contains("the organization <b>acme</b>") && page.contains("read and write <b>contents</b>"), "{page}");
    let back = browser.register(&start);
    let done = browser.get(&back);
    assert!(done.status == 200 && done.text.contains("Return to your terminal"), "{}", done.text);

    let install = running.wait_for_line("/installations/new");
    let app = desk.github.registered_apps().pop().expect("GitHub has registered one");
    assert_eq!(install.trim(), format!("https://{}/github-apps/{}/installations/new", desk.github.host(), app.slug));
    assert_eq!(app.owner, "acme");
    running.wait_for_line("To stop waiting press Ctrl-C");
    desk.github.install(&app, "acme", Selection::All, GIT_PERMISSIONS);
    let output = running.finish();
    let stdout = output.ok().stdout();
    assert!(stdout.contains(&format!("Accepted   {} (App {})", app.slug, app.app_id)), "{stdout}");
    assert!(stdout.contains("Installed  acme: all repositories"), "{stdout}");
    assert_eq!(desk.ghapp_json(["apps"])["apps"][0]["key_fingerprint"], app.fingerprint());

    // The other App of the desk is not logged in: the new one makes this push.
    desk.clone("acme/web").ok();
    desk.commit("web", "news.txt", "made by a new App\n");
    desk.git_in("web", ["push", "--quiet"]).ok();
    let pushed = desk.git_in("web", ["rev-parse", "HEAD"]).stdout();
    assert_eq!(desk.github.head("acme/web", "main").as_deref(), Some(pushed.trim()));
    assert!(desk.github.mints().iter().all(|mint| mint.app_id == app.app_id));

    let written = [output.stdout.as_slice(), &output.stderr, desk.audit_lines().join("\n").as_bytes()].concat();
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned();
    let text = String::from_utf8_lossy(&written);
    assert!(!text.contains(&code) && !text.contains("-secret-") && !text.contains("PRIVATE KEY"), "{text}");
    assert!(Secrets::of_key(app.pem()).found_in(&written).is_empty());
    assert_eq!(desk.audit()[0]["call"], "create");
}

#[test]
fn only_the_app_that_was_asked_for_comes_of_a_manifest() {
    let desk = Desk::new();
    let options = ["--name", "my-tool", "--permissions", "contents=read,workflows=write"];
    let (running, start) = open(&mut command(&desk, &options));
    let browser = Browser::new(&desk.github);
    let page = browser.get(&start);
    let manifest: serde_json::Value = serde_json::from_str(&page.attribute("<input ", "value")).unwrap();
    assert_eq!(
        manifest["default_permissions"],
        serde_json::json!({"contents": "read", "metadata": "read", "workflows": "write"})
    );
    assert_eq!((&manifest["name"], &manifest["public"]), (&serde_json::json!("my-tool"), &serde_json::json!(false)));
    let action = page.attribute("<form ", "action");
    assert!(action.starts_with(&format!("https://{}/settings/apps/new?state=", desk.github.host())), "{action}");
    browser.get(&browser.register(&start));
    running.wait_for_line("/installations/new");
    let apps = desk.ghapp_json(["apps"]);
    assert_eq!(apps["apps"][0]["name"], "my-tool");
    assert_eq!(desk.github.registered_apps()[0].owner, "mona", "who is signed in owns it");
}

#[test]
fn a_browser_that_does_not_know_the_state_ends_the_login() {
    let desk = Desk::new();
    let (running, start) = open(&mut command(&desk, &[]));
    let browser = Browser::new(&desk.github);
    let back = browser.register(&start);
    let forged = format!("{}&state=another", back.split("&state=").next().unwrap());
    assert_eq!(browser.get(&forged).status, 400);
    failed_with(running, "E51", 1);
    assert!(browser.try_get(&back).is_err(), "the page is used up");
    assert_eq!(desk.github.calls().of(Endpoint::ManifestConversion), 0);
    assert_nothing_is_left(&desk);
}

#[test]
fn a_code_that_somebody_has_used_already_is_worth_nothing() {
    let desk = Desk::new();
    let (running, start) = open(&mut command(&desk, &[]));
    let browser = Browser::new(&desk.github);
    let back = browser.register(&start);
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let stolen = browser.post(&format!("{}/app-manifests/{code}/conversions", desk.github.api_url()));
    assert!(stolen.contains("PRIVATE KEY"), "{stolen}");
    browser.get(&back);
    failed_with(running, "E52", 7);
    assert_nothing_is_left(&desk);
}

#[test]
fn a_code_that_came_too_late_is_worth_nothing() {
    let desk = Desk::new();
    let (running, start) = open(&mut command(&desk, &[]));
    let browser = Browser::new(&desk.github);
    let back = browser.register(&start);
    desk.github.clock_ahead(SignedDuration::from_mins(61));
    browser.get(&back);
    let output = failed_with(running, "E52", 7);
    assert!(output.stderr().contains("hint: delete the App without a key"), "{}", output.stderr());
    assert_nothing_is_left(&desk);
}

#[test]
fn who_says_no_in_the_browser_is_believed() {
    let desk = Desk::new();
    let (running, start) = open(&mut command(&desk, &[]));
    let browser = Browser::new(&desk.github);
    let cancel = browser.get(&start).attribute("<a id=\"cancel\"", "href");
    let (base, _) = start.rsplit_once('/').unwrap();
    assert!(browser.get(&format!("{base}{cancel}")).text.contains("Nothing was created"));
    let output = failed_with(running, "E53", 1);
    let ca = desk.github.ca_file().display();
    let again = format!("hint: run: ghapp login --create --host {} --ca-file {ca} --store memory", desk.github.host());
    output.stderr_contains(&again);
    assert_nothing_is_left(&desk);
}

#[test]
fn the_page_answers_to_its_own_address_only() {
    let desk = Desk::new();
    let (running, start) = open(&mut command(&desk, &[]));
    let browser = Browser::new(&desk.github);
    let (base, ticket) = start.rsplit_once('/').unwrap();
    let address = base.strip_prefix("http://").unwrap();
    let raw = |request: String| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for host in ["evil.example", "localhost", "127.0.0.1"] {
        let answer = raw(format!("GET /{ticket} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403 ") && !answer.contains("state="), "{answer}");
    }
    let answer = raw(format!("POST /{ticket} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    for path in ["", "callbacks", "cancel/x", "favicon.ico"] {
        assert_eq!(browser.get(&format!("{base}/{path}")).status, 404);
    }
    assert_eq!(browser.get(&start).status, 200, "and nothing of that ended the login");
    drop(running);
    assert_nothing_is_left(&desk);
}

#[test]
fn another_user_of_the_machine_sees_nothing_of_it() {
    if !can_become_another_user() {
        return;
    }
    let desk = Desk::new();
    let (running, start) = open(&mut command(&desk, &[]));
    let address = start.strip_prefix("http://").unwrap();
    let (address, ticket) = address.split_once('/').unwrap();
    let (host, port) = address.split_once(':').unwrap();
    // bash opens connections by itself, so nothing else has to be there.
    let script = format!(
        "exec 3<>/dev/tcp/{host}/{port}; printf 'GET /{ticket} HTTP/1.1\\r\\nHost: {address}\\r\\n\\r\\n' >&3; cat <&3; true"
    );
    let ask = |words: &[&str]| {
        let mut command = Command::new(words[0]);
        process::run(command.args(&words[1..]).args(["bash", "-c", &script]).current_dir("/"), b"").stdout()
    };
    assert!(ask(&["env"]).starts_with("HTTP/1.1 200 "), "its own user does");
    assert_eq!(ask(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]), "");
    drop(running);
}

#[test]
fn what_can_be_known_to_fail_fails_before_anybody_goes_to_github() {
    let desk = Desk::new();
    let directory = desk.config_file().parent().unwrap().to_owned();
    // A directory that is a link to nowhere can be read as empty, and not be written, not even by root.
    std::os::unix::fs::symlink(desk.path("nowhere/at/all"), &directory).unwrap();
    let unwritable = process::run(&mut command(&desk, &[]), b"");
    unwritable.failed().stderr_contains("error[E45]");
    std::fs::remove_file(&directory).unwrap();
    let mut keyring = desk.command(binary("ghapp"));
    let keyring = process::run(keyring.args(["login", "--create", "--host", desk.github.host()]), b"");
    keyring.failed().stderr_contains("error[E10]").stderr_contains("ghapp login --create --host");
    desk.ghapp(["lock"]).ok();
    let locked = process::run(&mut command(&desk, &[]), b"");
    assert_eq!(locked.failed().status.code(), Some(4));
    desk.ghapp(["unlock"]).ok();
    desk.log_in("memory").ok();
    process::run(&mut command(&desk, &["--name", "acme-bot"]), b"").failed().stderr_contains("error[E42]");
    for outcome in [unwritable, keyring, locked] {
        assert!(!outcome.stderr().contains("http://127"), "{}", outcome.stderr());
    }
    assert_eq!(desk.github.calls().of(Endpoint::ManifestConversion), 0);
}

#[test]
fn an_app_whose_key_cannot_be_kept_is_named_with_the_way_to_another_key() {
    let desk = Desk::new();
    let hold = desk.github.hold(Endpoint::ManifestConversion);
    let (running, start) = open(&mut command(&desk, &["--org", "acme"]));
    let browser = Browser::new(&desk.github);
    browser.get(&browser.register(&start));
    desk.github.wait_until(|calls| calls.of(Endpoint::ManifestConversion) == 1);
    // The configuration was writable a moment ago and no longer is.
    std::fs::remove_dir(desk.config_file().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(desk.path("nowhere/at/all"), desk.config_file().parent().unwrap()).unwrap();
    hold.release();
    let app = desk.github.registered_apps().pop().unwrap();
    let output = failed_with(running, "E45", 1);
    output.stderr_contains(&format!("the new App {} has no key here", app.slug));
    output.stderr_contains(&format!("ghapp login --pem FILE --app-id {}", app.app_id));
    std::fs::remove_file(desk.config_file().parent().unwrap()).unwrap();
    assert_nothing_is_left(&desk);
}

#[test]
fn a_github_that_stumbles_is_asked_again_and_one_that_falls_leaves_nothing() {
    let desk = Desk::new();
    let browser = Browser::new(&desk.github);
    let stumbles = |times| desk.github.fault(Endpoint::ManifestConversion, Fault::message(502, "Server Error"), times);
    stumbles(3);
    let (running, start) = open(&mut command(&desk, &[]));
    browser.get(&browser.register(&start));
    failed_with(running, "E27", 8).stderr_contains("has registered has no key here");
    assert_nothing_is_left(&desk);

    stumbles(2);
    let (running, start) = open(&mut command(&desk, &["--name", "second"]));
    browser.get(&browser.register(&start));
    running.wait_for_line("/installations/new");
    assert_eq!(desk.github.calls().of(Endpoint::ManifestConversion), 6);
    assert_eq!(desk.ghapp_json(["apps"])["apps"][0]["name"], "second");

    // An answer that was lost has used the code up.
    desk.github.fault(Endpoint::ManifestConversion, Fault::LoseAnswer, 1);
    let (running, start) = open(&mut command(&desk, &[]));
    browser.get(&browser.register(&start));
    failed_with(running, "E52", 7);
}

#[test]
fn no_refusal_of_githubs_ends_the_agent_although_the_app_has_no_id_yet() {
    let desk = Desk::new();
    let browser = Browser::new(&desk.github);
    let refusals = [
        (404, "Integration not found"),
        (401, "A JSON web token could not be decoded"),
        (401, "'Issuer' claim ('iss') must be an Integer"),
        (401, "Bad credentials"),
        (403, "Resource not accessible by integration"),
        (422, "Validation Failed"),
    ];
    desk.ghapp(["agent", "start"]).ok();
    let pid = desk.agent().unwrap().pid;
    for (status, message) in refusals {
        desk.github.fault(Endpoint::ManifestConversion, Fault::message(status, message), 1);
        let (running, start) = open(&mut command(&desk, &[]));
        browser.get(&browser.register(&start));
        let output = failed_with(running, "E43", 7);
        output.stderr_contains("has registered has no key here");
        assert!(!output.stderr().contains("an error of its own"), "{}", output.stderr());
    }
    assert_eq!(desk.agent().unwrap().pid, pid);
}

#[test]
fn who_stops_waiting_for_the_installation_keeps_the_app() {
    let desk = Desk::new();
    let (running, start) = open(&mut command(&desk, &["--name", "patient"]));
    let browser = Browser::new(&desk.github);
    browser.get(&browser.register(&start));
    let line = running.wait_for_line("go on later with: ghapp setup-git --host");
    assert!(line.contains("Ctrl-C"), "{line}");
    let pid = Pid::from_raw(i32::try_from(running.pid()).unwrap()).unwrap();
    // Instead of Ctrl-C, which every background process of a shell ignores, perhaps this test too.
    kill_process(pid, Signal::TERM).unwrap();
    running.finish().failed();
    assert_eq!(desk.ghapp_json(["apps"])["apps"][0]["name"], "patient");
    let app = desk.github.registered_apps().pop().unwrap();
    desk.github.install(&app, "acme", Selection::All, GIT_PERMISSIONS);
    desk.ghapp(["setup-git", "--host", desk.github.host(), "--owner", "acme"]).ok();
    desk.clone("acme/web").ok();
}

#[test]
fn the_page_finds_its_browser_or_says_how() {
    let mut desk = Desk::new();
    desk.set_env("SSH_CONNECTION", "10.0.0.9 5000 10.0.0.5 22");
    desk.set_env("USER", "mona");
    let (running, start) = open(&mut command(&desk, &[]));
    let port = start.rsplit_once('/').unwrap().0.rsplit_once(':').unwrap().1;
    running.wait_for_line(&format!("ssh -L {port}:127.0.0.1:{port} mona@10.0.0.5"));
    drop(running);

    let pipe = desk.path("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let script = desk.path("browser");
    std::fs::write(&script, format!("printf '%s\\n' \"$@\" > '{}'\n", pipe.display())).unwrap();
    desk.set_env("BROWSER", format!("sh {} --new %s", script.display()));
    let mut reader = desk.command("cat");
    let reader = Running::spawn_with(reader.arg(&pipe), Stdio::null());
    let (running, start) = open(&mut command(&desk, &[]));
    assert!(running.written().contains("Your browser opens"), "{}", running.written());
    assert_eq!(reader.finish().stdout(), format!("--new\n{start}\n"));
    assert!(!running.written().contains("ssh -L"), "{}", running.written());
}
