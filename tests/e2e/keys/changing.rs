//! Keys are added, replaced while git goes on, and removed: all of it or nothing.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use ghapp_tests::github::Endpoint;
use ghapp_tests::keyring::{self, Keyring};
use ghapp_tests::process;
use ghapp_tests::secrets::Secrets;
use ghapp_tests::{Desk, binary, eventually};

use super::{answers, desk_with_keyring, give, keys, new_key, ok, sorted, stored};

/// The most keys that an App may have.
const MAX_KEYS: usize = 4;

/// Fetches that go on until they are told to stop, each with a token of its own.
struct Fetching<'a> {
    desk: &'a Desk,
    fetches: AtomicUsize,
}

impl Fetching<'_> {
    fn go_on(&self, end: &Receiver<()>) {
        while end.try_recv() == Err(TryRecvError::Empty) {
            self.desk.git_in("web", ["fetch"]).ok();
            self.desk.ghapp(["revoke", "--all"]).ok();
            self.fetches.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Waits until one has begun and ended after this call.
    fn wait_for_one(&self) {
        let before = self.fetches.load(Ordering::Acquire);
        eventually("a fetch begins and ends", || self.fetches.load(Ordering::Acquire) >= before + 2);
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
    let fetching = Fetching { desk: &desk, fetches: AtomicUsize::new(0) };
    let (over, end) = mpsc::channel();
    thread::scope(|scope| {
        let over = over; // also when something fails
        let (fetching, end) = (&fetching, end);
        let git = scope.spawn(move || fetching.go_on(&end));
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
        drop(over);
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
    // In another store the other keys would not be found: they are deleted too.
    desk.log_in("keyring").ok();
    give(&desk, "add", &third.pem).ok();
    desk.log_in("memory").ok();
    assert_eq!((keys(&desk), stored(&desk)), (ok(&[desk.app.fingerprint()]), vec![]));
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
