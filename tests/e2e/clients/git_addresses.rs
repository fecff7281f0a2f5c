//! Addresses other than those git was given: rewritten ones, and those a server redirects to.

use ghapp_tests::github::{Endpoint, Fault};
use ghapp_tests::{Desk, GitHub};

#[test]
fn addresses_for_ssh_are_rewritten_and_work_without_a_key() {
    let desk = Desk::ready();
    desk.ghapp(["setup-git", "--ssh-remotes", "--owner", "acme"]).ok();
    desk.git(["clone", "--quiet", "git@localhost:acme/web.git"]).ok();
    desk.git(["clone", "--quiet", "ssh://git@localhost/acme/web.git", "again"]).ok();
    desk.commit("web", "README.md", "hello");
    desk.git_in("web", ["push", "--quiet"]).ok();
    desk.git_in("again", ["pull", "--quiet"]).ok();
    let pulled = desk.git_in("again", ["rev-parse", "HEAD"]).ok().stdout();
    assert_eq!(desk.github.head("acme/web", "main").as_deref(), Some(pulled.trim()));
    assert_eq!(desk.github.mints().len(), 1);
}

#[test]
fn a_public_repository_of_a_named_owner_is_fetched_with_a_token_from_the_first_request() {
    let desk = Desk::ready();
    desk.github.create_public_repository("acme/site");
    desk.clone("acme/site").ok();
    assert!(desk.github.mints().is_empty(), "git asks no helper about what everybody may read");
    desk.ghapp(["setup-git", "--public", "--owner", "acme"]).ok();
    let version = desk.git(["version"]).ok().stdout();
    let mut numbers = version.split(|char: char| !char.is_ascii_digit()).filter_map(|part| part.parse::<u32>().ok());
    let knows = (numbers.next().unwrap(), numbers.next().unwrap()) >= (2, 46);
    let before = desk.github.calls().of(Endpoint::GitInfoRefs);
    desk.git_in("site", ["fetch"]).ok();
    assert_eq!(desk.github.mints().len(), usize::from(knows), "{version}");
    // With it: the agent's proof and one request; without: one request.
    assert_eq!(desk.github.calls().of(Endpoint::GitInfoRefs) - before, if knows { 2 } else { 1 });
    desk.ghapp(["setup-git", "--remove", "--public"]).ok();
    desk.ghapp(["revoke", "--all"]).ok();
    desk.git_in("site", ["fetch"]).ok();
    assert_eq!(desk.github.mints().len(), usize::from(knows));
}

#[test]
fn an_address_with_our_user_name_is_answered_and_one_with_somebody_elses_is_not_ours() {
    let desk = Desk::ready();
    let with_user = |user: &str| format!("https://{user}@{}/acme/web.git", desk.github.host());
    desk.git(["clone", "--quiet", &with_user("x-access-token")]).ok();
    let clone = desk.git(["clone", "--quiet", &with_user("octocat"), "other"]);
    clone.failed().stderr_contains("could not read Password for 'https://octocat@");
    assert_eq!(desk.github.mints().len(), 1);
}

#[test]
fn a_redirect_to_a_repositorys_new_name_is_followed_with_a_token_for_the_new_name() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.github.rename_repository("acme/web", "acme/site");
    desk.ghapp(["revoke", "--all"]).ok();
    let before = desk.github.calls();
    let new = format!("{}/info/refs?service=git-upload-pack", desk.github.clone_url("acme/site"));
    desk.github.fault(Endpoint::GitInfoRefs, Fault::moved_permanently(&new), 1);
    desk.git_in("web", ["fetch"]).ok().stderr_contains("warning: redirecting to");
    let mints = desk.github.mints();
    assert_eq!(mints.last().and_then(|mint| mint.repositories.clone()), Some(vec!["site".to_owned()]));
    assert_eq!(desk.github.calls().api() - before.api(), 1, "the mint: the name is not an old one any more");
}

#[test]
fn a_redirect_to_another_host_gets_no_token() {
    let mut desk = Desk::ready();
    let other = GitHub::start();
    other.create_repository("acme/web");
    // git keeps to the first host's certificates while it follows a redirect, so it is told of both in one file.
    let both = [desk.github.ca_file(), other.ca_file()].map(|file| std::fs::read_to_string(file).unwrap()).concat();
    let bundle = desk.path("both.pem");
    std::fs::write(&bundle, both).unwrap();
    desk.set_env("GIT_SSL_CAINFO", bundle);
    desk.token("acme/web");

    let elsewhere = format!("{}/info/refs?service=git-upload-pack", other.clone_url("acme/web"));
    desk.github.fault(Endpoint::GitInfoRefs, Fault::moved_permanently(&elsewhere), 1);
    let clone = desk.clone("acme/web");
    clone.failed().stderr_contains(&format!("could not read Username for 'https://{}'", other.host()));
    assert_eq!(other.calls().of(Endpoint::GitInfoRefs), 1, "it was asked without a credential, and not again");
}
