//! Several keys of one App: added, proved, replaced while git goes on, removed; and the next one that signs when GitHub refuses one.

mod changing;
mod next_key;
mod passphrases;

use ghapp_tests::github::{Calls, Endpoint, fingerprint_of};
use ghapp_tests::keyring::Keyring;
use ghapp_tests::process::{self, Output};
use ghapp_tests::{Desk, binary};
use serde_json::Value;

/// A key that GitHub has for the desk's App, and no store here yet.
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
