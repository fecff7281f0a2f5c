//! Editors and graphical programs that run git: what they put into its environment and on its command line.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ghapp_tests::Desk;

/// Makes git ask for passwords as it does inside an editor. Returns the file that exists once a person would have been asked.
fn ask_through_editor(desk: &mut Desk) -> PathBuf {
    let (program, asked) = (desk.path("askpass"), desk.path("asked"));
    fs::write(&program, format!("#!/bin/sh\necho >{}\nexit 1\n", asked.display())).expect("the sandbox is writable");
    fs::set_permissions(&program, Permissions::from_mode(0o755)).expect("it is this user's");
    desk.set_env("GIT_ASKPASS", program);
    asked
}

#[test]
fn an_editor_asks_nobody_for_a_password_when_the_helper_answers() {
    let mut desk = Desk::ready();
    let asked = ask_through_editor(&mut desk);
    desk.clone("acme/web").ok();
    desk.commit("web", "README.md", "hello");
    desk.git_in("web", ["push", "--quiet"]).ok();
    assert!(!asked.exists());
}

#[test]
fn an_editor_asks_nobody_for_a_password_when_the_helper_refuses_either() {
    let mut desk = Desk::ready();
    let asked = ask_through_editor(&mut desk);
    desk.github.suspend(desk.installation);
    desk.clone("acme/web").failed().stderr_contains("is suspended").stderr_contains("told us to quit");
    assert!(!asked.exists(), "a password is not what is missing");
}

#[test]
fn a_program_that_empties_gits_list_of_helpers_does_not_reach_ours() {
    let desk = Desk::ready();
    let url = desk.github.clone_url("acme/web");
    desk.git(["-c", "credential.helper=", "ls-remote", &url]).failed().stderr_contains("could not read Username");
    assert_eq!(desk.github.mints().len(), 0);
    desk.git(["-c", "credential.helper=", "-c", "credential.helper=ghapp", "ls-remote", &url]).ok();
}
