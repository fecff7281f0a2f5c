//! The rules of the house, checked on the sources as text: floors, one owner per dependency, and where secrets, the
//! environment and new tasks may be touched.
//!
//! What nothing checks is a wish and not a rule. A rule that has to change is changed here, with its reason.

#[path = "floors/source.rs"]
mod source;

use std::fs;
use std::path::Path;

use source::Source;

/// A rule and how to find what breaks it.
struct Rule {
    text: &'static str,
    breaches: fn(&Source) -> Vec<Breach>,
}

/// The line that breaks a rule, and how.
type Breach = (usize, String);
/// Where something may be done: the start of a path, and the reason.
type Places = &'static [(&'static str, &'static str)];
/// Whether something is done at a token.
type Deed = fn(&Source, usize) -> bool;

const FLOORS: Rule = Rule {
    text: "Modules of the agent import only downwards (the picture is in agent/src/lib.rs); model and clock may use each other. \
           The rules decide and do no I/O, the edges do I/O and decide nothing, and only the broker knows both.",
    breaches: |source| {
        let Some(from) = source.module().and_then(|path| path.first().cloned()) else { return Vec::new() };
        let Some(above) = floor(&from) else {
            return vec![(1, format!("{from} has no floor; give it one here and in agent/src/lib.rs"))];
        };
        let judge = |(line, to): (usize, String)| match floor(&to) {
            Some(below) if below < above || (below, above) == (NOUNS, NOUNS) => None,
            _ => Some((line, format!("{from} imports {to}"))),
        };
        source.imports(&from).into_iter().filter_map(judge).collect()
    },
};

const NOUNS: u8 = 1;

/// The floor of a module of the agent. Nothing is on `main`'s: nobody imports it.
fn floor(module: &str) -> Option<u8> {
    match module {
        "model" | "clock" | "regular_file" | "private_directory" | "memory" => Some(NOUNS),
        // Two wings, and nobody in them imports anybody else: first the rules, then the edges.
        "policy" | "installation" | "numbers" | "patience" | "attempts" | "failed_keys" | "token" | "audit"
        | "config" | "github" | "keystore" | "lineage" | "signer" | "socket_file" => Some(2),
        "broker" => Some(3),
        "server" | "lifecycle" => Some(4),
        // Of the program and not of the library: only `main` can import it.
        "arguments" => Some(5),
        _ => None,
    }
}

const COMMAND_LINE: Rule = Rule {
    text: "The command line uses of the agent what its configuration and its model say, and how the files of a person are read; it \
           never talks to GitHub, and never serves.",
    breaches: |source| {
        if !source.file.starts_with("cli/") {
            return Vec::new();
        }
        let used = |index: usize| {
            let names = if source.is_path_root(index, "ghapp_agent") { source.group(index + 2) } else { Vec::new() };
            let line = source.tokens[index].line;
            names.into_iter().filter(|name| !LENT.contains(name)).map(move |name| (line, format!("it uses {name}")))
        };
        (0..source.tokens.len()).flat_map(used).collect()
    },
};

const LENT: &[&str] = &["audit_log", "clock", "config", "model", "regular_file", "signer"];

const OWNERS: Rule = Rule {
    text: "Each heavy dependency has one owner, so that it can be replaced, and judged, in one place.",
    breaches: |source| {
        let owned = |index: usize| {
            let (krate, owners) = OWNED.iter().find(|(krate, _)| source.is_path_root(index, krate))?;
            let line = source.tokens[index].line;
            (!owners.iter().any(|owner| source.file.starts_with(owner)))
                .then(|| (line, format!("{krate} belongs to {}", owners.join(" and "))))
        };
        (0..source.tokens.len()).filter_map(owned).collect()
    },
};

const OWNED: &[(&str, &[&str])] = &[
    ("age", &["agent/src/keystore/encrypted_file.rs"]),
    ("apple_native_keyring_store", &["agent/src/keystore/"]),
    ("aws_lc_rs", &["agent/src/signer/", "agent/src/keystore/sizes.rs"]),
    ("clap", &["cli/src/"]),
    ("clap_complete", &["cli/src/manual/mod.rs", "cli/src/arguments/manual.rs"]),
    ("clap_mangen", &["cli/src/manual/mod.rs"]),
    ("dialoguer", &["cli/src/terminal/prompt.rs"]),
    ("directories", &["agent/src/config/paths.rs"]),
    ("fs4", &["protocol/src/endpoint/windows.rs"]),
    ("getrandom", &["cli/src/login/create/"]),
    ("hyper", &["cli/src/login/create/callback.rs"]),
    ("hyper_util", &["cli/src/login/create/callback.rs"]),
    ("indicatif", &["cli/src/terminal/progress.rs"]),
    (
        "interprocess",
        &["agent/src/server/", "agent/src/lifecycle/", "agent/src/socket_file.rs", "protocol/src/client/windows.rs"],
    ),
    ("jsonwebtoken", &["agent/src/signer/"]),
    ("keyring_core", &["agent/src/keystore/"]),
    ("linux_keyutils", &["agent/src/keystore/kernel/linux.rs"]),
    ("lexopt", &["agent/src/arguments.rs"]),
    ("listenfd", &["agent/src/lifecycle/activation.rs"]),
    ("reqwest", &["agent/src/github/"]),
    ("roff", &["cli/src/manual/"]),
    ("rpassword", &["cli/src/login/passphrase.rs"]),
    ("sd_notify", &["agent/src/lifecycle/ready.rs"]),
    ("strsim", &["agent/src/config/position.rs"]),
    ("toml", &["agent/src/config/load.rs"]),
    ("toml_edit", &["agent/src/config/edit.rs", "agent/src/config/edit/"]),
    ("tracing_subscriber", &["agent/src/main.rs"]),
    ("widestring", &["agent/src/lifecycle/listener/windows.rs"]),
    ("windows_native_keyring_store", &["agent/src/keystore/"]),
    ("zbus", &["agent/src/lifecycle/screen_lock.rs"]),
    ("zbus_secret_service_keyring_store", &["agent/src/keystore/"]),
];

const SECRETS: Rule = Rule {
    text: "A secret leaves its hiding (`expose`) only where it has to, each place with its reason.",
    breaches: |source| outside(source, EXPOSING, exposes, "a secret is exposed"),
};

fn exposes(source: &Source, index: usize) -> bool {
    source.text(index) == "expose" && matches!(source.text(index.wrapping_sub(1)), "." | "::")
}

const EXPOSING: Places = &[
    ("agent/src/broker/apps/create.rs", "reads the key that GitHub made"),
    ("agent/src/broker/apps/login.rs", "decodes the key that `ghapp login` handed over, and measures a new passphrase"),
    ("cli/src/login/create/", "makes, shows and compares what nobody may guess"),
    ("cli/src/tokens/exec.rs", "gives the command the token that it was asked for"),
    ("cli/src/login/pem.rs", "encodes the key for the agent"),
    ("cli/src/tokens/renewal/token_file.rs", "writes the token into the file that was asked for"),
    ("cli/src/tokens/token.rs", "prints the token that was asked for"),
    ("agent/src/github/calls.rs", "makes a path of a manifest's code"),
    ("agent/src/github/client.rs", "writes the Authorization header"),
    ("agent/src/github/types.rs", "makes sure that a token is one line"),
    ("agent/src/keystore/encrypted_file.rs", "derives a key from a passphrase"),
    ("agent/src/keystore/mod.rs", "locks the pages of a key that stays in memory"),
    ("agent/src/keystore/stored_form.rs", "encodes the key for a store"),
    ("agent/src/model/manifest_code.rs", "makes sure that a code is one part of a path"),
    ("agent/src/model/token.rs", "hashes the token"),
    ("agent/src/signer/import.rs", "computes the key's fingerprint"),
    ("agent/src/signer/jwt.rs", "signs, and puts the app JWT together"),
    ("helper/src/answer.rs", "gives git the password"),
    ("protocol/src/secret.rs", "puts it on the wire"),
];

const ENVIRONMENT: Rule = Rule {
    text: "Environment variables are read at the edges, so that everything else is a function of its arguments.",
    breaches: |source| outside(source, READING, reads_environment, "the environment is read"),
};

fn reads_environment(source: &Source, index: usize) -> bool {
    let names = || source.group(index + 2);
    let reads = |name: &str| ["var", "var_os", "vars", "vars_os"].contains(&name);
    source.text(index) == "env" && source.text(index + 1) == "::" && names().into_iter().any(reads)
}

const READING: Places = &[
    ("cli/src/", "what a person set for one command"),
    ("agent/src/config/paths.rs", "which configuration file, and where the service manager put credentials"),
    ("agent/src/keystore/os/linux.rs", "whether there is a session bus"),
    ("agent/src/lifecycle/activation.rs", "the service manager's socket"),
    ("agent/src/main.rs", "where to log"),
    ("protocol/src/trace.rs", "where to trace"),
    ("protocol/src/endpoint/", "where the socket is"),
    ("protocol/src/start.rs", "what a started agent inherits, and whether one may be started"),
];

const TASKS: Rule = Rule {
    text: "Tasks are started only where somebody answers for their end.",
    breaches: |source| outside(source, SPAWNING, starts_task, "a task is started"),
};

fn starts_task(source: &Source, index: usize) -> bool {
    let names = || source.group(index + 2);
    let starts = |name: &str| name.starts_with("spawn");
    match source.text(index) {
        "JoinSet" => true,
        "tokio" | "task" => source.text(index + 1) == "::" && names().into_iter().any(starts),
        _ => false,
    }
}

const SPAWNING: Places = &[
    ("agent/src/broker/", "revokes several tokens at once, and waits for all"),
    ("cli/src/login/create/callback.rs", "one for each visitor of the page, counted by permits"),
    ("agent/src/lifecycle/", "waits for signals, and for a lock"),
    ("agent/src/server/", "one for each connection, counted by permits"),
    ("agent/src/token/single_flight.rs", "a mint goes on when the one who asked has gone"),
];

const FILES: Rule = Rule {
    text: "A file has one job: its first line, a `//!` comment, says which; past 400 lines it has two; and a name such as util \
           says nothing.",
    breaches: |source| {
        const NAMELESS: &[&str] = &["common", "data", "handler", "helpers", "manager", "misc", "util", "utils"];
        let mut breaches = Vec::new();
        let first = source.code.lines().next().unwrap_or("");
        if first.strip_prefix("//! ").is_none_or(|job| job.trim().is_empty()) {
            breaches.push((1, "the first line does not say what the file is for".to_owned()));
        }
        let lines = source.code.lines().count();
        if lines > 400 {
            breaches.push((lines, format!("{lines} lines")));
        }
        let nameless = source.file.split(['/', '.']).find(|part| NAMELESS.contains(part));
        breaches.extend(nameless.map(|name| (1, format!("it is called {name}"))));
        breaches
    },
};

/// What is done outside its places. Tests within a file may: the secrets in them are made up.
fn outside(source: &Source, places: Places, done: Deed, what: &str) -> Vec<Breach> {
    if places.iter().any(|(place, _)| source.file.starts_with(place)) {
        return Vec::new();
    }
    let tokens = source.tokens.iter().enumerate().filter(|(_, token)| !token.within.contains(&"tests"));
    tokens.filter(|(index, _)| done(source, *index)).map(|(_, token)| (token.line, what.to_owned())).collect()
}

/// All sources of the three programs: path from the workspace's root, and text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a workspace");
    let mut directories: Vec<_> =
        ["agent/src", "cli/src", "helper/src", "protocol/src"].map(|path| root.join(path)).into();
    let mut sources = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("the sources are beside the tests") {
            let path = entry.expect("the sources can be listed").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(root).expect("it is below the root").to_string_lossy().replace('\\', "/");
                sources.push((file, fs::read_to_string(path).expect("a source is text")));
            }
        }
    }
    assert!(sources.len() > 50, "only {} sources were found", sources.len());
    sources.sort();
    sources
}

/// Checks a rule on all sources.
fn holds(rule: &Rule) {
    let mut found = Vec::new();
    for (file, code) in &sources() {
        let breaches = (rule.breaches)(&Source::new(file, code));
        found.extend(breaches.into_iter().map(|(line, what)| format!("  {file}:{line}: {what}\n")));
    }
    assert!(found.is_empty(), "\n{}\n{}", rule.text, found.concat());
}

#[test]
fn modules_import_only_downwards() {
    holds(&FLOORS);
}

#[test]
fn the_command_line_is_lent_little_of_the_agent() {
    holds(&COMMAND_LINE);
}

#[test]
fn every_heavy_dependency_stays_with_its_owner() {
    holds(&OWNERS);
}

#[test]
fn secrets_are_exposed_only_where_they_have_to_be() {
    holds(&SECRETS);
}

#[test]
fn the_environment_is_read_only_at_the_edges() {
    holds(&ENVIRONMENT);
}

#[test]
fn tasks_are_started_only_where_somebody_answers_for_them() {
    holds(&TASKS);
}

#[test]
fn every_file_has_one_job_and_says_so() {
    holds(&FILES);
}

#[test]
fn no_place_is_listed_in_vain() {
    let sources = sources();
    let sources: Vec<_> = sources.iter().map(|(file, code)| Source::new(file, code)).collect();
    let somewhere = |place: &str, done: &dyn Fn(&Source, usize) -> bool| {
        let mut there = sources.iter().filter(|source| source.file.starts_with(place));
        there.any(|source| (0..source.tokens.len()).any(|index| done(source, index)))
    };
    let deeds: [(Places, Deed); 3] = [(EXPOSING, exposes), (READING, reads_environment), (SPAWNING, starts_task)];
    for (places, done) in deeds {
        for (place, reason) in places {
            assert!(somewhere(place, &done), "{place} is listed, because it {reason}, and does not");
        }
    }
    for (krate, owners) in OWNED {
        for owner in *owners {
            let uses = |source: &Source, index: usize| source.is_path_root(index, krate);
            assert!(somewhere(owner, &uses), "{owner} owns {krate} and does not use it");
        }
    }
}

#[test]
fn what_breaks_a_rule_is_found() {
    let broken = |rule: &Rule, file: &str, code: &str| {
        let breaches = (rule.breaches)(&Source::new(file, code));
        breaches.into_iter().map(|(line, _)| line).collect::<Vec<_>>()
    };
    for (file, code, lines) in [
        ("policy.rs", "use crate::github::GitHub;", vec![1]),
        ("policy.rs", "use crate::model::App;\nfn f() { crate::audit::f() }", vec![2]),
        ("policy.rs", "use crate::{model::{App, Rule}, config};", vec![1]),
        ("policy.rs", "use super::server;", vec![1]),
        (
            "policy.rs",
            "#[cfg(test)]\nmod tests {\n use super::super::broker;\n use super::decide;\n}\nuse super::cli;",
            vec![3, 6],
        ),
        ("token/cache.rs", "use super::super::policy;\nuse super::flight;", vec![1]),
        ("github/calls.rs", "use crate::signer::AppJwt;", vec![1]),
        ("lifecycle/mod.rs", "use crate::{broker, server};", vec![1]),
        ("model/app.rs", "use crate::broker::Broker;", vec![1]),
        ("broker/mod.rs", "use crate::{cli};\nuse crate::{policy, github};", vec![1]),
        ("server/mod.rs", "use crate::main;", vec![1]),
        ("novelty.rs", "", vec![1]),
        (
            "policy.rs",
            "//! [`crate::github`]\n/* crate::cli */ const A: &str = \"crate::cli\"; const B: char = '\"'; // crate::cli",
            vec![],
        ),
        ("policy.rs", "const A: &str = r#\"crate::cli\"#; fn f<'a>(x: &'a str) -> crate::model::App {}", vec![]),
    ] {
        assert_eq!(broken(&FLOORS, &format!("agent/src/{file}"), code), lines, "{file}: {code}");
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
        assert_eq!(broken(rule, "agent/src/policy.rs", code).len(), lines, "{code}");
    }
    assert_eq!(broken(&FILES, "helper/src/util.rs", "//! Everything."), [1]);
    for (code, lines) in [
        ("use ghapp_agent::{config, model::{App, AppName}};\nfn f(x: ghapp_agent::clock::Moment) {}", vec![]),
        ("use ghapp_agent::program::run;\nuse ghapp_agent::{config, minting};", vec![1, 2]),
        ("fn f() { ghapp_agent::program::run() }", vec![1]),
    ] {
        assert_eq!(broken(&COMMAND_LINE, "cli/src/doctor/mod.rs", code), lines, "{code}");
    }
    assert_eq!(broken(&COMMAND_LINE, "agent/src/main.rs", "use ghapp_agent::program;"), []);
    assert_eq!(broken(&FILES, "agent/src/handler/mod.rs", "//! Everything."), [1]);
}
