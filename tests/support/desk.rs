//! A developer's desk: a GitHub with an App that is installed on an organization, and a sandbox in which git uses it.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use ghapp_protocol::message::{Call, Erase};
use ghapp_protocol::remote::Host;
use ghapp_protocol::token_hash::TokenHash;
use serde_json::Value;

use crate::github::{AccountKind, App, Selection};
use crate::process::{self, Output};
use crate::{GitHub, Sandbox, binary, eventually};

/// What an App for git is usually granted.
pub const GIT_PERMISSIONS: &[(&str, &str)] = &[("contents", "write"), ("workflows", "write"), ("metadata", "read")];

/// GitHub with the organization `acme`, its repositories `acme/web` and `acme/api`, and the App `acme-bot` installed on it; and a
/// sandbox whose git trusts that GitHub.
pub struct Desk {
    /// The simulator.
    pub github: GitHub,
    /// The App.
    pub app: App,
    /// The number of its installation on `acme`.
    pub installation: u64,
    sandbox: Sandbox,
}

impl Desk {
    /// A desk without a login.
    pub fn new() -> Desk {
        let github = GitHub::start();
        github.create_account("acme", AccountKind::Organization);
        let app = github.create_app("acme-bot", "acme");
        github.create_repository("acme/web");
        github.create_repository("acme/api");
        let installation = github.install(&app, "acme", Selection::All, GIT_PERMISSIONS);
        let sandbox = Sandbox::new();
        sandbox.trust_in_git(&github);
        Desk { github, app, installation, sandbox }
    }

    /// A desk where `acme-bot` is logged in with its key in the agent's memory, and git uses it for the whole host.
    pub fn ready() -> Desk {
        let desk = Desk::new();
        desk.log_in("memory").ok();
        desk.set_up_git();
        desk
    }

    /// Logs `acme-bot` in, with its key in `store`.
    pub fn log_in(&self, store: &str) -> Output {
        self.log_in_as(&self.app, store)
    }

    /// Logs an App of this GitHub in, with its key in `store`.
    pub fn log_in_as(&self, app: &App, store: &str) -> Output {
        let mut command = self.command(binary("ghapp"));
        command.args(["login", "--pem", "-"]).args(self.login_flags(app, store));
        process::run(&mut command, app.pem().as_bytes())
    }

    /// Logs an App of this GitHub in, with its key in an encrypted file.
    pub fn log_in_with_passphrase(&self, app: &App, passphrase: &str) -> Output {
        let file = self.path(format!("{}.pem", app.app_id));
        std::fs::write(&file, app.pem()).expect("the sandbox is writable");
        let mut command = self.command(binary("ghapp"));
        command.args(["login", "--passphrase-file", "-", "--pem"]).arg(&file);
        let outcome = process::run(command.args(self.login_flags(app, "encrypted-file")), passphrase.as_bytes());
        std::fs::remove_file(file).expect("it was just written");
        outcome
    }

    /// What every login here needs besides the key.
    pub fn login_flags(&self, app: &App, store: &str) -> Vec<String> {
        let (id, ca_file) = (app.app_id.to_string(), self.github.ca_file().display().to_string());
        ["--app-id", &id, "--host", self.github.host(), "--ca-file", &ca_file, "--store", store]
            .map(str::to_owned)
            .into()
    }

    /// Gives the agent a passphrase.
    pub fn unlock(&self, passphrase: &str) -> Output {
        process::run(self.command(binary("ghapp")).arg("unlock"), passphrase.as_bytes())
    }

    /// The encrypted files of the user.
    pub fn key_files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.home().join(".local/state/ghapp/keys"));
        entries.map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
    }

    /// Tells git to use the helper for this GitHub.
    pub fn set_up_git(&self) {
        self.ghapp(["setup-git", "--host", self.github.host()]).ok();
    }

    /// Makes everything of `acme` ours by a rule, whatever else the agent learns about it.
    pub fn claim(&self) {
        let host = self.github.host();
        self.configure(&format!("\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\n")).ok();
    }

    /// Tells programs with libgit2 the same. Their key for a host's helper has no port, and only tests have hosts with one.
    pub fn set_up_git_without_port(&self) {
        let (name, _port) = self.github.host().split_once(':').expect("the simulator has a port");
        self.ghapp(["setup-git", "--host", name]).ok();
    }

    /// Runs `ghapp`.
    pub fn ghapp<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        process::run(self.command(binary("ghapp")).args(arguments), b"")
    }

    /// Runs `ghapp` with `--json` and returns what it printed.
    pub fn ghapp_json<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Value {
        let output = process::run(self.command(binary("ghapp")).args(arguments).arg("--json"), b"");
        serde_json::from_str(&output.ok().stdout()).expect("--json prints JSON")
    }

    /// Clones a repository into the working directory, under its own name.
    pub fn clone(&self, repository: &str) -> Output {
        self.git(["clone", "--quiet", &self.github.clone_url(repository)])
    }

    /// What `git credential fill` answers for a repository, or how it fails.
    pub fn fill(&self, repository: &str) -> Output {
        let attributes = format!("protocol=https\nhost={}\npath={repository}.git\n\n", self.github.host());
        self.git_credential("fill", &attributes)
    }

    /// The token that git gets for a repository.
    pub fn token(&self, repository: &str) -> String {
        let filled = self.fill(repository);
        let stdout = filled.ok().stdout();
        let password = stdout.lines().find_map(|line| line.strip_prefix("password="));
        password.expect("there is a password").to_owned()
    }

    /// The expiry that git is told for a repository, in seconds since 1970.
    ///
    /// The helper itself is asked: git passes the expiry on since 2.40 only.
    pub fn expiry(&self, repository: &str) -> i64 {
        let request = format!("protocol=https\nhost={}\npath={repository}.git\n\n", self.github.host());
        let mut command = self.command(binary("git-credential-ghapp"));
        let answer = process::run(command.arg("get"), request.as_bytes()).ok().stdout();
        let expiry = answer.lines().find_map(|line| line.strip_prefix("password_expiry_utc="));
        expiry.and_then(|expiry| expiry.parse().ok()).expect("the helper tells the expiry")
    }

    /// The decisions in the audit log so far.
    pub fn audit(&self) -> Vec<Value> {
        self.audit_lines().iter().map(|line| serde_json::from_str(line).expect("the log has lines of JSON")).collect()
    }

    /// The lines of the audit log so far.
    ///
    /// The agent answers first and writes then, in order. So a question of our own goes behind all others, and its line is
    /// waited for; it is left out here.
    pub fn audit_lines(&self) -> Vec<String> {
        let read = || {
            let mut log = std::fs::read_to_string(self.audit_file()).unwrap_or_default();
            // The last line may just be written.
            log.truncate(log.rfind('\n').map_or(0, |end| end + 1));
            log
        };
        let exposed = || std::fs::read_to_string(self.exposed_audit_file()).unwrap_or_default();
        let marker = TokenHash::of(b"a token that nobody has");
        let host = Host::parse("marker.invalid").expect("it is a host");
        let is_marker = |line: &str| line.contains("\"marker.invalid\"");
        let before = read().lines().filter(|line| is_marker(line)).count();
        if self.ask(Call::Erase(Erase { host, hashed_token: marker })).is_ok() {
            eventually("the agent writes its audit log", || {
                read().lines().filter(|line| is_marker(line)).count() > before
            });
        }
        let (own, exposed) = (read(), exposed());
        // In the order in which they were decided.
        let place = |line: &str| -> (String, u64) {
            let line: Value = serde_json::from_str(line).expect("the log has lines of JSON");
            (line["ts"].as_str().unwrap_or_default().to_owned(), line["seq"].as_u64().unwrap_or_default())
        };
        let mut own = own.lines().filter(|line| !is_marker(line)).peekable();
        let mut lines = Vec::new();
        for line in exposed.lines() {
            lines.extend(std::iter::from_fn(|| own.next_if(|own| place(own) < place(line))));
            lines.push(line);
        }
        lines.into_iter().chain(own).map(str::to_owned).collect()
    }

    /// The audit log.
    pub fn audit_file(&self) -> PathBuf {
        self.home().join(".local/state/ghapp/audit.jsonl")
    }

    /// What the audit log says about questions over exposed sockets.
    pub fn exposed_audit_file(&self) -> PathBuf {
        self.audit_file().with_extension("exposed.jsonl")
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.home().join(".config/ghapp/config.toml")
    }

    /// Appends to the configuration file and makes the agent read it.
    pub fn configure(&self, text: &str) -> Output {
        let mut config = std::fs::read_to_string(self.config_file()).unwrap_or_default();
        config.push_str(text);
        std::fs::write(self.config_file(), config).expect("the sandbox is writable");
        self.ghapp(["agent", "reload"])
    }
}

impl Default for Desk {
    fn default() -> Desk {
        Desk::new()
    }
}

impl Deref for Desk {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl DerefMut for Desk {
    fn deref_mut(&mut self) -> &mut Sandbox {
        &mut self.sandbox
    }
}

impl Drop for Desk {
    #[expect(clippy::print_stderr, reason = "for the reader of the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The reader of the failure wants to know what the agent decided.
            for line in std::fs::read_to_string(self.audit_file()).unwrap_or_default().lines() {
                eprintln!("audit: {line}");
            }
        }
        self.sandbox.stop_agent();
    }
}
