//! git clones, fetches and pushes as the App, with a token that reaches one repository, minted once.

use ghapp_tests::Desk;
use ghapp_tests::github::{Endpoint, TokenShape};

#[test]
fn a_private_repository_is_cloned_changed_and_pushed() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.commit("web", "README.md", "hello");
    desk.git_in("web", ["push", "--quiet"]).ok();
    let pushed = desk.git_in("web", ["rev-parse", "HEAD"]).ok().stdout();
    assert_eq!(desk.github.head("acme/web", "main").as_deref(), Some(pushed.trim()));
}

#[test]
fn a_token_reaches_exactly_the_requested_repository_and_does_what_git_needs() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    let mints = desk.github.mints();
    assert_eq!(mints.len(), 1);
    assert_eq!(mints[0].repositories.as_deref(), Some(&["web".to_owned()][..]));
    assert_eq!(mints[0].permissions.level("contents"), Some("write"));
    assert_eq!(mints[0].permissions.level("workflows"), Some("write"));
    assert!(mints[0].permissions.level("administration").is_none());

    desk.clone("acme/api").ok();
    let reached: Vec<_> = desk.github.mints().iter().map(|mint| mint.repositories.clone()).collect();
    assert_eq!(reached, [Some(vec!["web".to_owned()]), Some(vec!["api".to_owned()])]);
}

#[test]
fn a_first_clone_costs_one_lookup_and_one_mint_and_a_second_fetch_nothing() {
    let desk = Desk::ready();
    let before = desk.github.calls().api();
    desk.clone("acme/web").ok();
    let calls = desk.github.calls();
    assert_eq!(calls.of(Endpoint::UserInstallation), 1);
    assert_eq!(calls.of(Endpoint::Mint), 1);
    assert_eq!(calls.api() - before, 2, "and nothing else");

    desk.git_in("web", ["fetch", "--quiet"]).ok();
    desk.git_in("web", ["pull", "--quiet"]).ok();
    assert_eq!(desk.github.calls().api() - before, 2);

    desk.clone("acme/api").ok();
    assert_eq!(desk.github.calls().api() - before, 3, "a known owner costs one mint");
}

#[test]
fn workflow_files_can_be_pushed_when_the_app_may_and_only_then() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.commit("web", ".github/workflows/ci.yml", "on: push");
    desk.git_in("web", ["push", "--quiet"]).ok();

    let desk = Desk::new();
    desk.github.grant(desk.installation, &[("contents", "write"), ("metadata", "read")]);
    desk.log_in("memory").ok();
    desk.set_up_git();
    desk.clone("acme/web").ok();
    assert!(desk.github.mints()[0].permissions.level("workflows").is_none(), "lowered to the grant");
    desk.commit("web", ".github/workflows/ci.yml", "on: push");
    desk.git_in("web", ["push", "--quiet"]).failed();
}

#[test]
fn an_app_that_may_only_read_clones_and_cannot_push() {
    let desk = Desk::new();
    desk.github.grant(desk.installation, &[("contents", "read"), ("metadata", "read")]);
    desk.log_in("memory").ok();
    desk.set_up_git();
    desk.clone("acme/web").ok();
    assert_eq!(desk.github.mints()[0].permissions.level("contents"), Some("read"));
    desk.commit("web", "README.md", "hello");
    desk.git_in("web", ["push", "--quiet"]).failed().stderr_contains("403");
}

#[test]
fn both_shapes_of_token_work() {
    for (shape, length) in [(TokenShape::Short, 40), (TokenShape::Long, 400)] {
        let desk = Desk::ready();
        desk.github.token_shape(shape);
        desk.clone("acme/web").ok();
        let token = desk.token("acme/web");
        assert!(token.len() >= length, "{} characters", token.len());
        desk.git_in("web", ["fetch", "--quiet"]).ok();
    }
}

#[test]
fn git_is_told_when_the_token_dies_and_a_minute_early() {
    let desk = Desk::ready();
    let expiry = desk.expiry("acme/web");
    let by_github = desk.github.mints()[0].expires_at.as_second() - 60;
    assert!((by_github - 5..=by_github + 5).contains(&expiry), "{expiry}, and not {by_github}");
    assert!(desk.fill("acme/web").ok().stdout().contains("username=x-access-token\n"));
}

#[test]
fn a_renamed_repository_is_followed_by_its_number() {
    let desk = Desk::ready();
    desk.github.rename_repository("acme/web", "acme/site");
    desk.clone("acme/web").ok();
    assert_eq!(desk.github.mints()[0].repositories.as_deref(), Some(&["site".to_owned()][..]));
}

/// The numbers and the names that a mint asked for.
fn asked(desk: &Desk, mint: usize) -> (usize, usize) {
    let asked = &desk.github.mints()[mint].asked;
    let count = |key: &str| asked[key].as_array().map_or(0, Vec::len);
    (count("repository_ids"), count("repositories"))
}

/// A desk with one token for two repositories.
fn desk_with_a_named_set() -> Desk {
    let desk = Desk::ready();
    let host = desk.github.host();
    let rule = format!("match = \"{host}/acme/*\"\napp = \"acme-bot\"\nrepositories = [\"web\", \"api\"]\n");
    desk.configure(&format!("\n[[rule]]\n{rule}")).ok();
    desk.token("acme/web");
    assert_eq!(asked(&desk, 0), (0, 2), "by names, as long as nothing else is known");
    desk.ghapp(["revoke", "--all"]).ok();
    desk
}

#[test]
fn numbers_are_preferred_once_they_are_known_so_that_a_rename_is_noticed() {
    let desk = desk_with_a_named_set();
    desk.token("acme/web");
    assert_eq!((asked(&desk, 1), desk.github.calls().of(Endpoint::Mint)), ((2, 0), 2));
    desk.ghapp(["revoke", "--all"]).ok();
    desk.github.rename_repository("acme/web", "acme/site");
    desk.clone("acme/api").failed().stderr_contains("would reach acme/site");
    let mints = desk.github.mints();
    assert_eq!(mints[2].repositories, Some(vec!["api".to_owned(), "site".to_owned()]));
    // By numbers, and once by names to see whether another repository has the old one.
    assert_eq!((mints.len(), desk.github.calls().of(Endpoint::Mint)), (3, 4));
}

#[test]
fn an_old_name_that_belongs_to_another_repository_now_means_that_one() {
    let desk = desk_with_a_named_set();
    desk.github.rename_repository("acme/web", "acme/site");
    desk.github.create_repository("acme/web");
    let token = desk.token("acme/web");
    let mints = desk.github.mints();
    assert_eq!(mints.len(), 3);
    assert_eq!((&mints[2].token, &mints[2].repositories), (&token, &Some(vec!["api".to_owned(), "web".to_owned()])));
    // The one for the other repository was minted by number, is not needed, and is dead.
    let revoked = desk.github.calls().of(Endpoint::Revoke);
    assert_eq!((revoked, desk.ghapp_json(["leases"])["leases"].as_array().unwrap().len()), (2, 1));
    desk.ghapp(["revoke", "--all"]).ok();
    desk.token("acme/web");
    assert_eq!((asked(&desk, 3), desk.github.mints().len()), ((2, 0), 4), "the new number is known");
}
