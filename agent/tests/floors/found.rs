//! Tests of the rules: what breaks one is found, and nothing else.

use crate::house::{House, Rule};
use crate::places::{ENVIRONMENT, FILES, OWNERS, SECRETS, TASKS};
use crate::rooms::AGENT;
use crate::state_parts::STATE_PARTS;
use crate::structure::{BROKER, CIRCLES, CONTRACT, DECISIONS, FLOORS, FOLDERS};

/// The lines that break a rule, if these are all the sources.
pub(crate) fn broken(rule: &Rule, sources: &[(&str, &str)]) -> Vec<(String, usize)> {
    let sources: Vec<_> = sources.iter().map(|(file, code)| ((*file).to_owned(), (*code).to_owned())).collect();
    let breaches = (rule.breaches)(&House::new(&sources));
    breaches.into_iter().map(|breach| (breach.file, breach.line)).collect()
}

#[test]
fn what_breaks_a_rule_is_found() {
    for (file, code, lines) in [
        ("policy.rs", "use crate::github::GitHub;", vec![1]),
        ("policy.rs", "use crate::model::App;\nfn f() { crate::audit::f() }", vec![2]),
        ("policy.rs", "use crate::{model::{App, Rule}, config};", vec![1]),
        ("policy.rs", "use super::server;", vec![1]),
        (
            "policy.rs",
            "#[cfg(test)]\nmod tests {\n use super::super::broker;\n use super::decide;\n}\nuse super::lifecycle;",
            vec![3, 6],
        ),
        ("token/cache.rs", "use super::super::policy;\nuse super::single_flight;", vec![1]),
        ("github/calls.rs", "use crate::signer::AppJwt;", vec![1]),
        ("lifecycle/mod.rs", "use crate::{broker, server};", vec![1]),
        ("model/app.rs", "use crate::broker::Broker;", vec![1]),
        ("broker/mod.rs", "use crate::{server};\nuse crate::{policy, github};", vec![1]),
        ("server/mod.rs", "use crate::main;", vec![1]),
        ("novelty.rs", "", vec![1]),
        (
            "policy.rs",
            "//! [`crate::github`]\n/* crate::server */ const A: &str = \"crate::server\"; const B: char = '\"'; // crate::server",
            vec![],
        ),
        ("policy.rs", "const A: &str = r#\"crate::server\"#; fn f<'a>(x: &'a str) -> crate::model::App {}", vec![]),
    ] {
        let file = format!("agent/src/{file}");
        let rooms = AGENT.rooms.iter().map(|(_, name, _)| format!("agent/src/{name}/mod.rs"));
        let others: Vec<_> = rooms.filter(|other| *other != file).chain(["agent/src/lib.rs".to_owned()]).collect();
        let sources = others.iter().map(|other| (other.as_str(), "")).chain([(file.as_str(), code)]);
        let found: Vec<_> = broken(&FLOORS, &sources.collect::<Vec<_>>()).into_iter().map(|(_, line)| line).collect();
        assert_eq!(found, lines, "{file}: {code}");
    }
    for (rule, code, lines) in [
        (&OWNERS, "use reqwest::Client;", 1),
        (&OWNERS, "fn f(x: toml::Value) { let directories = 1; self.toml.clap() }", 1),
        (&OWNERS, "use crate::model::toml::App;", 0),
        (&SECRETS, "fn f() { token.expose(); tokens.map(Secret::expose); }\nfn expose() {}", 2),
        (&SECRETS, "mod tests { fn f() { token.expose(); } }", 0),
        (&ENVIRONMENT, "use std::env::{self, var};\nfn f() { env::var_os(NAME); env::args() }", 2),
        (&TASKS, "fn f() { tokio::spawn(g()); tokio::task::spawn_blocking(g); std::thread::spawn(g); }", 2),
        (&FILES, "use std::fs;", 1),
        (&FILES, &format!("//! Too long.\n{}", "\n".repeat(400)), 1),
        (&FILES, "//! Fine.", 0),
    ] {
        assert_eq!(broken(rule, &[("agent/src/policy.rs", code)]).len(), lines, "{code}");
    }
    for file in ["helper/src/util.rs", "agent/src/handler/mod.rs"] {
        assert_eq!(broken(&FILES, &[(file, "//! Everything.")]), [(file.to_owned(), 1)]);
    }
}

#[test]
fn what_breaks_the_plan_is_found() {
    for (sources, lines) in [
        // Inside the broker, and inside the command line.
        (
            vec![("agent/src/broker/gate.rs", "use super::Broker;"), ("agent/src/broker/mod.rs", "pub struct Broker;")],
            vec![1],
        ),
        (
            vec![("agent/src/broker/gate.rs", "pub struct Gate;"), ("agent/src/broker/mod.rs", "use gate::Gate;")],
            vec![],
        ),
        (vec![("agent/src/broker/gate.rs", ""), ("agent/src/broker/explain/mod.rs", "\nuse super::gate;")], vec![2]),
        (
            vec![
                ("agent/src/broker/git/get.rs", "use super::super::telling;"),
                ("agent/src/broker/telling/mod.rs", ""),
            ],
            vec![1],
        ),
        (vec![("agent/src/broker/git/get.rs", "use super::choose;"), ("agent/src/broker/git/choose.rs", "")], vec![]),
        (
            vec![
                ("agent/src/broker/git/get.rs", ""),
                ("agent/src/broker/gate.rs", "mod tests { use super::super::git::get; }"),
            ],
            vec![],
        ),
        (vec![("agent/src/broker/novelty.rs", "")], vec![1]),
        (
            vec![("cli/src/failure.rs", "use crate::doctor;"), ("cli/src/doctor/mod.rs", ""), ("cli/src/lib.rs", "")],
            vec![1],
        ),
        // A call of a method climbs like an import.
        (
            vec![
                ("agent/src/broker/gate.rs", "impl super::tokens::Tokens {\n fn open(&self) { self.lease() } }"),
                ("agent/src/broker/tokens/mod.rs", "pub struct Tokens;"),
                ("agent/src/broker/tokens/lease.rs", "impl super::Tokens { fn lease(&self) {} }"),
            ],
            vec![1, 2],
        ),
        // An item that another room re-exports is used by way of that room.
        (
            vec![
                ("agent/src/lib.rs", ""),
                ("agent/src/server/mod.rs", "pub use crate::model::App;"),
                ("agent/src/model/mod.rs", "pub struct App;"),
                ("agent/src/broker/mod.rs", "use crate::server::App;"),
            ],
            vec![1],
        ),
    ] {
        let found: Vec<_> = broken(&FLOORS, &sources).into_iter().map(|(_, line)| line).collect();
        assert_eq!(found, lines, "{sources:?}");
    }
    for (code, lines) in [
        ("use ghapp_agent::github::GitHub;", vec![1]),
        ("use ghapp_agent::{github, model::App};\nuse ghapp_agent::model;", vec![1]),
        ("fn f() {}\nfn g() -> ghapp_agent::github::GitHub {}", vec![2]),
        ("use ghapp_agent::audit::Record;", vec![1]),
        ("use ghapp_agent::audit::Reading;", vec![]),
        ("use ghapp_agent::model::{App, AppName};\nuse crate::github;", vec![]),
    ] {
        let agent = [
            ("agent/src/audit/reading.rs", "pub struct Reading;"),
            ("agent/src/audit.rs", "pub use reading::Reading; pub struct Record;"),
            ("agent/src/github/mod.rs", ""),
            ("agent/src/lib.rs", ""),
            ("agent/src/model/mod.rs", ""),
        ];
        let sources: Vec<_> = agent.into_iter().chain([("cli/src/lib.rs", code)]).collect();
        let found: Vec<_> = broken(&CONTRACT, &sources).into_iter().map(|(_, line)| line).collect();
        assert_eq!(found, lines, "{code}");
    }
}

#[test]
fn a_part_of_the_state_in_another_room_is_found() {
    let touches = "fn f() {\n shared.state().live.keep();\n let mut it = state(); it.live.all(); }\nfn h(live: &mut Live) {}\n\
                   mod tests { fn g() { state.live.y() } }";
    for (file, lines) in [
        ("agent/src/broker/telling/status.rs", vec![2, 3, 4]),
        ("agent/src/broker/tokens/mint.rs", vec![]),
        ("agent/src/broker/state/mod.rs", vec![]),
        ("agent/src/server/mod.rs", vec![]),
    ] {
        let found: Vec<_> = broken(&STATE_PARTS, &[(file, touches)]).into_iter().map(|(_, line)| line).collect();
        assert_eq!(found, lines, "{file}");
    }
}

#[test]
fn what_is_too_large_is_found() {
    let files: Vec<_> = (0..19).map(|number| format!("agent/src/model/noun{number}.rs")).collect();
    let mut sources: Vec<_> = files.iter().map(|file| (file.as_str(), "")).collect();
    assert_eq!(broken(&FOLDERS, &sources), [("agent/src/model".to_owned(), 0)]);
    sources.pop();
    assert_eq!(broken(&FOLDERS, &sources), []);

    let methods =
        |count: usize| (0..count).map(|number| format!("pub async fn method{number}(&self) {{ fn f() {{}} }}\n"));
    let block = |count: usize| format!("impl Broker {{\n{}}}", methods(count).collect::<String>());
    let broker = format!("struct Broker;\nimpl Default for Broker {{ fn default() {{}} }}\n{}", block(20));
    let count = |more: usize| {
        let more = format!("use super::Broker;\n{}mod tests {{ {} }}", block(more), block(9));
        let files = [("agent/src/broker/mod.rs", broker.as_str()), ("agent/src/broker/git.rs", more.as_str())];
        broken(&BROKER, &files)
    };
    assert_eq!(count(19), []);
    assert_eq!(count(20), [("agent/src/broker".to_owned(), 0)]);

    let once = "match it { Decision::Candidates(grants) => grants, policy::Decision::Serve(grant) => vec![grant] }";
    let twice = format!("{once}\n{once}\nmod tests {{ {once} }}");
    let any = "use crate::policy::Decision::*;\nfn f(it: &D) -> bool { matches!(it, Deny { .. }) }";
    let choosing = "agent/src/broker/git/choose.rs";
    for (sources, lines) in [
        (vec![(choosing, once), ("agent/src/policy.rs", once)], vec![]),
        (vec![(choosing, &*twice)], vec![2]),
        (vec![(choosing, once), ("agent/src/broker/git/which.rs", &*twice)], vec![1, 1, 2, 2]),
        (vec![("agent/src/broker/git/which.rs", any)], vec![1]),
    ] {
        let found: Vec<_> = broken(&DECISIONS, &sources).into_iter().map(|(_, line)| line).collect();
        assert_eq!(found, lines, "{sources:?}");
    }
}

#[test]
fn a_circle_is_found_and_told() {
    let sources = [
        ("helper/src/main.rs", "mod a;\nmod b;\nmod c;"),
        ("helper/src/a.rs", "use crate::b::B;\n"),
        ("helper/src/b.rs", "use super::c;\npub struct B;"),
        ("helper/src/c.rs", "\nfn f() { super::a::f() }"),
    ];
    let sources = sources.map(|(file, code)| (file.to_owned(), code.to_owned()));
    let breaches = (CIRCLES.breaches)(&House::new(&sources));
    let told: Vec<_> =
        breaches.iter().map(|breach| format!("{}:{}: {}", breach.file, breach.line, breach.what)).collect();
    let way = "helper/src/a.rs:1: imports crate::b::B -> helper/src/b.rs:1 imports super::c -> \
               helper/src/c.rs:2 names super::a::f -> helper/src/a.rs";
    assert_eq!(told, [way]);
}
