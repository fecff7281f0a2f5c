//! The rules of the house, checked on the sources as text: floors, one owner per dependency, and where secrets, the
//! environment and new tasks may be touched.
//!
//! What nothing checks is a wish and not a rule. A rule that has to change is changed here, with its reason.

use std::fs;
use std::path::Path;

/// A rule and how to find what breaks it.
struct Rule {
    text: &'static str,
    breaches: fn(&Source) -> Vec<Breach>,
}

/// The line that breaks a rule, and how.
type Breach = (usize, String);
/// Where something may be done: the start of a path, and the reason.
type Places = &'static [(&'static str, &'static str)];

const FLOORS: Rule = Rule {
    text: "Modules of the agent import only downwards (the picture is in agent/src/lib.rs); model and clock may use each other. \
           The rules decide and do no I/O, the edges do I/O and decide nothing, and only the broker knows both.",
    breaches: |source| {
        let Some(from) = source.module().and_then(|path| path.first().cloned()) else { return Vec::new() };
        let judge = |(line, to): (usize, String)| match (floor(&from), floor(&to)) {
            (Some(above), Some(below)) if from == to || below < above || (above, below) == (NOUNS, NOUNS) => None,
            (Some(_), Some(_)) => Some((line, format!("{from} imports {to}"))),
            (None, _) => Some((line, format!("{from} has no floor yet; give it one here and in agent/src/lib.rs"))),
            (_, None) => Some((line, format!("{from} imports {to}, which nobody may"))),
        };
        source.imports(&from).into_iter().filter_map(judge).collect()
    },
};

const NOUNS: u8 = 1;

/// The floor of a module of the agent. Nothing is on `main`'s: nobody imports it.
fn floor(module: &str) -> Option<u8> {
    match module {
        "model" | "clock" => Some(NOUNS),
        "policy" | "installation" | "token" => Some(2),                // rules
        "config" | "keystore" | "signer" | "github" | "audit" => Some(2), // edges
        "broker" => Some(3),
        "cli" | "server" | "lifecycle" => Some(4),
        _ => None,
    }
}

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
    ("apple_native_keyring_store", &["agent/src/keystore/"]),
    ("aws_lc_rs", &["agent/src/signer/"]),
    ("clap", &["agent/src/cli/", "agent/src/main.rs"]),
    ("directories", &["agent/src/config/paths.rs"]),
    ("fs4", &["protocol/src/endpoint/windows.rs"]),
    ("interprocess", &["agent/src/server/", "agent/src/lifecycle/", "protocol/src/client/windows.rs"]),
    ("jsonwebtoken", &["agent/src/signer/"]),
    ("keyring_core", &["agent/src/keystore/"]),
    ("listenfd", &["agent/src/lifecycle/activation.rs"]),
    ("reqwest", &["agent/src/github/"]),
    ("sd_notify", &["agent/src/lifecycle/ready.rs"]),
    ("strsim", &["agent/src/config/position.rs"]),
    ("toml", &["agent/src/config/load.rs"]),
    ("toml_edit", &["agent/src/config/edit.rs"]),
    ("tracing_subscriber", &["agent/src/main.rs"]),
    ("widestring", &["agent/src/lifecycle/listener/windows.rs"]),
    ("windows_native_keyring_store", &["agent/src/keystore/"]),
    ("zbus_secret_service_keyring_store", &["agent/src/keystore/"]),
];

const SECRETS: Rule = Rule {
    text: "A secret leaves its hiding (`expose`) only where it has to, each place with its reason.",
    breaches: |source| source.outside(EXPOSING, "a secret is exposed", |it, index| {
        it.text(index) == "expose" && matches!(it.text(index.wrapping_sub(1)), "." | "::")
    }),
};

const EXPOSING: Places = &[
    ("agent/src/broker/login.rs", "decodes the key that `ghapp login` handed over"),
    ("agent/src/cli/login.rs", "encodes the key for the agent"),
    ("agent/src/cli/token.rs", "prints the token that was asked for"),
    ("agent/src/github/client.rs", "writes the Authorization header"),
    ("agent/src/github/types.rs", "makes sure that a token is one line"),
    ("agent/src/keystore/stored_form.rs", "encodes the key for the keyring"),
    ("agent/src/model/token.rs", "hashes the token"),
    ("agent/src/signer/import.rs", "computes the key's fingerprint"),
    ("agent/src/signer/jwt.rs", "signs, and puts the app JWT together"),
    ("helper/src/answer.rs", "gives git the password"),
    ("protocol/src/secret.rs", "puts it on the wire"),
];

const ENVIRONMENT: Rule = Rule {
    text: "Environment variables are read at the edges, so that everything else is a function of its arguments.",
    breaches: |source| source.outside(READING, "the environment is read", |it, index| {
        let reads = |name: &&str| ["var", "var_os", "vars", "vars_os"].contains(name);
        it.text(index) == "env" && it.text(index + 1) == "::" && it.group(index + 2).iter().any(reads)
    }),
};

const READING: Places = &[
    ("agent/src/cli/", "what a person set for one command"),
    ("agent/src/config/paths.rs", "which configuration file"),
    ("agent/src/keystore/os/linux.rs", "whether there is a session bus"),
    ("agent/src/lifecycle/activation.rs", "the service manager's socket"),
    ("agent/src/main.rs", "where to log"),
    ("helper/src/trace.rs", "where to trace"),
    ("protocol/src/endpoint/", "where the socket is"),
    ("protocol/src/start.rs", "what a started agent inherits, and whether one may be started"),
];

const TASKS: Rule = Rule {
    text: "Tasks are started only where somebody answers for their end.",
    breaches: |source| source.outside(SPAWNING, "a task is started", |it, index| {
        let starts = |name: &&str| name.starts_with("spawn");
        it.text(index) == "JoinSet"
            || matches!(it.text(index), "tokio" | "task")
                && it.text(index + 1) == "::"
                && it.group(index + 2).iter().any(starts)
    }),
};

const SPAWNING: Places = &[
    ("agent/src/broker/", "revokes several tokens at once, and waits for all"),
    ("agent/src/lifecycle/", "waits for signals, and for a lock"),
    ("agent/src/server/", "one for each connection, counted by permits"),
    ("agent/src/token/flight.rs", "a mint goes on when the one who asked has gone"),
];

const FILES: Rule = Rule {
    text: "A file has one job: its first line, a `//!` comment, says which; past 400 lines it has two; and a name such as util \
           says nothing.",
    breaches: |source| {
        const NAMELESS: &[&str] = &["common", "data", "handler", "helpers", "manager", "misc", "util", "utils"];
        let mut breaches = Vec::new();
        let first = source.code.lines().next().unwrap_or("");
        if !first.strip_prefix("//! ").is_some_and(|job| !job.trim().is_empty()) {
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

/// A source file, and what is left of it without comments and texts.
struct Source<'a> {
    file: &'a str,
    code: &'a str,
    tokens: Vec<Token<'a>>,
}

struct Token<'a> {
    line: usize,
    text: &'a str,
    /// The modules within the file that it is in, outermost first.
    within: Vec<&'a str>,
}

impl<'a> Source<'a> {
    fn new(file: &'a str, code: &'a str) -> Self {
        let mut source = Self { file, code, tokens: tokens(code) };
        let (mut depth, mut open) = (0, Vec::<(&str, usize)>::new());
        for index in 0..source.tokens.len() {
            match source.text(index) {
                "mod" if source.text(index + 2) == "{" => open.push((source.text(index + 1), depth)),
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    open.pop_if(|(_, outside)| *outside == depth);
                }
                _ => {}
            }
            source.tokens[index].within = open.iter().map(|(name, _)| *name).collect();
        }
        source
    }

    /// The text of a token; nothing beyond the ends.
    fn text(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |token| token.text)
    }

    /// The names after `::`: one, or those of a group.
    fn group(&self, start: usize) -> Vec<&'a str> {
        if self.text(start) != "{" {
            return vec![self.text(start)];
        }
        let (mut depth, mut names, mut first) = (1, Vec::new(), true);
        for token in &self.tokens[start + 1..] {
            match token.text {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth == 1 => first = true,
                name if depth == 1 && std::mem::take(&mut first) => names.push(name),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        names
    }

    /// Whether a path begins here with the name of a crate.
    fn is_path_root(&self, index: usize, krate: &str) -> bool {
        let inner = self.text(index.wrapping_sub(1)) == "::" && !matches!(self.text(index.wrapping_sub(2)), "" | "use" | "(");
        self.text(index) == krate && !inner && (self.text(index + 1) == "::" || self.text(index.wrapping_sub(1)) == "use")
    }

    /// Where this file is in the agent's tree of modules; nothing for other crates and for the root.
    fn module(&self) -> Option<Vec<String>> {
        let path = self.file.strip_prefix("agent/src/")?.strip_suffix(".rs")?;
        let path = path.strip_suffix("/mod").unwrap_or(path);
        (!matches!(path, "lib" | "main") && !path.starts_with("bin/")).then(|| path.split('/').map(str::to_owned).collect())
    }

    /// The modules at the agent's root that this file names, with `crate::` or with enough of `super::`.
    fn imports(&self, from: &str) -> Vec<(usize, String)> {
        let depth = self.module().map_or(0, |path| path.len());
        let mut imports = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            let starts = self.text(index.wrapping_sub(1)) != "::" || self.text(index.wrapping_sub(2)) == "self";
            let mut next = index;
            let mut above = 0;
            while self.text(next) == "super" && self.text(next + 1) == "::" {
                (next, above) = (next + 2, above + 1);
            }
            if matches!(token.text, "crate" | "ghapp_agent") && self.text(index + 1) == "::" {
                (next, above) = (index + 2, usize::MAX);
            }
            if starts && above >= depth + token.within.len() && above > 0 {
                imports.extend(self.group(next).into_iter().map(|name| (token.line, name.to_owned())));
            }
        }
        imports.retain(|(_, name)| name != from && name != "self");
        imports
    }

    /// What is done outside its places. Tests within the file may: what they expose is made up.
    fn outside(&self, places: Places, what: &str, done: impl Fn(&Self, usize) -> bool) -> Vec<Breach> {
        if places.iter().any(|(place, _)| self.file.starts_with(place)) {
            return Vec::new();
        }
        let indices = (0..self.tokens.len()).filter(|index| !self.tokens[*index].within.contains(&"tests"));
        indices.filter(|index| done(self, *index)).map(|index| (self.tokens[index].line, what.to_owned())).collect()
    }
}

/// Cuts Rust into names and signs, leaving out comments, texts and characters.
fn tokens(code: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut rest, mut line) = (Vec::new(), code, 1);
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
        let hashes = rest[name..].len() - rest[name..].trim_start_matches('#').len();
        let raw = matches!(&rest[..name], "r" | "br" | "cr") && rest[name + hashes..].starts_with('"');
        let (length, kept) = if raw {
            let (start, end) = (name + hashes + 1, format!("\"{}", "#".repeat(hashes)));
            (rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len()), false)
        } else if name > 0 {
            (name, true)
        } else if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |at| at + 2), false)
        } else if first == '"' {
            (1 + quoted(&rest[1..], '"'), false)
        } else if first == '\'' && (rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'')) {
            (1 + quoted(&rest[1..], '\''), false)
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        if kept {
            tokens.push(Token { line, text: &rest[..length], within: Vec::new() });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of a text up to and with its closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// All sources of the three programs: path from the workspace's root, and text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a workspace");
    let mut directories: Vec<_> = ["agent/src", "helper/src", "protocol/src"].map(|path| root.join(path)).into();
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
