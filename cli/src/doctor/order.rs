//! The one list of all checks: their order, which is the order in which things fail, and what each of them needs.

use ghapp_protocol::message::AppStatus;

/// A check of one thing.
struct Check {
    /// Its name for scripts.
    id: &'static str,
    /// Its name for people.
    title: &'static str,
    /// Checks that must not have failed before this one means anything.
    needs: &'static [&'static str],
    look: Look,
}

/// How to run it.
enum Look {
    Once(fn(&mut Facts<'_>) -> Outcome),
    EachApp(fn(&mut Facts<'_>, &AppStatus) -> Outcome),
}

use Look::{EachApp, Once};

use super::facts::Facts;
use super::outcome::{Outcome, State};
use super::{agents, apps, bypass, configuration, helper_chain, keys, large_files, programs, reach, repository};

const fn check(id: &'static str, title: &'static str, needs: &'static [&'static str], look: Look) -> Check {
    Check { id, title, needs, look }
}

const CHECKS: &[Check] = &[
    check("git", "git", &[], Once(programs::git)),
    check("helper", "helper", &["git"], Once(programs::helper)),
    check("versions", "versions", &["helper"], Once(programs::versions)),
    check("desktop", "desktop", &["helper"], Once(programs::desktop)),
    check("config", "configuration", &[], Once(configuration::file)),
    check("apps", "Apps", &["config"], Once(configuration::apps)),
    check("git_config", "git's configuration", &["git"], Once(helper_chain::readable)),
    check("remote", "remote", &["git_config", "apps"], Once(bypass::address)),
    check("asked", "git asks ghapp", &["git_config", "apps"], Once(helper_chain::asked)),
    check("first", "helpers before", &["asked"], Once(helper_chain::first)),
    check("path", "useHttpPath", &["asked"], Once(helper_chain::path)),
    check("keepers", "helpers behind", &["asked"], Once(helper_chain::keepers)),
    check("headers", "extra headers", &["git_config", "apps"], Once(bypass::headers)),
    check("environment", "environment", &[], Once(bypass::environment)),
    check("lfs", "git-lfs", &["git_config"], Once(large_files::wiring)),
    check("socket", "socket", &[], Once(agents::socket)),
    check("agent", "agent", &["socket"], Once(agents::running)),
    check("unit", "systemd", &[], Once(agents::unit)),
    check("agent_version", "agent's version", &["agent"], Once(agents::version)),
    check("agent_config", "agent's Apps", &["agent", "config"], Once(agents::configuration)),
    check("audit", "audit log", &["agent"], Once(agents::audit)),
    check("lock", "lock", &["agent"], Once(agents::lock)),
    check("store", "key store", &["apps", "agent_config", "lock"], EachApp(keys::store)),
    check("key", "key", &["store"], EachApp(keys::key)),
    check("key_files", "key files", &[], Once(keys::files)),
    check("proxy", "proxy", &["apps", "agent_config", "lock"], EachApp(reach::proxy)),
    check("network", "network", &["proxy"], EachApp(reach::network)),
    check("tls", "TLS", &["network"], EachApp(reach::tls)),
    check("clock", "clock", &["tls"], EachApp(reach::clock)),
    check("app", "App", &["key", "tls"], EachApp(apps::accepted)),
    check("installations", "installations", &["app"], EachApp(apps::installations)),
    check("permissions", "permissions", &["installations"], EachApp(apps::permissions)),
    check("repository", "repository", &["permissions"], Once(repository::route)),
    check("token", "token", &["remote", "path", "headers", "repository"], Once(repository::token)),
];

/// A check and what it came to.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) id: &'static str,
    pub(super) title: String,
    /// The App that it is about, if it is about one.
    pub(super) app: Option<String>,
    pub(super) outcome: Outcome,
    /// Whether the checks that need this one have to be skipped.
    blocks: bool,
}

/// Runs every check, in order.
pub(super) fn look(facts: &mut Facts<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for check in CHECKS {
        match check.look {
            Once(look) => {
                let finding = find(check, None, &findings, || look(facts));
                findings.push(finding);
            }
            EachApp(look) => {
                let apps = facts.apps();
                if apps.is_empty() {
                    let nothing = || Outcome::skip("there is no App");
                    let finding = find(check, None, &findings, nothing);
                    findings.push(finding);
                }
                let several = apps.len() > 1;
                for app in &apps {
                    let mut finding = find(check, Some(&app.name), &findings, || look(facts, app));
                    if several {
                        finding.title = format!("{} of {}", check.title, app.name);
                    }
                    findings.push(finding);
                }
            }
        }
    }
    findings
}

/// Runs one check, unless one that it needs has failed.
fn find(check: &Check, app: Option<&str>, before: &[Finding], look: impl FnOnce() -> Outcome) -> Finding {
    let obstacle = check.needs.iter().find_map(|needed| obstacle(needed, app, before));
    let blocked = obstacle.is_some();
    let outcome = obstacle.map_or_else(look, |title| Outcome::skip(format!("waits for: {title}")));
    let blocks = blocked || outcome.state == State::Fail;
    Finding { id: check.id, title: check.title.to_owned(), app: app.map(str::to_owned), outcome, blocks }
}

/// The title of the needed check, if that was not passed: by this App, or by any App when this check is about none.
fn obstacle(needed: &str, app: Option<&str>, before: &[Finding]) -> Option<String> {
    let about = |finding: &&Finding| {
        finding.id == needed && (app.is_none() || finding.app.is_none() || finding.app.as_deref() == app)
    };
    let mut found = before.iter().filter(about).peekable();
    let first = found.peek()?.title.clone();
    found.all(|finding| finding.blocks).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::CHECKS;

    #[test]
    fn every_check_has_a_name_of_its_own_and_needs_only_earlier_ones() {
        for (at, check) in CHECKS.iter().enumerate() {
            let earlier = &CHECKS[..at];
            assert!(earlier.iter().all(|other| other.id != check.id && other.title != check.title), "{}", check.id);
            for needed in check.needs {
                assert!(earlier.iter().any(|other| other.id == *needed), "{} needs {needed}", check.id);
            }
        }
    }
}
