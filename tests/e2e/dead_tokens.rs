//! Tokens that die: too old, killed at GitHub, or dead by GitHub's clock. git fails at most once, with a clear error.

use std::time::Duration;

use ghapp_tests::Desk;
use ghapp_tests::github::Endpoint;
use jiff::SignedDuration;

#[test]
fn a_token_that_the_server_killed_costs_one_failed_command_and_no_more() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.clone("acme/api").ok();
    let dead = desk.token("acme/web");
    desk.github.revoke_token(&dead);
    desk.git_in("web", ["fetch"]).failed().stderr_contains("Authentication failed");
    let erased: Vec<_> = desk.audit().into_iter().filter(|line| line["call"] == "erase").collect();
    assert_eq!(erased.len(), 1);
    assert_eq!(erased[0]["outcome"], "dropped");

    desk.git_in("web", ["fetch"]).ok();
    assert_eq!(desk.github.calls().of(Endpoint::Mint), 3);
    desk.git_in("api", ["fetch"]).ok();
    assert_eq!(desk.github.calls().of(Endpoint::Mint), 3, "the other token was not touched");
}

#[test]
fn a_foreign_password_erases_nothing() {
    let desk = Desk::ready();
    let token = desk.token("acme/web");
    let attributes = format!(
        "protocol=https\nhost={}\npath=acme/web.git\nusername=x-access-token\npassword=hunter2\n\n",
        desk.github.host()
    );
    desk.git_credential("reject", &attributes).ok();
    assert_eq!(desk.token("acme/web"), token);
    let log = std::fs::read_to_string(desk.audit_file()).unwrap();
    assert!(!log.contains("hunter2"));
}

// rule 22
#[test]
fn a_token_in_its_last_minutes_is_replaced_before_git_sees_it() {
    let desk = Desk::ready();
    let first = desk.token("acme/web");
    assert_eq!(desk.token("acme/web"), first);
    // The same token, with a greater demand: as if 20 of its 60 minutes had passed.
    desk.configure("\n[agent]\nmin_ttl = \"50m\"\n").ok();
    assert_eq!(desk.token("acme/web"), first, "50 minutes are left");
    desk.github.token_lifetime(Duration::from_secs(40 * 60));
    desk.github.revoke_token(&first);
    desk.git_credential(
        "reject",
        &format!("protocol=https\nhost={}\nusername=x-access-token\npassword={first}\n\n", desk.github.host()),
    )
    .ok();
    let refused = desk.fill("acme/web");
    refused.failed().stderr_contains("lives only").stderr_contains("min_ttl");
}

#[test]
fn a_clock_that_is_behind_githubs_is_noticed_and_corrected() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    // By GitHub's clock the token is dead and our app JWT expired long ago.
    desk.github.clock_ahead(SignedDuration::from_hours(2));
    desk.git_in("web", ["fetch"]).failed().stderr_contains("Authentication failed");
    desk.git_in("web", ["fetch"]).ok();
    // The agent has learned the difference: the next mint is right at once.
    let before = desk.github.calls().api();
    desk.clone("acme/api").ok();
    assert_eq!(desk.github.calls().api() - before, 1);
    // git was told an expiry by this machine's clock.
    let by_githubs_clock = desk.github.mints()[1].expires_at.as_second();
    let skew = by_githubs_clock - 60 - desk.expiry("acme/web");
    assert!((7195..=7205).contains(&skew), "two hours, give or take the seconds of the test: {skew}");
}

#[test]
fn a_clock_that_is_ahead_of_githubs_is_noticed_and_corrected() {
    let desk = Desk::new();
    desk.github.clock_ahead(-SignedDuration::from_mins(30));
    desk.log_in("memory").ok();
    desk.set_up_git();
    desk.clone("acme/web").ok();
}

#[test]
fn a_clock_that_is_a_little_behind_does_not_make_tokens_live_longer() {
    let desk = Desk::ready();
    // Good enough for an app JWT, so GitHub refuses nothing and nothing is learned from a refusal.
    desk.github.clock_ahead(SignedDuration::from_mins(7));
    let expiry = desk.expiry("acme/web");
    let by_our_clock = desk.github.mints()[0].expires_at.as_second() - 7 * 60 - 60;
    assert!((by_our_clock - 5..=by_our_clock + 5).contains(&expiry), "{expiry}, and not {by_our_clock}");
}

#[test]
fn rule_35_an_erased_token_lives_on_at_github() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    let (host, token) = (desk.github.host(), desk.token("acme/web"));
    let attributes =
        format!("protocol=https\nhost={host}\npath=acme/web.git\nusername=x-access-token\npassword={token}\n\n");
    desk.git_credential("reject", &attributes).ok();
    assert_ne!(desk.token("acme/web"), token);
    assert_eq!(desk.github.calls().of(Endpoint::Revoke), 0);
    // Another process may be in the middle of using it.
    desk.git(["ls-remote", &format!("https://x-access-token:{token}@{host}/acme/web.git")]).ok();
}
