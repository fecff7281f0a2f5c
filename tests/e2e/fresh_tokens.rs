//! Fresh tokens: proved at the git server before git gets them, replaced before they expire, not minted in a loop.

use std::time::Duration;

use ghapp_tests::github::{Endpoint, Fault};
use ghapp_tests::{Desk, eventually};

/// `git credential fill` itself does not talk to the git server, so all calls there are the agent's proofs.
fn proofs(desk: &Desk) -> usize {
    desk.github.calls().of(Endpoint::GitInfoRefs)
}

#[test]
fn a_token_that_the_git_server_does_not_know_yet_is_held_back_until_it_does() {
    let desk = Desk::ready();
    desk.github.fault(Endpoint::GitInfoRefs, Fault::repository_not_found(), 2);
    desk.token("acme/web");
    assert_eq!(proofs(&desk), 3, "the third time it was known");
    assert_eq!(desk.github.mints().len(), 1, "the same token all the time");
    desk.token("acme/web");
    assert_eq!(proofs(&desk), 3, "a proved token is not proved again");
}

#[test]
fn a_git_server_that_never_knows_it_costs_some_seconds_and_git_hears_its_words() {
    let desk = Desk::ready();
    desk.github.fault(Endpoint::GitInfoRefs, Fault::repository_not_found(), usize::MAX);
    desk.token("acme/web");
    assert!((2..=10).contains(&proofs(&desk)), "{} proofs", proofs(&desk));
    desk.clone("acme/web").failed().stderr_contains("not found");
}

#[test]
fn a_token_for_a_script_is_not_shown_to_the_git_server() {
    let desk = Desk::ready();
    desk.ghapp(["token", "acme/web"]).ok();
    assert_eq!(proofs(&desk), 0);
}

/// How often a refresh may come too late to be seen.
const TRIES: usize = 10;

/// A token for a script may be short-lived, unlike one for git.
fn short_lived(desk: &Desk) -> String {
    let token = desk.ghapp_json(["token", "acme/web", "--min-ttl", "0s"]);
    token["token"].as_str().expect("a token").to_owned()
}

/// Waits until the agent has written such a line to its audit log.
fn wait_for_audit(desk: &Desk, is_it: impl Fn(&serde_json::Value) -> bool) {
    eventually("the agent writes such a line to its audit log", || desk.audit().iter().any(&is_it));
}

#[test]
fn a_token_in_use_is_replaced_ahead_of_its_end() {
    let desk = Desk::ready();
    desk.github.token_lifetime(Duration::from_secs(4));
    let first = short_lived(&desk);
    // No client asks: the agent does it by itself.
    desk.github.wait_until(|calls| calls.of(Endpoint::Mint) >= 2);
    wait_for_audit(&desk, |line| line["call"] == "refresh" && line["outcome"] == "mint");
    assert_ne!(short_lived(&desk), first);
}

#[test]
fn a_renewal_waits_neither_for_a_later_one_nor_for_one_under_way() {
    let desk = Desk::ready();
    desk.token("acme/web"); // its refresh is due in half an hour
    desk.github.token_lifetime(Duration::from_secs(4));
    for permissions in ["contents=read", "contents=write"] {
        desk.ghapp(["token", "acme/api", "--min-ttl", "0s", "--permissions", permissions]).ok();
    }
    let hold = desk.github.hold(Endpoint::Mint);
    desk.github.wait_until(|calls| calls.of(Endpoint::Mint) >= 5);
    hold.release();
    let replaced = || desk.audit().iter().filter(|line| line["call"] == "refresh" && line["outcome"] == "mint").count();
    eventually("both are replaced", || match replaced() {
        2.. => Ok(()),
        fewer => Err(fewer),
    });
}

#[test]
fn a_refresh_that_fails_keeps_the_valid_token_and_says_so() {
    // The agent chooses when to try, perhaps too late for a look before the token expires: then once more.
    let seen = (0..TRIES).any(|_| keeps_the_valid_token(&Desk::ready()));
    assert!(seen, "every one of {TRIES} tokens had expired before the look");
}

/// Whether a refresh that failed was seen while its token was valid.
fn keeps_the_valid_token(desk: &Desk) -> bool {
    desk.github.token_lifetime(Duration::from_secs(20));
    let first = short_lived(desk);
    desk.github.fault(Endpoint::Mint, Fault::bad_gateway(), usize::MAX);
    wait_for_audit(desk, |line| {
        line["outcome"].as_str().is_some_and(|outcome| outcome.ends_with("kept the valid token"))
    });
    let again = desk.ghapp(["token", "acme/web", "--min-ttl", "0s", "--json"]);
    assert_eq!(desk.github.mints().len(), 1);
    if desk.github.mints()[0].expires_at <= desk.github.now() {
        return false;
    }
    assert!(again.ok().stdout().contains(&first), "it is still handed out: {}", again.stdout());
    true
}

// rule 34
#[test]
fn a_client_that_asks_and_erases_in_a_loop_is_stopped() {
    let desk = Desk::ready();
    let host = desk.github.host().to_owned();
    let reject = |token: &str| {
        let attributes =
            format!("protocol=https\nhost={host}\npath=acme/web.git\nusername=x-access-token\npassword={token}\n\n");
        desk.git_credential("reject", &attributes).ok();
    };
    // git-lfs 3.3 does this without end when a server refuses every token.
    let first = desk.token("acme/web");
    reject(&first);
    let second = desk.token("acme/web");
    assert_ne!(first, second, "a dead token is replaced at once");
    reject(&second);
    let third = desk.fill("acme/web");
    third.failed().stderr_contains("again and again").stderr_contains("told us to quit");
    assert_eq!(desk.github.mints().len(), 2);
    assert_eq!(desk.ghapp(["token", "acme/web"]).status.code(), Some(7));
    desk.token("acme/api");
}
