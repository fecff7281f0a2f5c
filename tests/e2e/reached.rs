//! The rules decide on the repositories that a token reaches, by the names that they have at GitHub, and not on the name asked for.

use std::time::Duration;

use ghapp_tests::github::{Endpoint, Fault, GitHub};
use ghapp_tests::{Desk, eventually};
use serde_json::{Value, json};

/// Rules: what each serves or denies, in their order.
fn rule(desk: &Desk, name: &str, rest: &str) -> String {
    format!("\n[[rule]]\nmatch = \"{}/{name}\"\n{rest}\n", desk.github.host())
}

const SERVED: &str = "app = \"acme-bot\"";
const DENIED: &str = "deny = true";

/// What a token that was minted reaches.
fn repositories(github: &GitHub, token: &str) -> Vec<String> {
    let mints = github.mints();
    let mint = mints.iter().find(|mint| mint.token == token).expect("it was minted here");
    mint.repositories.clone().expect("it is not for the whole installation")
}

/// The lines of the audit log about a call.
fn lines(desk: &Desk, call: &str) -> Vec<Value> {
    desk.audit().into_iter().filter(|line| line["call"] == call).collect()
}

/// Waits until no token is alive that no lease is about.
fn wait_until_all_are_listed(desk: &Desk) {
    eventually("every live token is listed", || {
        let listed = desk.ghapp_json(["leases"])["leases"].as_array().map_or(0, Vec::len);
        desk.github.live_tokens().len() <= listed
    });
}

/// Erases a token, as git does when a server refused it.
fn erase(desk: &Desk, token: &str) {
    let host = desk.github.host();
    let attributes = format!("protocol=https\nhost={host}\nusername=x-access-token\npassword={token}\n\n");
    desk.git_credential("reject", &attributes).ok();
}

#[test]
fn an_old_name_opens_no_repository_that_a_rule_denies() {
    let desk = Desk::ready();
    desk.configure(&(rule(&desk, "acme/site", DENIED) + &rule(&desk, "acme/*", SERVED))).ok();
    desk.github.rename_repository("acme/web", "acme/site");
    let fill = desk.fill("acme/web");
    fill.failed().stderr_contains("would reach acme/site").stderr_contains("told us to quit");
    assert!(desk.github.live_tokens().is_empty(), "what was minted to learn the name is dead");
    let token = desk.ghapp(["token", "acme/web"]);
    token.failed().stderr_contains("error[E39]").stderr_contains("acme/site");
    let several = desk.ghapp(["token", "acme/api", "--repositories", "web"]);
    several.failed();
    let route = desk.ghapp(["which", "acme/web"]);
    route.failed();
    assert!(desk.github.live_tokens().is_empty());
    assert_eq!(desk.ghapp_json(["leases"])["leases"], json!([]));
    let mints = desk.github.mints().len();
    desk.fill("acme/web").failed();
    assert_eq!(desk.github.mints().len(), mints, "the answer is remembered for a moment");
}

#[test]
fn an_old_name_gets_no_more_than_the_rule_about_the_new_one_gives() {
    let desk = Desk::ready();
    let read = format!("{SERVED}\naccess = \"read\"");
    desk.configure(&(rule(&desk, "acme/site", &read) + &rule(&desk, "acme/*", SERVED))).ok();
    desk.github.rename_repository("acme/web", "acme/site");
    desk.fill("acme/web").failed().stderr_contains("acme/site");
    desk.ghapp(["token", "acme/web", "--permissions", "contents=read"]).ok();
    assert_eq!(desk.github.live_tokens().len(), 1);
}

#[test]
fn an_old_name_in_a_rules_list_opens_nothing_that_the_list_does_not_have() {
    let desk = Desk::ready();
    let listed = |names: &str| rule(&desk, "acme/*", &format!("{SERVED}\nrepositories = {names}"));
    desk.configure(&listed("[\"api\", \"web\"]")).ok();
    desk.clone("acme/api").ok();
    desk.ghapp(["revoke", "--all"]).ok();
    desk.github.rename_repository("acme/web", "acme/site");
    desk.fill("acme/api").failed().stderr_contains("acme/site");
    assert!(desk.github.live_tokens().is_empty());
}

#[test]
fn an_old_name_over_an_exposed_socket_is_decided_by_the_rules_for_the_new_one() {
    let desk = Desk::ready();
    desk.configure(&(rule(&desk, "acme/site", DENIED) + &rule(&desk, "acme/*", SERVED))).ok();
    let socket = desk.ghapp(["agent", "expose", "--repo", "acme/web"]).ok().stdout().trim_end().to_owned();
    desk.github.rename_repository("acme/web", "acme/site");
    let mut command = desk.command(ghapp_tests::binary("git-credential-ghapp"));
    let request = format!("protocol=https\nhost={}\npath=acme/web.git\n\n", desk.github.host());
    let answer = ghapp_tests::process::run(command.env("GHAPP_SOCKET", socket).arg("get"), request.as_bytes());
    assert_eq!(answer.ok().stdout(), "quit=1\n", "{}", answer.stderr());
    assert!(!answer.stderr().contains("acme/site"), "a client of the socket learns no names: {}", answer.stderr());
    assert!(desk.github.live_tokens().is_empty());
}

#[test]
fn leases_lines_and_answers_name_what_a_token_reaches() {
    let desk = Desk::ready();
    desk.github.rename_repository("acme/web", "acme/site");
    let answer = desk.ghapp_json(["token", "acme/web"]);
    assert_eq!(answer["repositories"], json!(["site"]));
    assert_eq!(desk.ghapp_json(["leases"])["leases"][0]["repositories"], json!(["site"]));
    let line = lines(&desk, "token").pop().unwrap();
    assert_eq!((&line["repository"], &line["repositories"]), (&json!("acme/web"), &json!(["site"])));
    let (route, name) = (desk.ghapp_json(["which", "acme/web"]), "acme/site");
    assert!(route["reason"].as_str().unwrap().contains(name), "{route}");
    assert_eq!(desk.github.live_tokens().len(), 1, "what `which` looked with is dead");
}

#[test]
fn a_token_at_hand_for_an_old_name_is_decided_on_again_when_the_rules_change() {
    let desk = Desk::ready();
    desk.github.rename_repository("acme/web", "acme/site");
    desk.token("acme/web");
    desk.configure(&rule(&desk, "acme/site", DENIED)).ok();
    desk.fill("acme/web").failed().stderr_contains("acme/site");
    assert_eq!(desk.github.live_tokens().len(), 1, "the first one, which is listed");
    assert_eq!(desk.ghapp_json(["leases"])["leases"].as_array().unwrap().len(), 1);
}

#[test]
fn a_stumble_of_github_is_not_taken_for_the_absence_of_a_name() {
    let desk = Desk::ready();
    let first = desk.token("acme/web");
    erase(&desk, &first);
    desk.github.rename_repository("acme/web", "acme/vault");
    desk.github.create_repository("acme/web");
    desk.github.fault(Endpoint::Mint, Fault::Delay(Duration::ZERO), 1);
    desk.github.fault(Endpoint::Mint, Fault::bad_gateway(), 3);
    desk.fill("acme/web").failed().stderr_contains("502");
    eventually("only the erased token is alive", || desk.github.live_tokens() == [first.clone()]);
    let token = desk.token("acme/web");
    assert_eq!(repositories(&desk.github, &token), ["web"]);
    eventually("the one for the other repository is dead", || desk.github.live_tokens().len() == 2);
}

#[test]
fn a_lock_between_two_mints_leaves_no_token_that_nobody_knows() {
    let desk = Desk::ready();
    desk.claim();
    let first = desk.token("acme/web");
    erase(&desk, &first);
    desk.github.revoke_token(&first);
    desk.github.rename_repository("acme/web", "acme/vault");
    let hold = desk.github.hold(Endpoint::Mint);
    let before = desk.github.calls().of(Endpoint::Mint);
    std::thread::scope(|scope| {
        let fill = scope.spawn(|| desk.fill("acme/web"));
        desk.github.wait_until(|calls| calls.of(Endpoint::Mint) == before + 1);
        desk.ghapp(["lock"]).ok();
        hold.release();
        fill.join().unwrap().failed().stderr_contains("the agent is locked");
    });
    eventually("the token by number is dead", || desk.github.live_tokens().is_empty());
    eventually("that is written down", || lines(&desk, "revoke").iter().any(|line| line["outcome"] == "revoked"));
}

#[test]
fn a_token_that_no_one_may_have_is_killed_when_github_can_be_asked_again() {
    let desk = Desk::ready();
    desk.github.narrow_mints(false);
    desk.github.fault(Endpoint::Revoke, Fault::bad_gateway(), 4);
    desk.fill("acme/web").failed();
    eventually("the token is dead", || desk.github.live_tokens().is_empty());
    eventually("both are written down", || {
        let outcomes: Vec<_> = lines(&desk, "revoke").iter().map(|line| line["outcome"].clone()).collect();
        outcomes.len() == 2 && outcomes[0].as_str().unwrap().contains("still alive") && outcomes[1] == "revoked"
    });
}

#[test]
fn a_token_that_is_wider_than_asked_is_killed_on_every_path() {
    let desk = Desk::ready();
    desk.github.narrow_mints(false);
    let wide = [("contents", "write"), ("workflows", "write"), ("administration", "write")];
    desk.github.grant(desk.installation, &wide);
    desk.fill("acme/web").failed().stderr_contains("gave a wider token than it was asked for");
    desk.ghapp(["token", "acme/web"]).failed().stderr_contains("wider token");
    let command = ["exec", "acme/web", "--", "true"];
    desk.ghapp(command).failed();
    desk.ghapp(["repos"]).failed().stderr_contains("wider token");
    wait_until_all_are_listed(&desk);
    assert!(desk.github.live_tokens().is_empty());
    desk.github.narrow_mints(true);
    desk.clone("acme/web").ok();
}

#[test]
fn a_reload_retires_what_its_rules_deny() {
    let desk = Desk::ready();
    let (web, api) = (desk.token("acme/web"), desk.token("acme/api"));
    let before = std::fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&rule(&desk, "acme/web", DENIED)).ok();
    std::fs::write(desk.config_file(), before).unwrap();
    desk.ghapp(["agent", "reload"]).ok();
    assert_ne!(desk.token("acme/web"), web, "it is neither handed out again nor replaced ahead of its end");
    assert_eq!(desk.token("acme/api"), api);
    wait_until_all_are_listed(&desk);
}
