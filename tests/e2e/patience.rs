//! GitHub stumbles, limits or is down: git waits a moment, never hangs, and exits with one clear line.

use std::time::Duration;

use ghapp_tests::github::{Endpoint, Fault};
use ghapp_tests::{Desk, eventually};

#[test]
fn a_stumble_is_repeated_and_git_does_not_notice() {
    let desk = Desk::ready();
    desk.github.fault(Endpoint::UserInstallation, Fault::Close, 1);
    desk.github.fault(Endpoint::Mint, Fault::bad_gateway(), 2);
    desk.clone("acme/web").ok();
    let calls = desk.github.calls();
    assert_eq!((calls.of(Endpoint::UserInstallation), calls.of(Endpoint::Mint)), (2, 3));
}

#[test]
fn an_outage_ends_with_one_line_after_three_attempts_and_tokens_at_hand_go_on_working() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.github.fault(Endpoint::Mint, Fault::bad_gateway(), usize::MAX);
    desk.github.fault(Endpoint::UserInstallation, Fault::bad_gateway(), usize::MAX);
    let before = desk.github.calls().of(Endpoint::Mint);
    let fill = desk.fill("acme/api");
    fill.failed().stderr_contains("status 502").stderr_contains("told us to quit");
    assert_eq!(fill.stderr().lines().filter(|line| line.starts_with("ghapp: ")).count(), 1, "{}", fill.stderr());
    assert_eq!(desk.github.calls().of(Endpoint::Mint) - before, 3);
    assert_eq!(desk.ghapp(["token", "acme/api"]).status.code(), Some(8));
    desk.git_in("web", ["fetch", "--quiet"]).ok();
}

#[test]
fn a_mint_whose_answer_was_lost_is_repeated_and_admitted_in_the_audit_log() {
    let desk = Desk::ready();
    desk.github.fault(Endpoint::Mint, Fault::LoseAnswer, 1);
    desk.clone("acme/web").ok();
    assert_eq!(desk.github.mints().len(), 2, "GitHub minted twice");
    let admitted =
        desk.audit().iter().filter(|line| line["outcome"].as_str().unwrap().starts_with("answer lost")).count();
    assert_eq!(admitted, 1);
}

#[test]
fn a_primary_limit_is_waited_for_without_asking_again() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    let reset = desk.github.now().as_second() + 1800;
    desk.github.fault(Endpoint::Mint, Fault::primary_rate_limit(reset), 1);
    let until = jiff::Timestamp::from_second(reset).unwrap().to_string();
    desk.fill("acme/api").failed().stderr_contains(&format!("until {until}")).stderr_contains("told us to quit");
    let before = desk.github.calls().api();
    desk.fill("acme/api").failed().stderr_contains("limits the rate");
    assert_eq!(desk.ghapp(["token", "acme/api"]).status.code(), Some(7));
    assert_eq!(desk.github.calls().api(), before, "GitHub was not asked meanwhile");
    desk.git_in("web", ["fetch", "--quiet"]).ok();
}

#[test]
fn a_secondary_limit_without_a_time_is_waited_for_at_least_a_minute() {
    let desk = Desk::ready();
    let now = desk.github.now().as_second();
    desk.github.fault(Endpoint::Mint, Fault::secondary_rate_limit(None), 1);
    let fill = desk.fill("acme/web");
    let stderr = fill.failed().stderr();
    let until = stderr.split("until ").nth(1).and_then(|rest| rest.split(';').next()).expect("a time");
    let until: jiff::Timestamp = until.trim().parse().expect("RFC 3339");
    assert!((60..=130).contains(&(until.as_second() - now)), "{stderr}");
}

#[test]
fn a_limit_with_a_time_is_over_when_the_time_is() {
    let desk = Desk::ready();
    desk.github.fault(Endpoint::Mint, Fault::secondary_rate_limit(Some(Duration::from_secs(1))), 1);
    desk.fill("acme/web").failed().stderr_contains("limits the rate");
    // git asks until the second is over; the breaker keeps all but the last question from GitHub.
    eventually("the second is over", || desk.fill("acme/web").status.success());
    assert_eq!(desk.github.calls().of(Endpoint::Mint), 2);
}

#[test]
fn a_slow_github_costs_no_more_than_the_deadline() {
    let desk = Desk::ready();
    let hold = desk.github.hold(Endpoint::Mint);
    let fill = desk.fill("acme/web");
    fill.failed().stderr_contains("told us to quit");
    hold.release();
    // The call under way went on in the background, or is repeated: either way the next question is answered.
    desk.clone("acme/web").ok();
}

#[test]
fn an_outage_lets_git_ask_others_about_a_repository_that_may_be_theirs() {
    let desk = Desk::ready();
    desk.github.fault(Endpoint::UserInstallation, Fault::bad_gateway(), usize::MAX);
    // Nothing says whether acme is ours: there is no rule, and no installation was seen.
    desk.git(["config", "--global", "--add", "credential.helper", "!echo username=next; echo password=helper; :"]).ok();
    let fill = desk.fill("acme/web");
    fill.ok().stderr_contains("status 502");
    assert!(fill.stdout().contains("username=next"), "{}", fill.stdout());
    desk.claim();
    desk.fill("acme/web").failed().stderr_contains("told us to quit");
}
