//! git's own commands: each of them gets, in any directory, a token for the repository that it talks to.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ghapp_tests::Desk;
use ghapp_tests::desk::GIT_PERMISSIONS;
use ghapp_tests::github::{Endpoint, Selection};

/// The repositories that tokens were minted for, in the order of the mints.
fn minted(desk: &Desk) -> Vec<String> {
    desk.github.mints().iter().flat_map(|mint| mint.repositories.clone().expect("no token is wider")).collect()
}

fn gets(desk: &Desk) -> usize {
    desk.audit().iter().filter(|line| line["call"] == "get").count()
}

#[test]
fn what_git_approves_is_kept_nowhere_and_what_it_rejects_is_dropped() {
    let desk = Desk::ready();
    let filled = desk.fill("acme/web").ok().stdout();
    let before = desk.audit().len();
    desk.git_credential("approve", &filled).ok();
    assert_eq!(desk.audit().len(), before, "the agent did not hear of it");
    desk.git_credential("reject", &filled).ok();
    assert_ne!(desk.fill("acme/web").ok().stdout(), filled);
    assert_eq!(minted(&desk), ["web", "web"]);
}

#[test]
fn a_fetch_of_all_remotes_gets_a_token_for_each() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.git_in("web", ["remote", "add", "other", &desk.github.clone_url("acme/api")]).ok();
    desk.git_in("web", ["fetch", "--quiet", "--all", "--jobs", "2"]).ok();
    assert_eq!(minted(&desk), ["web", "api"]);
    let fetched = desk.git_in("web", ["rev-parse", "other/main"]).ok().stdout();
    assert_eq!(desk.github.head("acme/api", "main").as_deref(), Some(fetched.trim()));
}

#[test]
fn a_push_to_an_address_gets_a_token_for_that_repository_and_not_for_the_one_it_runs_in() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.git_in("web", ["push", "--quiet", &desk.github.clone_url("acme/api"), "HEAD:refs/heads/from-web"]).ok();
    assert_eq!(minted(&desk), ["web", "api"]);
    assert_eq!(desk.github.head("acme/api", "from-web"), desk.github.head("acme/web", "main"));
}

#[test]
fn a_question_from_outside_of_any_repository_is_answered() {
    let desk = Desk::ready();
    let listed = desk.git(["ls-remote", &desk.github.clone_url("acme/web"), "main"]).ok().stdout();
    assert_eq!(desk.github.head("acme/web", "main").as_deref(), listed.split('\t').next());
    assert_eq!((minted(&desk), gets(&desk)), (vec!["web".to_owned()], 1));
}

#[test]
fn a_shallow_clone_is_deepened_with_the_same_token() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.commit("web", "README.md", "second");
    desk.git_in("web", ["push", "--quiet"]).ok();
    let commits = || desk.git_in("shallow", ["rev-list", "--count", "HEAD"]).ok().stdout();
    desk.git(["clone", "--quiet", "--depth", "1", &desk.github.clone_url("acme/web"), "shallow"]).ok();
    assert_eq!(commits(), "1\n");
    desk.git_in("shallow", ["fetch", "--quiet", "--unshallow"]).ok();
    assert_eq!(commits(), "2\n");
    assert_eq!(minted(&desk), ["web"]);
}

#[test]
fn a_partial_clone_fetches_what_is_missing_when_it_is_looked_at() {
    let desk = Desk::ready();
    let url = desk.github.clone_url("acme/web");
    desk.git(["clone", "--quiet", "--filter=blob:none", "--no-checkout", &url]).ok();
    let (fetches, asked) = (desk.github.calls().of(Endpoint::GitUploadPack), gets(&desk));
    let content = desk.git_in("web", ["show", "HEAD:README.md"]).ok().stdout();
    assert_eq!(content, "# Hello\n");
    assert!(desk.github.calls().of(Endpoint::GitUploadPack) > fetches, "it was not there before");
    assert_eq!(gets(&desk) - asked, 1);
    assert_eq!(minted(&desk), ["web"]);
}

#[test]
fn submodules_of_two_owners_are_fetched_in_parallel_with_a_token_for_each() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    let mut repositories = vec!["acme/web".to_owned()];
    let mut modules = String::new();
    for (owner, number) in ["acme", "octo"].into_iter().flat_map(|owner| (0..4).map(move |number| (owner, number))) {
        let repository = format!("{owner}/lib{number}");
        desk.github.create_repository(&repository);
        let path = repository.replace('/', "-");
        let url = desk.github.clone_url(&repository);
        write!(modules, "[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n").unwrap();
        // A submodule is a commit in the index; it needs no clone, so all of them are new later.
        let head = desk.github.head(&repository, "main").expect("it has a commit");
        std::fs::create_dir(desk.work().join("web").join(&path)).unwrap();
        desk.git_in("web", ["update-index", "--add", "--cacheinfo", &format!("160000,{head},{path}")]).ok();
        repositories.push(repository);
    }
    desk.github.install(&desk.app, "octo", Selection::All, GIT_PERMISSIONS);
    desk.commit("web", ".gitmodules", &modules);
    desk.git_in("web", ["push", "--quiet"]).ok();

    let url = desk.github.clone_url("acme/web");
    desk.git(["clone", "--quiet", "--recurse-submodules", "--jobs", "8", &url, "everything"]).ok();
    for path in repositories[1..].iter().map(|repository| repository.replace('/', "-")) {
        assert!(desk.work().join("everything").join(&path).join("README.md").is_file(), "{path}");
    }
    desk.git_in("everything", ["fetch", "--quiet", "--recurse-submodules", "--jobs", "8"]).ok();
    let calls = desk.github.calls();
    assert_eq!((calls.of(Endpoint::UserInstallation), calls.of(Endpoint::Mint)), (2, repositories.len()));
    let tokens: BTreeSet<_> = desk.github.mints().into_iter().map(|mint| mint.token).collect();
    assert_eq!(tokens.len(), repositories.len());
}

#[test]
fn a_worktree_fetches_and_pushes_like_its_repository() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.git_in("web", ["worktree", "add", "--quiet", "-b", "topic", "../tree"]).ok();
    desk.git_in("tree", ["fetch", "--quiet"]).ok();
    desk.commit("tree", "topic.txt", "from a worktree");
    desk.git_in("tree", ["push", "--quiet", "origin", "topic"]).ok();
    let pushed = desk.git_in("tree", ["rev-parse", "HEAD"]).ok().stdout();
    assert_eq!(desk.github.head("acme/web", "topic").as_deref(), Some(pushed.trim()));
    assert_eq!(minted(&desk), ["web"]);
}

#[test]
fn maintenance_prefetches_in_the_background() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.git(["clone", "--quiet", &desk.github.clone_url("acme/web"), "elsewhere"]).ok();
    desk.commit("elsewhere", "README.md", "meanwhile");
    desk.git_in("elsewhere", ["push", "--quiet"]).ok();
    desk.git_in("web", ["maintenance", "run", "--task=prefetch"]).ok();
    let fetched = desk.git_in("web", ["rev-parse", "refs/prefetch/remotes/origin/main"]).ok().stdout();
    assert_eq!(desk.github.head("acme/web", "main").as_deref(), Some(fetched.trim()));
    assert_eq!(minted(&desk), ["web"]);
}
