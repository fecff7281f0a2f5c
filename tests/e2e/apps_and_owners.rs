//! Which App and which installation: by owner, never the first of several, and never a guess.

use ghapp_tests::Desk;
use ghapp_tests::desk::GIT_PERMISSIONS;
use ghapp_tests::github::{AccountKind, Endpoint, Selection};

#[test]
fn two_owners_get_tokens_of_their_own_installations() {
    let desk = Desk::ready();
    desk.github.create_account("mona", AccountKind::User);
    desk.github.create_repository("mona/notes");
    let other = desk.github.install(&desk.app, "mona", Selection::All, GIT_PERMISSIONS);
    desk.clone("acme/web").ok();
    desk.clone("mona/notes").ok();
    let installations: Vec<_> = desk.github.mints().iter().map(|mint| mint.installation_id).collect();
    assert_eq!(installations, [desk.installation, other]);
}

// rule 41
#[test]
fn an_owner_without_the_app_is_left_to_the_next_helper_with_a_hint() {
    let desk = Desk::ready();
    desk.github.create_account("octo", AccountKind::Organization);
    desk.github.create_repository("octo/lib");
    let key = format!("credential.https://{}.helper", desk.github.host());
    desk.git(["config", "--global", "--add", &key, "!f() { echo username=next; echo password=helper; }; f"]).ok();
    let filled = desk.fill("octo/lib");
    assert!(filled.ok().stdout().contains("username=next\n"), "{}", filled.stdout());
    filled.stderr_contains("acme-bot is not installed on octo");
    assert_eq!(filled.stderr().lines().count(), 1, "{}", filled.stderr());
    assert_eq!(desk.github.calls().of(Endpoint::Mint), 0);
    desk.ghapp(["token", "octo/lib"]).failed().stderr_contains("error[E17]");
    assert_eq!(desk.ghapp(["token", "octo/lib"]).status.code(), Some(9));
}

#[test]
fn a_repository_that_was_not_selected_is_left_to_the_next_helper_with_a_hint() {
    let desk = Desk::ready();
    desk.github.select(desk.installation, Selection::selected(&["api"]));
    let filled = desk.fill("acme/web");
    filled.failed().stderr_contains("does not include acme/web");
    assert!(!filled.stderr().contains("told us to quit"), "{}", filled.stderr());
    assert_eq!(desk.ghapp(["token", "acme/web"]).status.code(), Some(9));
    desk.clone("acme/api").ok();
}

#[test]
fn an_unknown_host_is_not_touched_and_the_next_helper_is_asked() {
    let desk = Desk::ready();
    desk.git(["config", "--global", "--add", "credential.helper", "ghapp"]).ok();
    let next = "!f() { echo username=next; echo password=helper; }; f";
    desk.git(["config", "--global", "--add", "credential.helper", next]).ok();
    let before = desk.github.calls().api();
    let filled = desk.git_credential("fill", "protocol=https\nhost=gitlab.example\npath=acme/web.git\n\n");
    assert!(filled.ok().stdout().contains("username=next\n"));
    assert_eq!(filled.stderr(), "", "nothing is said about what is not ours");
    assert_eq!(desk.github.calls().api(), before);
}

#[test]
fn two_apps_on_one_owner_need_a_rule_and_the_error_names_both() {
    let desk = Desk::ready();
    let second = desk.github.create_app("ci-bot", "acme");
    desk.github.install(&second, "acme", Selection::All, GIT_PERMISSIONS);
    desk.log_in_as(&second, "memory").ok();
    desk.fill("acme/web").failed().stderr_contains("acme-bot, ci-bot").stderr_contains("told us to quit");
    let host = desk.github.host();
    desk.configure(&format!("\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"ci-bot\"\n")).ok();
    desk.clone("acme/web").ok();
    assert_eq!(desk.github.mints()[0].app_id, second.app_id);
}

#[test]
fn a_reinstalled_app_is_found_under_its_new_number() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.github.uninstall(desk.installation);
    let new = desk.github.install(&desk.app, "acme", Selection::All, GIT_PERMISSIONS);
    // Another repository: the old installation is still remembered, and GitHub no longer knows it.
    desk.clone("acme/api").ok();
    assert_eq!(desk.github.mints().last().unwrap().installation_id, new);
}

#[test]
fn a_suspended_installation_stops_git_and_is_named() {
    let desk = Desk::ready();
    desk.github.suspend(desk.installation);
    desk.fill("acme/web").failed().stderr_contains("is suspended").stderr_contains("told us to quit");
    assert_eq!(desk.ghapp(["token", "acme/web"]).status.code(), Some(7));
}

#[test]
fn without_a_path_there_is_no_guess_and_one_hint() {
    let desk = Desk::ready();
    let attributes = format!("protocol=https\nhost={}\n\n", desk.github.host());
    // A client that does not honour useHttpPath asks the helper directly.
    let helper = ghapp_tests::binary("git-credential-ghapp");
    let answer = ghapp_tests::process::run(desk.command(helper).arg("get"), attributes.as_bytes());
    assert_eq!(answer.ok().stdout(), "");
    answer.stderr_contains("useHttpPath");
    assert_eq!(answer.stderr().lines().count(), 1);
}

#[test]
fn a_widened_grant_is_picked_up_by_asking_github_anew() {
    let desk = Desk::ready();
    desk.github.grant(desk.installation, &[("contents", "read"), ("metadata", "read")]);
    desk.clone("acme/web").ok();
    desk.commit("web", "README.md", "hello");
    desk.git_in("web", ["push", "--quiet"]).failed();
    desk.github.grant(desk.installation, GIT_PERMISSIONS);
    // The token at hand and the grant that the agent remembers are the old ones; git tells no helper about a 403.
    let apps = desk.ghapp_json(["apps", "--refresh"]);
    assert_eq!(apps["apps"][0]["installations"][0]["permissions"]["contents"], "write");
    desk.git_in("web", ["push", "--quiet"]).ok();
    assert_eq!(desk.github.mints()[1].permissions.level("contents"), Some("write"));
}
