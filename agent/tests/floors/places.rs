//! The rules of places: where a dependency, a secret, the environment and a new task may be touched, and what a file is.

use crate::house::Rule;
use crate::source::Source;

/// Where something may be done: the start of a path, and the reason.
pub(crate) type Places = &'static [(&'static str, &'static str)];
/// Whether something is done at the token with this index.
pub(crate) type Deed = fn(&Source<'_>, usize) -> bool;

pub(crate) const OWNERS: Rule = Rule {
    text: "Each heavy dependency has one owner, so that it can be replaced, and judged, in one place.",
    breaches: |house| {
        house.each(|source| {
            let owned = |index: usize| {
                let (krate, owners) = OWNED.iter().find(|(krate, _)| source.is_path_root(index, krate))?;
                let line = source.tokens[index].line;
                (!owners.iter().any(|owner| source.file.starts_with(owner)))
                    .then(|| (line, format!("{krate} belongs to {}", owners.join(" and "))))
            };
            (0..source.tokens.len()).filter_map(owned).collect()
        })
    },
};

pub(crate) const OWNED: &[(&str, &[&str])] = &[
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
        &[
            "agent/src/server/",
            "agent/src/lifecycle/",
            "agent/src/files/socket_file.rs",
            "protocol/src/client/windows.rs",
        ],
    ),
    ("jsonwebtoken", &["agent/src/signer/"]),
    ("keyring_core", &["agent/src/keystore/"]),
    ("lexopt", &["agent/src/lifecycle/arguments.rs"]),
    ("linux_keyutils", &["agent/src/keystore/kernel/linux.rs"]),
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

pub(crate) const SECRETS: Rule = Rule {
    text: "A secret leaves its hiding (`expose`) only where it has to, each place with its reason.",
    breaches: |house| house.each(|source| outside(source, EXPOSING, exposes, "a secret is exposed")),
};

pub(crate) fn exposes(source: &Source<'_>, index: usize) -> bool {
    source.text(index) == "expose" && matches!(source.text(index.wrapping_sub(1)), "." | "::")
}

pub(crate) const EXPOSING: Places = &[
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

pub(crate) const ENVIRONMENT: Rule = Rule {
    text: "Environment variables are read at the edges, so that everything else is a function of its arguments.",
    breaches: |house| house.each(|source| outside(source, READING, reads_environment, "the environment is read")),
};

pub(crate) fn reads_environment(source: &Source<'_>, index: usize) -> bool {
    let names = || source.group(index + 2);
    let reads = |name: &str| ["var", "var_os", "vars", "vars_os"].contains(&name);
    source.text(index) == "env" && source.text(index + 1) == "::" && names().into_iter().any(reads)
}

pub(crate) const READING: Places = &[
    ("cli/src/", "what a person set for one command"),
    ("agent/src/config/paths.rs", "which configuration file, and where the service manager put credentials"),
    ("agent/src/keystore/os/linux.rs", "whether there is a session bus"),
    ("agent/src/lifecycle/activation.rs", "the service manager's socket"),
    ("agent/src/main.rs", "where to log"),
    ("protocol/src/trace.rs", "where to trace"),
    ("protocol/src/endpoint/", "where the socket is"),
    ("protocol/src/start.rs", "what a started agent inherits, and whether one may be started"),
];

pub(crate) const TASKS: Rule = Rule {
    text: "Tasks are started only where their end is answered for.",
    breaches: |house| house.each(|source| outside(source, SPAWNING, starts_task, "a task is started")),
};

pub(crate) fn starts_task(source: &Source<'_>, index: usize) -> bool {
    let names = || source.group(index + 2);
    let starts = |name: &str| name.starts_with("spawn");
    match source.text(index) {
        "JoinSet" => true,
        "tokio" | "task" => source.text(index + 1) == "::" && names().into_iter().any(starts),
        _ => false,
    }
}

pub(crate) const SPAWNING: Places = &[
    ("agent/src/broker/tokens/refresh.rs", "replaces tokens ahead of their end, each by itself"),
    ("agent/src/broker/tokens/revoke.rs", "revokes several tokens at once, and waits for all"),
    ("cli/src/login/create/callback.rs", "one for each visitor of the page, counted by permits"),
    ("agent/src/lifecycle/", "waits for signals, and for a lock"),
    ("agent/src/server/", "one for each connection, counted by permits"),
    ("agent/src/token/single_flight.rs", "a mint goes on when the one who asked has gone"),
];

pub(crate) const FILES: Rule = Rule {
    text: "A file has one job: its first line, a `//!` comment, says which; past 400 lines it has two; and a name such as util \
           says nothing.",
    breaches: |house| {
        house.each(|source| {
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
        })
    },
};

/// What is done outside its places. Tests within a file may do it: their secrets are made up.
fn outside(source: &Source<'_>, places: Places, done: Deed, what: &str) -> Vec<(usize, String)> {
    if places.iter().any(|(place, _)| source.file.starts_with(place)) {
        return Vec::new();
    }
    let tokens = source.tokens.iter().enumerate().filter(|(_, token)| !token.test);
    tokens.filter(|(index, _)| done(source, *index)).map(|(_, token)| (token.line, what.to_owned())).collect()
}
