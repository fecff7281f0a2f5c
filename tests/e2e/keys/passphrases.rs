//! Encrypted files of one App: one passphrase opens them all.

use std::fs;

use ghapp_tests::process::{self, Output};
use ghapp_tests::{Desk, binary};

use super::{NewKey, give, keys, new_key, ok};

const PASSPHRASE: &str = "correct horse battery staple";

/// The same for an encrypted file, with the passphrase on standard input.
fn give_with_passphrase(desk: &Desk, verb: &str, key: &NewKey, passphrase: &str) -> Output {
    let file = desk.path("new.pem");
    fs::write(&file, &key.pem).expect("the sandbox is writable");
    let mut command = desk.command(binary("ghapp"));
    process::run(command.args(["key", verb, "--passphrase-file", "-", "--pem"]).arg(&file), passphrase.as_bytes())
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
    assert_eq!(give(&desk, "add", &new.pem).status.code(), Some(2), "there is no terminal to ask at");
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
