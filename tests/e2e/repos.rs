//! `ghapp repos`: what the Apps reach, with a token that can only list and does not outlive the question.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use ghapp_tests::Desk;
use ghapp_tests::github::{Endpoint, Fault, Selection};
use serde_json::{Value, json};

fn names(listed: &Value) -> Vec<String> {
    let repositories = listed["repositories"].as_array().unwrap();
    repositories.iter().map(|one| one["full_name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn repositories_are_listed_for_each_installation_and_github_is_asked_once() {
    let desk = Desk::new();
    desk.github.create_public_repository("globex/Site");
    desk.github.create_repository("globex/secret");
    let globex = desk.github.install(&desk.app, "globex", Selection::selected(&["Site"]), &[]);
    desk.log_in("memory").ok();
    let listed = desk.ghapp_json(["repos"]);
    assert_eq!(names(&listed), ["acme/api", "acme/web", "globex/Site"]);
    let site = &listed["repositories"][2];
    assert_eq!(listed["schema"], 1);
    let expected = json!({
        "id": site["id"], "app": "acme-bot", "host": desk.github.host(), "installation_id": globex, "owner": "globex",
        "name": "Site", "full_name": "globex/Site", "private": false, "archived": false,
    });
    assert_eq!(site, &expected);
    assert!(site["id"].is_u64());

    let mints = desk.github.mints();
    assert_eq!(mints.len(), 2, "one for each installation");
    assert!(mints.iter().all(|mint| mint.asked == json!({ "permissions": { "metadata": "read" } })), "{mints:?}");
    assert_eq!(desk.github.calls().of(Endpoint::Revoke), 2);
    assert_eq!(desk.ghapp_json(["leases"])["leases"], json!([]));

    let before = desk.github.calls().len();
    let table = desk.ghapp(["repos"]).ok().stdout();
    assert!(table.lines().nth(3).unwrap().starts_with("globex/Site"), "{table}");
    assert_eq!(desk.github.calls().len(), before, "it is remembered");
    desk.github.create_repository("acme/new");
    assert_eq!(names(&desk.ghapp_json(["repos", "--refresh"])), ["acme/api", "acme/new", "acme/web", "globex/Site"]);
}

#[test]
fn a_long_list_comes_in_pages_from_github_and_from_the_agent() {
    let desk = Desk::ready();
    desk.github.create_repositories("acme", 423);
    let listed = names(&desk.ghapp_json(["repos"]));
    assert_eq!(listed.len(), 425);
    assert!(listed.contains(&"acme/r0".to_owned()) && listed.contains(&"acme/r422".to_owned()));
    assert_eq!(desk.github.calls().of(Endpoint::InstallationRepositories), 5, "pages of a hundred");
    assert_eq!(desk.github.mints().len(), 1);
}

#[test]
fn the_token_dies_also_when_the_question_fails() {
    let desk = Desk::ready();
    desk.github.fault(Endpoint::InstallationRepositories, Fault::message(403, "Although you appear to ..."), 1);
    let failed = desk.ghapp(["repos"]);
    assert_eq!((failed.status.code(), failed.stdout().as_str()), (Some(7), ""));
    failed.stderr_contains("error[E43]");
    assert!(!failed.stderr().contains("no repository is reached"), "{}", failed.stderr());
    assert_eq!((desk.github.mints().len(), desk.github.calls().of(Endpoint::Revoke)), (1, 1));
    assert_eq!(names(&desk.ghapp_json(["repos"])).len(), 2, "a failure is not remembered");
}

#[test]
fn an_installation_that_refuses_does_not_hide_the_others() {
    let desk = Desk::ready();
    desk.github.create_repository("globex/site");
    let globex = desk.github.install(&desk.app, "globex", Selection::All, &[]);
    desk.ghapp(["installations", "--refresh"]).ok();
    desk.github.suspend(globex);
    let half = desk.ghapp(["repos", "--json"]);
    assert_eq!(half.status.code(), Some(7), "the suspension was not known yet");
    half.stderr_contains("error[E19]");
    assert_eq!(names(&serde_json::from_str(&half.stdout()).unwrap()), ["acme/api", "acme/web"]);
    let told = desk.ghapp(["repos", "--refresh"]);
    told.ok().stderr_contains("the installation of acme-bot on globex is suspended");
}

#[test]
fn repos_knows_one_app_many_and_none() {
    let desk = Desk::new();
    let none = desk.ghapp(["repos"]);
    assert_eq!(none.status.code(), Some(3));
    desk.log_in("memory").ok();
    let other = desk.github.create_app("other-bot", "acme");
    desk.github.install(&other, "acme", Selection::selected(&["web"]), &[]);
    desk.log_in_as(&other, "memory").ok();
    assert_eq!(names(&desk.ghapp_json(["repos"])), ["acme/api", "acme/web", "acme/web"]);
    assert_eq!(names(&desk.ghapp_json(["repos", "--app", "other-bot"])), ["acme/web"]);
    desk.ghapp(["lock"]).ok();
    assert_eq!(desk.ghapp(["repos", "--refresh"]).status.code(), Some(4));
}
