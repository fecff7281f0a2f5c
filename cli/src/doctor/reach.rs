//! Checks of the way to GitHub: proxy, network, certificates, clocks.

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::AppStatus;

use super::facts::Facts;
use super::fix::Fix;
use super::outcome::Outcome;

/// A difference between the clocks that is worth a word, in seconds. GitHub accepts a JWT that is a minute off.
const SKEW: u64 = 30;
/// Variables that name the proxy for https.
const PROXY_VARIABLES: &[&str] = &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Does the proxy, if there is one, let the agent through?
pub(super) fn proxy(facts: &mut Facts<'_>, app: &AppStatus) -> Outcome {
    if let Some(error) = trouble(facts, app, |code| code == ErrorCode::ProxyRefused) {
        let fix = "export HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT && ghapp agent restart";
        return Outcome::from(error).with_fix(Fix::Advice(fix.to_owned()));
    }
    let set = PROXY_VARIABLES.iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    match set {
        // Its value may hold a password.
        Some(name) => Outcome::ok(format!("the one that {name} names lets us through")),
        None => Outcome::ok("none is named"),
    }
}

/// Can GitHub's API be reached?
pub(super) fn network(facts: &mut Facts<'_>, app: &AppStatus) -> Outcome {
    let of_network = |code| code != ErrorCode::ProxyRefused && code != ErrorCode::UntrustedCertificate;
    match trouble(facts, app, of_network) {
        Some(error) => error.into(),
        None => Outcome::ok(facts.examined.get(&app.name).map(|it| it.api_url.clone()).unwrap_or_default()),
    }
}

/// Is its certificate trusted?
pub(super) fn tls(facts: &mut Facts<'_>, app: &AppStatus) -> Outcome {
    match trouble(facts, app, |code| code == ErrorCode::UntrustedCertificate) {
        Some(error) => error.into(),
        None => Outcome::ok("the certificate is trusted"),
    }
}

fn trouble<'a>(facts: &'a Facts<'_>, app: &AppStatus, ours: impl Fn(ErrorCode) -> bool) -> Option<&'a WireError> {
    facts.examined.get(&app.name)?.reach.as_ref().filter(|error| ours(error.code))
}

/// Is this machine's clock right?
pub(super) fn clock(facts: &mut Facts<'_>, app: &AppStatus) -> Outcome {
    let Some(skew) = facts.examined.get(&app.name).and_then(|examined| examined.skew) else {
        return Outcome::skip("GitHub did not say what time it is");
    };
    let seconds = skew.unsigned_abs();
    if seconds <= SKEW {
        return Outcome::ok(format!("within {SKEW} s of GitHub's"));
    }
    let side = if skew > 0 { "behind" } else { "ahead of" };
    // The agent corrects for it, but git still compares a token's expiry with the wrong clock.
    let detail = format!("this machine's clock is {seconds} s {side} GitHub's");
    Outcome::warn(detail, Fix::command(&["timedatectl", "set-ntp", "true"]))
}
