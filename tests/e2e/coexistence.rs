//! Other helpers in the same list, before and behind ours: each gets what is its own, and none gets ours.
//!
//! `git credential-store` and `git credential-cache` are the real ones. The others, which need a desktop, another system or
//! another account, are scripts here that treat git as they do.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use ghapp_tests::github::{AccountKind, Endpoint};
use ghapp_tests::process::{self, Output};
use ghapp_tests::{Desk, binary};

/// A foreign password, on another host.
const FOREIGN: &str = "hunter2-canary";

/// `gh auth git-credential`: one token for a whole host; for every other exit code 1 and no output; `erase` and `store`
/// are ignored (cli/cli, pkg/cmd/auth/gitcredential).
const GH: &str = r#"
[ "$1" = get ] || exit 0
grep -qx "host=$HOST" || exit 1
printf 'protocol=https\nhost=%s\nusername=gh-user\npassword=gh-canary\n' "$HOST"
"#;
/// Git Credential Manager: remembers what it has to store, and answers with all that it knows, the host's provider included.
const GCM: &str = r#"
file=$HOME/gcm
case $1 in
get) cat >/dev/null; [ -e "$file" ] && grep -E '^(protocol|host|username|password)=' "$file"; echo ;;
store) cat >"$file" ;;
erase) cat >/dev/null; rm -f "$file" ;;
esac
exit 0
"#;
/// libsecret and osxkeychain: a keyring with one entry for each protocol, host, path and user; `erase` needs the password to match.
const KEYCHAIN: &str = r#"
request=$(cat)
value() { printf '%s\n' "$request" | sed -n "s/^$1=//p"; }
file=$HOME/keychain-$(value protocol)-$(value host | tr -c 'a-z0-9\n' _)
case $1 in
get) [ -e "$file" ] && cat "$file" ;;
store) printf 'username=%s\npassword=%s\n' "$(value username)" "$(value password)" >"$file" ;;
erase) grep -qx "password=$(value password)" "$file" 2>/dev/null && rm -f "$file" ;;
esac
exit 0
"#;

/// Puts a helper of that name into `PATH`, so that git finds it as it finds an installed one.
fn install(desk: &mut Desk, name: &str, script: &str) -> String {
    let directory = desk.path("helpers");
    fs::create_dir_all(&directory).expect("the sandbox is writable");
    let program = directory.join(format!("git-credential-{name}")).display().to_string();
    let log = desk.path(format!("log-{name}"));
    let logging = format!("#!/bin/sh\nprintf '%s\\n' \"$1\" >>'{}'\n{script}", log.display());
    // Not written here: a process just forked by another test may hold the script open for writing, and it could not be run.
    let write = ["-c", "cat >\"$0\" && chmod 755 \"$0\"", &program];
    process::run(desk.command("sh").args(write), logging.as_bytes()).ok();
    let path =
        desk.command("git").get_envs().find(|(key, _)| *key == "PATH").and_then(|(_, path)| path.map(OsString::from));
    let mut directories = vec![directory];
    directories.extend(std::env::split_paths(&path.expect("a sandbox has a PATH")));
    desk.set_env("PATH", std::env::join_paths(directories).expect("they came from a PATH"));
    let host = desk.github.host().to_owned();
    desk.set_env("HOST", host);
    name.to_owned()
}

/// The operations that a stand-in was asked for.
fn operations(desk: &Desk, name: &str) -> Vec<String> {
    let log = fs::read_to_string(desk.path(format!("log-{name}"))).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

/// Makes these the helpers for the whole machine, in this order, without the reset that `setup-git` writes.
fn chain(desk: &Desk, helpers: &[&str]) {
    let key = "credential.helper";
    desk.ghapp(["setup-git", "--remove", "--host", desk.github.host()]).ok();
    let _ = desk.git(["config", "--global", "--unset-all", key]);
    for helper in helpers {
        desk.git(["config", "--global", "--add", key, helper]).ok();
    }
    desk.git(["config", "--global", "credential.useHttpPath", "true"]).ok();
}

fn foreign(desk: &Desk, operation: &str) -> Output {
    let attributes =
        format!("protocol=https\nhost=gitlab.example\npath=acme/web.git\nusername=mona\npassword={FOREIGN}\n\n");
    desk.git_credential(operation, &attributes)
}

fn fill(desk: &Desk, host: &str) -> Output {
    desk.git_credential("fill", &format!("protocol=https\nhost={host}\npath=acme/web.git\n\n"))
}

/// Asserts that we neither wrote, showed nor sent to GitHub what another helper keeps.
fn assert_unlogged(desk: &Desk, outputs: &[Output]) {
    for output in outputs {
        assert!(!output.stderr().contains("canary"), "{}", output.stderr());
    }
    let log = fs::read_to_string(desk.audit_file()).unwrap_or_default();
    assert!(!log.contains("canary"), "{log}");
    let trace = fs::read_to_string(desk.path("trace")).unwrap_or_default();
    assert!(!trace.contains("canary"), "{trace}");
}

fn store_file(desk: &Desk) -> (PathBuf, String) {
    let file = desk.home().join(".git-credentials");
    let text = fs::read_to_string(&file).unwrap_or_default();
    (file, text)
}

#[test]
fn secrets_of_the_real_store_pass_us_by_in_either_order() {
    for helpers in [["store", "ghapp"], ["ghapp", "store"]] {
        let mut desk = Desk::ready();
        let trace = desk.path("trace");
        desk.set_env("GHAPP_TRACE", trace);
        chain(&desk, &helpers);
        let mut outputs = vec![foreign(&desk, "approve")];
        assert!(store_file(&desk).1.contains(FOREIGN), "it was stored");
        let filled = fill(&desk, "gitlab.example");
        assert!(filled.ok().stdout().contains(&format!("username=mona\npassword={FOREIGN}\n")), "{helpers:?}");
        outputs.push(filled);
        outputs.push(foreign(&desk, "reject"));
        assert!(!store_file(&desk).1.contains(FOREIGN), "it was erased");
        for output in &outputs {
            assert_eq!(output.ok().stderr(), "", "{helpers:?}");
        }
        assert_unlogged(&desk, &outputs);
        let gets = desk.audit().iter().filter(|line| line["call"] == "get").count();
        assert_eq!(gets, usize::from(helpers[0] == "ghapp"), "a store in front that knows it leaves nothing to ask");
        assert_eq!(desk.github.calls().of(Endpoint::Mint), 0);
    }
}

#[test]
fn the_real_cache_keeps_what_is_its_own() {
    let mut desk = Desk::ready();
    let trace = desk.path("trace");
    desk.set_env("GHAPP_TRACE", trace);
    let socket = desk.path("run/cache/socket");
    fs::create_dir_all(socket.parent().expect("it has a directory")).expect("the sandbox is writable");
    fs::set_permissions(socket.parent().expect("it has one"), fs::Permissions::from_mode(0o700)).expect("it is ours");
    let cache = format!("cache --socket {}", socket.display());
    chain(&desk, &["ghapp", &cache]);
    let _daemon = CacheDaemon(&desk, socket);
    let mut outputs = vec![foreign(&desk, "approve")];
    outputs.push(fill(&desk, "gitlab.example"));
    assert!(outputs[1].ok().stdout().contains(FOREIGN));
    // Ours comes first, so git does not ask the cache for it, although git stores it there.
    let token = desk.token("acme/web");
    desk.clone("acme/web").ok();
    desk.github.revoke_token(&token);
    desk.git_in("web", ["fetch"]).failed();
    assert_ne!(desk.token("acme/web"), token, "the dead one was dropped by both");
    desk.git_in("web", ["fetch"]).ok();
    outputs.push(foreign(&desk, "reject"));
    let gone = fill(&desk, "gitlab.example");
    gone.failed();
    assert_unlogged(&desk, &outputs);
}

/// The daemon that `git credential-cache` starts. It would outlive the test by a quarter of an hour.
struct CacheDaemon<'a>(&'a Desk, PathBuf);

impl Drop for CacheDaemon<'_> {
    fn drop(&mut self) {
        let mut exit = self.0.command("git");
        let exit = exit.args(["credential-cache", "--socket"]).arg(&self.1).arg("exit").status();
        // It may not have been started.
        drop(exit);
    }
}

#[test]
fn after_setup_git_no_helper_of_the_whole_machine_sees_our_token() {
    let mut desk = Desk::ready();
    let gcm = install(&mut desk, "gcm", GCM);
    for helper in ["store", gcm.as_str()] {
        desk.git(["config", "--global", "--add", "credential.helper", helper]).ok();
    }
    // The order in the file counts: helpers that come behind the reset are asked as well, so this one is put behind them.
    let host = desk.github.host().to_owned();
    desk.ghapp(["setup-git", "--remove", "--host", &host]).ok();
    desk.set_up_git();
    desk.clone("acme/web").ok();
    let token = desk.token("acme/web");
    assert_eq!(store_file(&desk).1, "");
    assert!(operations(&desk, "gcm").is_empty());
    desk.github.revoke_token(&token);
    desk.git_in("web", ["fetch"]).failed();
    assert!(operations(&desk, "gcm").is_empty(), "not even to erase it");
    // For every other host they are there as before.
    let outputs = [foreign(&desk, "approve"), fill(&desk, "gitlab.example"), foreign(&desk, "reject")];
    assert!(outputs[1].ok().stdout().contains(FOREIGN));
    assert_eq!(operations(&desk, "gcm"), ["store", "erase"], "the store in front of it answered");
}

#[test]
fn a_helper_in_front_that_knows_an_answer_is_not_overruled() {
    let mut desk = Desk::ready();
    let gh = install(&mut desk, "gh-stand-in", GH);
    chain(&desk, &[&gh, "ghapp"]);
    let host = desk.github.host().to_owned();
    let filled = fill(&desk, &host);
    assert!(filled.ok().stdout().contains("username=gh-user\npassword=gh-canary\n"), "{}", filled.stdout());
    assert!(desk.audit().iter().all(|line| line["call"] != "get"), "we were not asked");
    // git tells both that it was refused; it is not ours, so nothing is dropped.
    let mine = desk_token(&desk);
    let attributes =
        format!("protocol=https\nhost={host}\npath=acme/web.git\nusername=gh-user\npassword=gh-canary\n\n");
    desk.git_credential("reject", &attributes).ok();
    assert_eq!(desk_token(&desk), mine);
    assert_unlogged(&desk, &[filled]);
    // Its exit code of 1 for every other host is nothing to us.
    assert!(fill(&desk, "gitlab.example").failed().stdout().is_empty());
}

/// Our token, asked of ours alone.
fn desk_token(desk: &Desk) -> String {
    let request = format!("protocol=https\nhost={}\npath=acme/web.git\n\n", desk.github.host());
    let mut command = desk.command(binary("git-credential-ghapp"));
    process::run(command.arg("get"), request.as_bytes()).ok().stdout()
}

#[test]
fn a_user_name_from_a_helper_in_front_makes_it_that_users_question() {
    let mut desk = Desk::ready();
    let half = install(&mut desk, "half", "[ \"$1\" = get ] && echo username=mona\nexit 0\n");
    let keychain = install(&mut desk, "keychain", KEYCHAIN);
    chain(&desk, &[&half, "ghapp", &keychain]);
    let host = desk.github.host().to_owned();
    let attributes = format!("protocol=https\nhost={host}\npath=acme/web.git\nusername=mona\npassword={FOREIGN}\n\n");
    let mut outputs = vec![desk.git_credential("approve", &attributes)];
    outputs.push(fill(&desk, &host));
    assert!(outputs[1].ok().stdout().contains(&format!("username=mona\npassword={FOREIGN}\n")));
    outputs.push(desk.git_credential("reject", &attributes));
    fill(&desk, &host).failed();
    assert_unlogged(&desk, &outputs);
    assert!(desk.github.mints().is_empty());
}

// rule 26
#[test]
fn a_refusal_that_is_certain_keeps_helpers_behind_us_out_and_one_that_is_not_lets_them_in() {
    let mut desk = Desk::ready();
    let gh = install(&mut desk, "gh-stand-in", GH);
    chain(&desk, &["ghapp", &gh]);
    let host = desk.github.host().to_owned();
    desk.configure(&format!("\n[[rule]]\nmatch = \"{host}/acme/web\"\ndeny = true\n")).ok();
    fill(&desk, &host).failed().stderr_contains("told us to quit");
    assert!(operations(&desk, "gh-stand-in").is_empty());
    // Not ours: an owner without the App.
    desk.github.create_account("octo", AccountKind::Organization);
    let filled = desk.git_credential("fill", &format!("protocol=https\nhost={host}\npath=octo/lib.git\n\n"));
    assert!(filled.ok().stdout().contains("username=gh-user\n"));
    assert_eq!(operations(&desk, "gh-stand-in"), ["get"]);
}

#[test]
fn keychains_and_managers_without_a_reset_store_our_token_and_it_does_no_harm() {
    let mut desk = Desk::ready();
    let (gcm, keychain) = (install(&mut desk, "gcm", GCM), install(&mut desk, "keychain", KEYCHAIN));
    chain(&desk, &["ghapp", &gcm, &keychain]);
    desk.clone("acme/web").ok();
    let token = desk.token("acme/web");
    assert!(operations(&desk, "gcm").contains(&"store".to_owned()), "git tells every helper what worked");
    // What they keep outlives the token, and git never asks for it as long as we come first.
    desk.github.revoke_token(&token);
    desk.git_in("web", ["fetch"]).failed();
    desk.git_in("web", ["fetch"]).ok();
    assert_ne!(desk.token("acme/web"), token);
    assert_eq!(desk.github.mints().len(), 2);
}
