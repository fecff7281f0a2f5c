//! git-lfs asks `git credential` on its own, several times for one push, and without end when a server refuses every token.

use std::fs;

use ghapp_tests::Desk;
use ghapp_tests::github::{Endpoint, Fault};
use ghapp_tests::tools::{Tool, all_there};

const LFS: Tool = Tool { program: "git-lfs", package: "git-lfs" };

/// What is stored as a large file.
const CONTENT: &str = "large, as far as git-lfs is concerned";

/// A desk with git-lfs set up as its users do, and a clone of `acme/web` with a large file committed and not pushed.
fn desk_with_large_file() -> Desk {
    let desk = Desk::ready();
    desk.git(["lfs", "install", "--skip-repo"]).ok();
    desk.clone("acme/web").ok();
    desk.git_in("web", ["lfs", "install", "--local"]).ok();
    desk.git_in("web", ["lfs", "track", "*.bin"]).ok();
    desk.commit("web", "film.bin", CONTENT);
    desk
}

fn count_gets(desk: &Desk) -> usize {
    desk.audit().iter().filter(|line| line["call"] == "get").count()
}

fn refused() -> Fault {
    Fault::message(401, "Bad credentials").with_header("lfs-authenticate", "Basic realm=\"GitHub\"")
}

#[test]
fn a_push_uploads_large_files_and_a_clone_and_a_pull_bring_them_with_one_token() {
    if !all_there(&[LFS]) {
        return;
    }
    let desk = desk_with_large_file();
    desk.git_in("web", ["push"]).ok();
    assert_eq!(desk.github.calls().of(Endpoint::LfsObject), 1, "the pre-push hook uploaded it");

    desk.git(["clone", "--quiet", &desk.github.clone_url("acme/web"), "clone"]).ok();
    assert_eq!(fs::read_to_string(desk.work().join("clone/film.bin")).unwrap(), CONTENT);

    desk.commit("web", "sequel.bin", "more of the same");
    desk.git_in("web", ["push", "--quiet"]).ok();
    desk.git_in("clone", ["pull", "--quiet"]).ok();
    assert_eq!(fs::read_to_string(desk.work().join("clone/sequel.bin")).unwrap(), "more of the same");

    let mints = desk.github.mints();
    assert_eq!(mints.len(), 1, "git and git-lfs share a token");
    assert_eq!(mints[0].repositories.as_deref(), Some(&["web".to_owned()][..]));
}

#[test]
fn git_lfs_is_answered_when_the_helper_is_configured_for_an_owner_only() {
    if !all_there(&[LFS]) {
        return;
    }
    let desk = desk_with_large_file();
    desk.ghapp(["setup-git", "--host", desk.github.host(), "--remove"]).ok();
    desk.ghapp(["setup-git", "--host", desk.github.host(), "--owner", "acme"]).ok();
    desk.git_in("web", ["push", "--quiet"]).ok();
    desk.git(["clone", "--quiet", &desk.github.clone_url("acme/web"), "clone"]).ok();
    assert_eq!(fs::read_to_string(desk.work().join("clone/film.bin")).unwrap(), CONTENT);
    assert_eq!(desk.github.mints().len(), 1);
}

#[test]
fn a_token_that_was_killed_is_replaced_while_git_lfs_waits() {
    if !all_there(&[LFS]) {
        return;
    }
    let desk = desk_with_large_file();
    desk.github.revoke_token(&desk.token("acme/web"));
    desk.git_in("web", ["lfs", "push", "--all", "origin"]).ok();
    assert_eq!(desk.github.calls().of(Endpoint::LfsObject), 1);
    assert_eq!(desk.github.mints().len(), 2);
}

#[test]
fn a_server_that_refuses_every_token_ends_in_a_clear_refusal_and_not_in_a_loop() {
    if !all_there(&[LFS]) {
        return;
    }
    let desk = desk_with_large_file();
    desk.github.fault(Endpoint::LfsBatch, refused(), usize::MAX);
    desk.github.fault(Endpoint::LfsLocks, refused(), usize::MAX);
    let (mints, gets) = (desk.github.mints().len(), count_gets(&desk));
    let push = desk.git_in("web", ["lfs", "push", "--all", "origin"]);
    let (mints, gets) = (desk.github.mints().len() - mints, count_gets(&desk) - gets);
    // git-lfs 3.3 goes on until it gets no credential; newer ones give up by themselves after three attempts.
    let clear = ["refused fresh tokens of acme-bot again and again", "Authentication required"];
    let stderr = push.failed().stderr();
    assert!(clear.iter().any(|words| stderr.contains(words)), "{stderr}");
    // The token at hand is replaced once, without delay. The next one has to wait, and git-lfs is told so.
    assert_eq!(mints, 1, "{stderr}");
    assert!(gets <= 8, "{gets} questions: {stderr}");
}
