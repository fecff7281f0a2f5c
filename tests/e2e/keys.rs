//! Several keys of one App: added, proved, replaced while git goes on, removed; and the next one that signs when GitHub refuses one.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use ghapp_tests::github::{Calls, Endpoint, fingerprint_of};
use ghapp_tests::keyring::{self, Keyring};
use ghapp_tests::process::{self, DEADLINE, Output, Running};
use ghapp_tests::secrets::Secrets;
use ghapp_tests::{Desk, binary};
use jiff::SignedDuration;
use serde_json::{Value, json};

const PASSPHRASE: &str = "correct horse battery staple";
/// Most keys of an App.
const MAX_KEYS: usize = 4;

/// A key that GitHub has for the desk's App, and nobody here yet.
struct NewKey {
    pem: String,
    fingerprint: String,
}

fn new_key(desk: &Desk) -> NewKey {
    let pem = desk.github.add_key(&desk.app);
    NewKey { fingerprint: fingerprint_of(&pem), pem }
}

/// `ghapp key add` or `rotate`, with the key on standard input.
fn give(desk: &Desk, verb: &str, pem: &str) -> Output {
    process::run(desk.command(binary("ghapp")).args(["key", verb, "--pem", "-"]), pem.as_bytes())
}

/// The same for an encrypted file, with the passphrase on standard input.
fn give_with_passphrase(desk: &Desk, verb: &str, key: &NewKey, passphrase: &str) -> Output {
    let file = desk.path("new.pem");
    fs::write(&file, &key.pem).expect("the sandbox is writable");
    let mut command = desk.command(binary("ghapp"));
    process::run(command.args(["key", verb, "--passphrase-file", "-", "--pem"]).arg(&file), passphrase.as_bytes())
}

/// The keys as `ghapp key list` has them: the fingerprint and the state, the one that signs first.
fn keys(desk: &Desk) -> Vec<(String, String)> {
    let listed = desk.ghapp_json(["key", "list"]);
    let listed = listed["keys"].as_array().expect("a list");
    for (at, key) in listed.iter().enumerate() {
        assert_eq!(key["signing"], at == 0, "{listed:?}");
    }
    let text = |key: &Value, field: &str| key[field].as_str().expect("a text").to_owned();
    listed.iter().map(|key| (text(key, "fingerprint"), text(key, "state"))).collect()
}

fn ok(fingerprints: &[&str]) -> Vec<(String, String)> {
    fingerprints.iter().map(|fingerprint| ((*fingerprint).to_owned(), "ok".to_owned())).collect()
}

/// How the calls of an endpoint were answered since then.
fn answers(before: &Calls, desk: &Desk, endpoint: Endpoint) -> Vec<u16> {
    let calls = desk.github.calls();
    let since = calls.iter().skip(before.len()).filter(|call| call.endpoint == endpoint);
    since.map(|call| call.status.expect("it was answered").as_u16()).collect()
}

/// The fingerprints of the keys that the Secret Service holds for the desk's App, read by another program.
fn stored(desk: &Desk) -> Vec<String> {
    let found = process::run(desk.command("secret-tool").args(["search", "--all", "service", "ghapp"]), b"");
    let (stdout, stderr) = (found.stdout(), found.stderr());
    // Its attributes go to one stream or the other, by its version.
    let lines = stdout.lines().chain(stderr.lines()).filter_map(|line| line.strip_prefix("attribute.username = "));
    let mut names: Vec<_> = lines.filter_map(|name| Some(name[name.find("SHA256:")?..].to_owned())).collect();
    names.sort();
    names
}

fn sorted(fingerprints: &[&str]) -> Vec<String> {
    let mut all: Vec<_> = fingerprints.iter().map(|text| (*text).to_owned()).collect();
    all.sort();
    all
}

fn desk_with_keyring() -> (Desk, Keyring) {
    let mut desk = Desk::new();
    let keyring = Keyring::start(&mut desk);
    desk.log_in("keyring").ok();
    desk.set_up_git();
    (desk, keyring)
}

/// Fetches that go on until they are told to end, each with a token of its own.
struct Fetching<'a> {
    desk: &'a Desk,
    done: AtomicBool,
    fetches: AtomicUsize,
}

impl Fetching<'_> {
    fn go_on(&self) {
        while !self.done.load(Ordering::Acquire) {
            self.desk.git_in("web", ["fetch"]).ok();
            self.desk.ghapp(["revoke", "--all"]).ok();
            self.fetches.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Waits until one has begun and ended from now on.
    fn wait_for_one(&self) {
        let (before, deadline) = (self.fetches.load(Ordering::Acquire), Instant::now() + DEADLINE);
        while self.fetches.load(Ordering::Acquire) < before + 2 {
            assert!(Instant::now() < deadline, "nobody fetches any more");
            thread::yield_now();
        }
    }
}

#[test]
fn a_key_is_replaced_while_git_goes_on() {
    if !keyring::available() {
        return;
    }
    let (desk, _keyring) = desk_with_keyring();
    let (old, new) = (desk.app.fingerprint(), new_key(&desk));
    desk.clone("acme/web").ok();
    let fetching = Fetching { desk: &desk, done: AtomicBool::new(false), fetches: AtomicUsize::new(0) };
    thread::scope(|scope| {
        let git = scope.spawn(|| fetching.go_on());
        fetching.wait_for_one();
        let rotated = give(&desk, "rotate", &new.pem);
        rotated.ok();
        let page = format!("https://{}/organizations/acme/settings/apps/acme-bot\n", desk.github.host());
        let here = format!("ghapp key remove {old} --app acme-bot");
        assert!(rotated.stdout().contains(&page) && rotated.stdout().contains(&here), "{}", rotated.stdout());
        assert_eq!(keys(&desk), ok(&[&new.fingerprint, old]));
        assert_eq!(stored(&desk), sorted(&[&new.fingerprint, old]));
        fetching.wait_for_one();
        desk.github.remove_key(&desk.app, desk.app.pem());
        fetching.wait_for_one();
        process::run(desk.command("sh").args(["-c", &here]), b"").ok();
        fetching.wait_for_one();
        fetching.done.store(true, Ordering::Release);
        git.join().expect("every fetch succeeds");
    });
    assert_eq!(keys(&desk), ok(&[&new.fingerprint]));
    assert_eq!(stored(&desk), [new.fingerprint.as_str()]);
    assert_eq!(desk.ghapp_json(["status"])["apps"][0]["key_fingerprint"], new.fingerprint);
    desk.kill_agent();
    let before = desk.github.calls();
    desk.token("acme/web");
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [201], "the new key is in the keyring and in the file");
}

#[test]
fn when_github_refuses_a_key_the_next_one_signs_after_one_more_call() {
    let desk = Desk::new();
    let agent = Running::spawn(desk.command(binary("ghapp-agent")).arg("--foreground"));
    agent.wait_for_line("listening");
    desk.log_in("memory").ok();
    desk.set_up_git();
    let (old, new) = (desk.app.fingerprint(), new_key(&desk));
    give(&desk, "add", &new.pem).ok();
    assert_eq!(keys(&desk), ok(&[old, &new.fingerprint]));
    let configured = fs::read_to_string(desk.config_file()).unwrap();
    let token = desk.token("acme/web");

    desk.github.remove_key(&desk.app, desk.app.pem());
    let before = desk.github.calls();
    desk.token("acme/api");
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [401, 201]);
    assert_eq!(desk.token("acme/web"), token, "a token outlives the key that it was minted with");
    desk.ghapp(["revoke", "--all"]).ok();
    let before = desk.github.calls();
    desk.token("acme/web");
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [201], "from then on it is asked first");

    let refused = vec![(new.fingerprint.clone(), "ok".to_owned()), (old.to_owned(), "key_refused".to_owned())];
    assert_eq!(keys(&desk), refused);
    agent.wait_for_line("GitHub refuses a key");
    let command = format!("ghapp key remove {old} --app acme-bot");
    for arguments in [["key", "list"].as_slice(), &["status"]] {
        desk.ghapp(arguments.iter().copied()).ok().stderr_contains("GitHub refuses the key").stderr_contains(&command);
    }
    let app = &desk.ghapp_json(["status"])["apps"][0];
    assert_eq!((&app["key_fingerprint"], &app["state"]), (&json!(new.fingerprint), &json!("ok")));
    assert_eq!(app["refused_keys"], json!([old]));
    let lines: Vec<_> = desk.audit().into_iter().filter(|line| line["call"] == "key_refused").collect();
    assert_eq!(lines.len(), 1, "it is said once: {lines:?}");
    assert_eq!((&lines[0]["key"], &lines[0]["next_key"]), (&json!(old), &json!(new.fingerprint)));
    let doctor = desk.ghapp_json(["doctor", "acme/web"]);
    let checks = doctor["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["fix"] == json!(command)).expect("the doctor says what can be done");
    assert_eq!(check["state"], "warn", "{check}");
    assert!(checks.iter().all(|check| check["id"] != "agent-config" || check["state"] == "ok"), "{checks:?}");
    assert_eq!(fs::read_to_string(desk.config_file()).unwrap(), configured, "the file is a person's");

    process::run(desk.command("sh").args(["-c", &command]), b"").ok();
    assert_eq!(keys(&desk), ok(&[&new.fingerprint]));
    assert_eq!(desk.ghapp(["status"]).ok().stderr(), "");
}

#[test]
fn a_lookup_falls_over_as_a_mint_does_and_all_who_wait_get_their_tokens() {
    let desk = Desk::ready();
    let new = new_key(&desk);
    give(&desk, "add", &new.pem).ok();
    desk.github.remove_key(&desk.app, desk.app.pem());
    let before = desk.github.calls();
    thread::scope(|scope| {
        for repository in ["acme/web", "acme/api"].repeat(4) {
            scope.spawn(|| desk.token(repository));
        }
    });
    assert_eq!(answers(&before, &desk, Endpoint::UserInstallation), [401, 200]);
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [201, 201]);
}

#[test]
fn a_call_that_a_rotation_overtakes_is_made_with_the_new_key() {
    let desk = Desk::ready();
    let new = new_key(&desk);
    let hold = desk.github.hold(Endpoint::Mint);
    let before = desk.github.calls();
    thread::scope(|scope| {
        let token = scope.spawn(|| desk.token("acme/web"));
        desk.github.wait_until(|calls| calls.of(Endpoint::Mint) == 1);
        give(&desk, "rotate", &new.pem).ok();
        desk.ghapp(["key", "remove", desk.app.fingerprint()]).ok();
        desk.github.remove_key(&desk.app, desk.app.pem());
        hold.release();
        token.join().expect("git does not notice");
    });
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [401, 201]);
    assert_eq!(keys(&desk), ok(&[&new.fingerprint]));
}

#[test]
fn a_key_that_is_removed_while_it_is_tried_is_nobodys_concern() {
    let desk = Desk::ready();
    let new = new_key(&desk);
    give(&desk, "add", &new.pem).ok();
    let hold = desk.github.hold(Endpoint::Mint);
    let before = desk.github.calls();
    thread::scope(|scope| {
        let token = scope.spawn(|| desk.token("acme/web"));
        desk.github.wait_until(|calls| calls.of(Endpoint::Mint) == 1);
        desk.ghapp(["key", "remove", desk.app.fingerprint()]).ok();
        desk.github.remove_key(&desk.app, desk.app.pem());
        hold.release();
        token.join().expect("git does not notice");
    });
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [401, 201]);
    assert_eq!(desk.ghapp(["status"]).ok().stderr(), "");
    assert!(desk.audit().iter().all(|line| line["call"] != "key_refused"));
}

#[test]
fn when_github_refuses_every_key_each_is_tried_once_and_nothing_is_concluded() {
    let desk = Desk::ready();
    let new = new_key(&desk);
    give(&desk, "add", &new.pem).ok();
    desk.token("acme/web");
    desk.github.remove_key(&desk.app, desk.app.pem());
    desk.github.remove_key(&desk.app, &new.pem);
    for _ in 0..2 {
        let before = desk.github.calls();
        let token = desk.ghapp(["token", "acme/api"]);
        token.failed().stderr_contains("error[E15]").stderr_contains(&new.fingerprint);
        assert_eq!(token.status.code(), Some(7));
        assert_eq!(answers(&before, &desk, Endpoint::Mint), [401, 401]);
    }
    assert_eq!(keys(&desk), ok(&[desk.app.fingerprint(), &new.fingerprint]));
    let verify = desk.ghapp(["key", "verify"]);
    assert_eq!(verify.status.code(), Some(7), "{}", verify.stdout());
    assert_eq!(verify.stdout().matches("does not accept the key").count(), 2, "{}", verify.stdout());
}

#[test]
fn a_wrong_clock_is_no_reason_to_take_another_key() {
    let desk = Desk::ready();
    give(&desk, "add", &new_key(&desk).pem).ok();
    desk.token("acme/web");
    desk.github.clock_ahead(SignedDuration::from_mins(20));
    desk.ghapp(["revoke", "--all"]).ok();
    let before = desk.github.calls();
    desk.token("acme/web");
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [401, 201]);
    assert_eq!(keys(&desk)[0], (desk.app.fingerprint().to_owned(), "ok".to_owned()));
    assert_eq!(desk.ghapp_json(["status"])["apps"][0]["refused_keys"], Value::Null);
}

#[test]
fn the_key_of_another_app_is_refused_and_nothing_is_left_behind() {
    if !keyring::available() {
        return;
    }
    let (desk, _keyring) = desk_with_keyring();
    let other = desk.github.create_app("other-bot", "acme");
    let configured = fs::read_to_string(desk.config_file()).unwrap();
    let file = desk.path("other.pem");
    fs::write(&file, other.pem()).unwrap();
    for verb in ["add", "rotate"] {
        let outcome = desk.ghapp(["key", verb, "--delete-pem", "--pem", file.to_str().unwrap()]);
        outcome.failed().stderr_contains("error[E15]").stderr_contains(other.fingerprint());
        assert_eq!(outcome.status.code(), Some(7));
    }
    assert!(file.exists(), "it may be needed");
    assert_eq!(fs::read_to_string(desk.config_file()).unwrap(), configured);
    assert_eq!(stored(&desk), [desk.app.fingerprint()]);
    assert_eq!(keys(&desk), ok(&[desk.app.fingerprint()]));
}

#[test]
fn the_file_with_a_key_is_deleted_once_the_keyring_has_it() {
    if !keyring::available() {
        return;
    }
    let (desk, _keyring) = desk_with_keyring();
    let (new, file) = (new_key(&desk), desk.path("new.pem"));
    fs::write(&file, &new.pem).unwrap();
    let added = desk.ghapp(["key", "add", "--delete-pem", "--pem", file.to_str().unwrap()]);
    assert!(added.ok().stdout().contains("Deleted"), "{}", added.stdout());
    assert!(!file.exists());
    assert_eq!(stored(&desk), sorted(&[desk.app.fingerprint(), &new.fingerprint]));
}

#[test]
fn two_keys_that_come_at_once_both_count() {
    let desk = Desk::ready();
    let new = [new_key(&desk), new_key(&desk)];
    let hold = desk.github.hold(Endpoint::AppGet);
    let before = desk.github.calls().of(Endpoint::AppGet);
    thread::scope(|scope| {
        let both: Vec<_> = new.iter().map(|key| scope.spawn(|| give(&desk, "add", &key.pem))).collect();
        desk.github.wait_until(|calls| calls.of(Endpoint::AppGet) == before + 2);
        hold.release();
        for one in both {
            one.join().unwrap().ok();
        }
    });
    let mut found: Vec<_> = keys(&desk).into_iter().map(|(fingerprint, _)| fingerprint).collect();
    assert_eq!(found.remove(0), desk.app.fingerprint());
    found.sort();
    assert_eq!(found, sorted(&[&new[0].fingerprint, &new[1].fingerprint]));
    desk.ghapp(["key", "verify"]).ok();
}

#[test]
fn a_lock_that_comes_before_the_key_is_kept_wins() {
    if !keyring::available() {
        return;
    }
    let (desk, _keyring) = desk_with_keyring();
    let new = new_key(&desk);
    let configured = fs::read_to_string(desk.config_file()).unwrap();
    let hold = desk.github.hold(Endpoint::AppGet);
    let before = desk.github.calls().of(Endpoint::AppGet);
    thread::scope(|scope| {
        let rotated = scope.spawn(|| give(&desk, "rotate", &new.pem));
        desk.github.wait_until(|calls| calls.of(Endpoint::AppGet) == before + 1);
        desk.ghapp(["lock"]).ok();
        hold.release();
        rotated.join().unwrap().failed().stderr_contains("error[E08]");
    });
    assert_eq!(fs::read_to_string(desk.config_file()).unwrap(), configured);
    assert_eq!(stored(&desk), [desk.app.fingerprint()], "what was saved behind the lock was taken back");
    for arguments in [["key", "verify"].as_slice(), &["key", "remove", desk.app.fingerprint()]] {
        desk.ghapp(arguments.iter().copied()).failed().stderr_contains("error[E08]");
    }
    give(&desk, "add", &new.pem).failed().stderr_contains("error[E08]");
    desk.ghapp(["unlock"]).ok();
    give(&desk, "add", &new.pem).ok();
}

#[test]
fn a_lock_forgets_every_key_in_memory() {
    let desk = Desk::ready();
    let new = new_key(&desk);
    give(&desk, "add", &new.pem).ok();
    desk.ghapp(["lock"]).ok().stderr_contains("the key of acme-bot was in memory only");
    desk.ghapp(["unlock"]).ok();
    let states: Vec<_> = keys(&desk).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["login_needed", "login_needed"]);
    // Each can be put back by itself.
    give(&desk, "add", &new.pem).ok();
    give(&desk, "rotate", desk.app.pem()).ok();
    assert_eq!(keys(&desk), ok(&[desk.app.fingerprint(), &new.fingerprint]));
}

#[test]
fn removing_the_key_that_signs_makes_the_next_one_sign_and_the_last_one_stays() {
    if !keyring::available() {
        return;
    }
    let (desk, _keyring) = desk_with_keyring();
    let (old, new) = (desk.app.fingerprint(), new_key(&desk));
    give(&desk, "add", &new.pem).ok();
    desk.token("acme/web");
    let unknown = desk.ghapp(["key", "remove", "SHA256:nobody"]);
    unknown.failed().stderr_contains("error[E60]");
    assert_eq!(unknown.status.code(), Some(1));
    // A beginning without the prefix will do.
    let removed = desk.ghapp(["key", "remove", &old["SHA256:".len()..][..12]]);
    assert!(removed.ok().stdout().contains(&format!("{} signs", new.fingerprint)), "{}", removed.stdout());
    assert_eq!((keys(&desk), stored(&desk)), (ok(&[&new.fingerprint]), vec![new.fingerprint.clone()]));
    // No JWT of the key that is gone is used any more.
    desk.github.remove_key(&desk.app, desk.app.pem());
    let before = desk.github.calls();
    desk.token("acme/api");
    assert_eq!(answers(&before, &desk, Endpoint::Mint), [201]);
    let last = desk.ghapp(["key", "remove", &new.fingerprint]);
    last.failed().stderr_contains("error[E61]").stderr_contains("ghapp logout acme-bot");
    assert_eq!(stored(&desk), [new.fingerprint.as_str()]);
    let calls: Vec<_> = desk.audit().into_iter().filter(|line| line["call"] == "key_remove").collect();
    let outcomes: Vec<_> = calls.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["ok", "error E61"]);
    assert_eq!(calls[0]["key"], old);
}

#[test]
fn a_key_that_a_locked_keyring_keeps_is_not_forgotten() {
    if !keyring::available() {
        return;
    }
    let (desk, mut keyring) = desk_with_keyring();
    let (old, new) = (desk.app.fingerprint(), new_key(&desk));
    give(&desk, "add", &new.pem).ok();
    Keyring::lock(&desk);
    desk.ghapp(["key", "remove", old]).failed().stderr_contains("error[E11]");
    keyring.end_daemon();
    keyring.unlock(&desk);
    assert_eq!(keys(&desk), ok(&[old, &new.fingerprint]), "in its old place");
    desk.ghapp(["key", "remove", old]).ok();
    assert_eq!(stored(&desk), [new.fingerprint.as_str()]);
}

#[test]
fn a_keyring_that_is_locked_is_no_reason_to_take_another_key_and_one_that_has_lost_it_is() {
    if !keyring::available() {
        return;
    }
    let (desk, mut keyring) = desk_with_keyring();
    let (old, new) = (desk.app.fingerprint(), new_key(&desk));
    give(&desk, "add", &new.pem).ok();
    Keyring::lock(&desk);
    desk.ghapp(["token", "acme/web"]).failed().stderr_contains("error[E11]");
    keyring.end_daemon();
    keyring.unlock(&desk);
    desk.token("acme/web");
    assert_eq!(keys(&desk), ok(&[old, &new.fingerprint]));

    let name = format!("{}/{}/{old}", desk.github.host(), desk.app.app_id);
    process::run(desk.command("secret-tool").args(["clear", "service", "ghapp", "username", &name]), b"").ok();
    assert_eq!(stored(&desk), [new.fingerprint.as_str()]);
    desk.ghapp(["agent", "reload"]).ok(); // the JWT at hand is forgotten
    desk.token("acme/api");
    let gone = vec![(new.fingerprint.clone(), "ok".to_owned()), (old.to_owned(), "key_missing".to_owned())];
    assert_eq!(keys(&desk), gone);
    let lines: Vec<_> = desk.audit().into_iter().filter(|line| line["call"] == "key_missing").collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    // Added again it is as good as before.
    give(&desk, "add", desk.app.pem()).ok();
    assert_eq!(keys(&desk), ok(&[old, &new.fingerprint]));
}

#[test]
fn verify_tells_of_each_key_whether_github_accepts_it() {
    let desk = Desk::ready();
    let (old, new, third) = (desk.app.fingerprint(), new_key(&desk), new_key(&desk));
    give(&desk, "add", &new.pem).ok();
    give(&desk, "add", &third.pem).ok();
    let before = desk.github.calls();
    desk.ghapp(["key", "verify"]).ok();
    assert_eq!(answers(&before, &desk, Endpoint::AppGet), [200, 200, 200]);
    desk.github.remove_key(&desk.app, &new.pem);
    let verify = desk.ghapp(["key", "verify"]);
    assert_eq!(verify.status.code(), Some(7));
    let stdout = verify.stdout();
    let line = |key: &str| stdout.lines().find(|line| line.contains(key)).unwrap_or_default();
    assert!(line(old).contains("accepted") && line(&third.fingerprint).contains("accepted"), "{stdout}");
    assert!(line(&new.fingerprint).contains("does not accept"), "{stdout}");
    let states: Vec<_> = keys(&desk).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["ok", "ok", "key_refused"], "the refused one comes last");
    desk.ghapp(["key", "verify", &third.fingerprint[..20]]).ok();
    // One that GitHub takes again is as good as before.
    desk.ghapp(["agent", "reload"]).ok();
    assert_eq!(keys(&desk), ok(&[old, &new.fingerprint, &third.fingerprint]));
    let json = process::run(desk.command(binary("ghapp")).args(["key", "verify", "--json"]), b"");
    assert_eq!(json.status.code(), Some(7));
    let json: Value = serde_json::from_str(&json.stdout()).unwrap();
    let refused = json["keys"].as_array().unwrap().iter().find(|key| key["state"] == "key_refused").unwrap();
    assert!(refused["error"].as_str().unwrap().contains("does not accept"), "{refused}");
}

#[test]
fn an_app_has_so_many_keys_and_no_more() {
    let desk = Desk::ready();
    for _ in 1..MAX_KEYS {
        give(&desk, "add", &new_key(&desk).pem).ok();
    }
    let before = desk.github.calls();
    let one_more = give(&desk, "rotate", &new_key(&desk).pem);
    one_more.failed().stderr_contains("error[E62]");
    assert_eq!(desk.github.calls().len(), before.len(), "GitHub is not asked");
    give(&desk, "rotate", desk.app.pem()).ok();
    assert_eq!(keys(&desk).len(), MAX_KEYS);
}

#[test]
fn a_login_replaces_the_key_that_signs_and_a_logout_deletes_all() {
    if !keyring::available() {
        return;
    }
    let (desk, _keyring) = desk_with_keyring();
    let (new, third) = (new_key(&desk), new_key(&desk));
    give(&desk, "add", &new.pem).ok();
    let flags = desk.login_flags(&desk.app, "keyring");
    let log_in = |desk: &Desk, pem: &str| {
        process::run(desk.command(binary("ghapp")).args(["login", "--pem", "-"]).args(&flags), pem.as_bytes())
    };
    desk.log_in("keyring").ok();
    assert_eq!(keys(&desk), ok(&[desk.app.fingerprint(), &new.fingerprint]), "the same key changes nothing");
    log_in(&desk, &third.pem).ok();
    assert_eq!(keys(&desk), ok(&[&third.fingerprint, &new.fingerprint]));
    assert_eq!(stored(&desk), sorted(&[&third.fingerprint, &new.fingerprint]), "the old one is deleted");
    log_in(&desk, &new.pem).ok();
    assert_eq!((keys(&desk), stored(&desk)), (ok(&[&new.fingerprint]), vec![new.fingerprint.clone()]));
    give(&desk, "add", &third.pem).ok();
    desk.ghapp(["logout"]).ok();
    assert_eq!(stored(&desk), Vec::<String>::new());
    // In another store the others would not be found: they go with the one.
    desk.log_in("keyring").ok();
    give(&desk, "add", &third.pem).ok();
    desk.log_in("memory").ok();
    assert_eq!((keys(&desk), stored(&desk)), (ok(&[desk.app.fingerprint()]), vec![]));
}

#[test]
fn encrypted_files_of_one_app_have_one_passphrase() {
    let desk = Desk::new();
    desk.log_in_with_passphrase(&desk.app, PASSPHRASE).ok();
    desk.set_up_git();
    let new = new_key(&desk);
    let wrong = give_with_passphrase(&desk, "add", &new, "another passphrase");
    wrong.failed().stderr_contains("error[E56]");
    assert_eq!((wrong.status.code(), desk.key_files().len()), (Some(4), 1));
    assert_eq!(give(&desk, "add", &new.pem).status.code(), Some(2), "nobody can be asked");
    give_with_passphrase(&desk, "add", &new, PASSPHRASE).ok();
    assert_eq!(desk.key_files().len(), 2);
    desk.ghapp(["lock"]).ok();
    assert_eq!(desk.unlock(PASSPHRASE).ok().stderr(), "");
    assert_eq!(keys(&desk), ok(&[desk.app.fingerprint(), &new.fingerprint]));
    desk.github.remove_key(&desk.app, desk.app.pem());
    desk.token("acme/web");
    desk.ghapp(["logout"]).ok();
    assert_eq!(desk.key_files().len(), 0);
}

#[test]
fn a_wrong_passphrase_for_a_key_counts_as_a_guess() {
    let desk = Desk::new();
    desk.log_in_with_passphrase(&desk.app, PASSPHRASE).ok();
    let new = new_key(&desk);
    for _ in 0..3 {
        give_with_passphrase(&desk, "add", &new, "another passphrase").failed().stderr_contains("error[E56]");
    }
    give_with_passphrase(&desk, "add", &new, PASSPHRASE).failed().stderr_contains("error[E57]");
    desk.ghapp(["lock"]).ok();
    desk.unlock(PASSPHRASE).failed().stderr_contains("error[E57]");
}

#[test]
fn a_key_of_the_service_manager_gets_no_other_beside_it() {
    let mut desk = Desk::new();
    let directory = desk.path("credentials");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("ghapp-acme-bot"), desk.app.pem()).unwrap();
    fs::set_permissions(directory.join("ghapp-acme-bot"), std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    desk.set_env("CREDENTIALS_DIRECTORY", &directory);
    let mut login = desk.command(binary("ghapp"));
    process::run(login.arg("login").args(desk.login_flags(&desk.app, "credentials-dir")), b"").ok();
    let outcome = give(&desk, "rotate", &new_key(&desk).pem);
    outcome.failed().stderr_contains("error[E46]").stderr_contains("replace the credential ghapp-acme-bot");
    assert_eq!(keys(&desk), ok(&[desk.app.fingerprint()]));
}

#[test]
fn no_key_is_printed_or_logged_by_any_of_it() {
    let mut desk = Desk::ready();
    let trace = desk.path("trace.log");
    desk.stop_agent();
    desk.set_env("GHAPP_TRACE", &trace);
    desk.log_in("memory").ok();
    let (new, other) = (new_key(&desk), desk.github.create_app("other-bot", "acme"));
    let mut seen = vec![give(&desk, "add", &new.pem), give(&desk, "rotate", &new.pem), give(&desk, "add", other.pem())];
    desk.github.remove_key(&desk.app, &new.pem);
    desk.token("acme/web");
    for arguments in [
        &["key", "list"][..],
        &["key", "list", "--json"],
        &["key", "verify", "-v"],
        &["key", "add", "--pem", &new.pem],
        &["key", "remove", &new.fingerprint],
        &["key", "remove", desk.app.fingerprint()],
        &["logs"],
    ] {
        seen.push(desk.ghapp(arguments.iter().copied()));
    }
    let mut texts: Vec<_> = seen.into_iter().map(|it| (it.command, [it.stdout, it.stderr].concat())).collect();
    for file in [desk.config_file(), desk.audit_file(), trace] {
        texts.push((file.display().to_string(), fs::read(file).unwrap()));
    }
    for secrets in [Secrets::of(&desk), Secrets::of_key(&new.pem), Secrets::of_key(other.pem())] {
        for (place, bytes) in &texts {
            let found = secrets.found_in(bytes);
            assert!(found.is_empty(), "{found:?} in {place}: {}", String::from_utf8_lossy(bytes));
        }
    }
}
