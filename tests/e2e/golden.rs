//! What each command of `ghapp` prints, word by word: `golden/NAME.txt` is about `ghapp NAME`, and `golden/flags.txt` has all `--help`.
//!
//! After a change that is meant, write them anew with `UPDATE_GOLDEN=1 cargo test -p ghapp-tests --test e2e golden`, and read the
//! difference: it is what a user or a script will notice.
//!
//! What differs from run to run is replaced by its name in brackets, and nothing else is. The name may have another length, so that
//! in these files a column may not be below its heading.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ghapp_tests::process::{self, Output};
use ghapp_tests::secrets::Secrets;
use ghapp_tests::{Desk, binary, binary_directory};
use jiff::Timestamp;
use regex_lite::{Captures, Regex};

/// Set to anything: the files are written instead of compared.
const UPDATE: &str = "UPDATE_GOLDEN";

/// What the test does not know, and what stands for it.
const REDACTED: &[(&str, &str)] = &[
    (r"SHA256:[A-Za-z0-9+/]{43}=", "SHA256:[FINGERPRINT]"),
    (r"SHA256:[A-Za-z0-9+/]{4}…[A-Za-z0-9+/]{3}=", "SHA256:[SHORT]"),
    (r#""hashed_token":"[A-Za-z0-9+/]{43}=""#, r#""hashed_token":"[HASH]""#),
    // Who started these tests: down to it, the names are ours.
    (r"ghapp < e2e-[^\n\x22]* \(\d+\)$", "ghapp < [CALLERS] ([PID])"),
    (r#""ghapp < e2e-[^\n"]*""#, r#""ghapp < [CALLERS]""#),
    (r"\((\d+)\)$", "([PID])"),
    (r#""pid":\d+"#, r#""pid":[PID]"#),
    (r"\bpid( +)\d+", "pid${1}[PID]"),
    (r#""uid":\d+"#, r#""uid":[UID]"#),
    // What is left of a lease and of a socket, in minutes.
    (r"  \d+m( +)(\d+ +ghapp |\[SANDBOX\])", "  [LEFT]${1}${2}"),
    (r#""us":\d+"#, r#""us":[MICROSECONDS]"#),
];
/// A point in time. Those that are near are redacted; the others are examples.
const TIME: &str = r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z";
/// How near, in hours: the longest that something here lives is eight.
const NEAR: i64 = 12;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/golden")
}

/// What a file has to be: the commands that ran so far, each with its exit code and both streams.
struct Golden<'a> {
    desk: &'a Desk,
    name: &'static str,
    text: String,
}

impl<'a> Golden<'a> {
    fn of(desk: &'a Desk, name: &'static str) -> Golden<'a> {
        Golden { desk, name, text: String::new() }
    }

    /// Runs `ghapp` with these arguments.
    fn run(&mut self, arguments: &[&str]) -> &mut Self {
        self.run_with(arguments, "", |_| {})
    }

    /// As text and as JSON.
    fn both(&mut self, arguments: &[&str]) -> &mut Self {
        self.run(arguments).run(&[arguments, &["--json"]].concat())
    }

    /// With something on standard input, which is not recorded, and with changes to the command.
    fn run_with(&mut self, arguments: &[&str], input: &str, change: impl Fn(&mut Command)) -> &mut Self {
        let output = self.outcome(arguments, input, change);
        self.record(&line(arguments), &output, &output.stdout())
    }

    /// Only the first line of standard output that is not empty: the rest is somebody else's.
    fn run_for_first_line(&mut self, arguments: &[&str]) -> &mut Self {
        let output = self.outcome(arguments, "", |_| {});
        let stdout = output.stdout();
        let first = stdout.lines().find(|line| !line.is_empty()).unwrap_or_default();
        self.record(&line(arguments), &output, &format!("{first}\n[...]\n"))
    }

    fn outcome(&self, arguments: &[&str], input: &str, change: impl Fn(&mut Command)) -> Output {
        let mut command = self.desk.command(binary("ghapp"));
        change(command.args(arguments));
        process::run(&mut command, input.as_bytes())
    }

    fn record(&mut self, line: &str, output: &Output, stdout: &str) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let code = output.status.code().expect("no signal ended it");
        writeln!(self.text, "$ {line}\nexit code: {code}").unwrap();
        for (name, stream) in [("stdout", stdout), ("stderr", &output.stderr())] {
            if !stream.is_empty() {
                let end = if stream.ends_with('\n') { "" } else { "[no newline]\n" };
                write!(self.text, "--- {name}\n{stream}{end}").unwrap();
            }
        }
        self
    }

    /// Compares with the file, or writes it.
    fn check(&self) {
        let text = self.redacted();
        let file = directory().join(self.name).with_extension("txt");
        if std::env::var_os(UPDATE).is_some() {
            fs::write(&file, text).unwrap();
            return;
        }
        let golden = fs::read_to_string(&file).unwrap_or_default();
        if let Some(difference) = difference(&golden, &text) {
            panic!("{}: {difference}\nif that is meant: {UPDATE}=1, see golden.rs", file.display());
        }
    }

    /// The text without what differs from run to run.
    fn redacted(&self) -> String {
        let (desk, mut text) = (self.desk, self.text.clone());
        for mint in desk.github.mints() {
            let basic = STANDARD.encode(format!("x-access-token:{}", mint.token));
            text = text.replace(&mint.token, "[TOKEN]").replace(&basic, "[BASIC TOKEN]");
        }
        // Whatever of a token is left now was printed in another form, or cut.
        let found = Secrets::of(desk).found_in(text.as_bytes());
        assert!(found.is_empty(), "golden/{}.txt would have {found:?}", self.name);
        assert!(!text.contains("ghs_") && !text.contains("PRIVATE KEY"), "golden/{}.txt: {text}", self.name);

        let git = desk.git(["--version"]).ok().stdout();
        let git = git.trim_end().trim_start_matches("git version ");
        let port = desk.github.host().split_once(':').expect("the simulator has a port").1;
        let places = [
            (desk.github.ca_file().display().to_string(), "[CA FILE]"),
            (desk.path("").display().to_string().trim_end_matches('/').to_owned(), "[SANDBOX]"),
            (binary_directory().display().to_string(), "[PROGRAMS]"),
            (format!("localhost:{port}"), "localhost:[PORT]"),
            (desk.app.client_id.clone(), "[CLIENT ID]"),
            (git.to_owned(), "[GIT VERSION]"),
            // So that nobody's terminal is coloured by looking at a difference.
            ("\x1b".to_owned(), "␛"),
            (env!("CARGO_PKG_VERSION").to_owned(), "[VERSION]"),
        ];
        for (value, name) in places {
            text = text.replace(&value, name);
        }
        for (pattern, name) in REDACTED {
            let pattern = Regex::new(&format!("(?m){pattern}")).unwrap();
            text = pattern.replace_all(&text, *name).into_owned();
        }
        let now = desk.github.now();
        let near = |time: &str| {
            let time: Timestamp = time.parse().unwrap();
            time.duration_since(now).as_hours().abs() < NEAR
        };
        let show = |found: &Captures<'_>| if near(&found[0]) { "[TIME]".to_owned() } else { found[0].to_owned() };
        Regex::new(TIME).unwrap().replace_all(&text, show).into_owned()
    }
}

/// A command line as one would write it.
fn line(arguments: &[&str]) -> String {
    let quoted = |argument: &&str| {
        let plain = !argument.is_empty() && !argument.contains([' ', '$', '\'', '"', '*']);
        if plain { (*argument).to_owned() } else { format!("'{argument}'") }
    };
    ["ghapp".to_owned()].into_iter().chain(arguments.iter().map(quoted)).collect::<Vec<_>>().join(" ")
}

/// The first line that differs, and the command that it is about.
fn difference(golden: &str, now: &str) -> Option<String> {
    let (mut before, mut after, mut command) = (golden.lines(), now.lines(), "");
    for number in 1.. {
        let (expected, found) = (before.next(), after.next());
        if expected != found {
            let show = |line: Option<&str>| line.map_or("the end".to_owned(), |line| format!("{line:?}"));
            return Some(format!(
                "line {number}, {command}\n  in the file: {}\n  now: {}",
                show(expected),
                show(found)
            ));
        }
        let line = found?;
        command = if line.starts_with("$ ") { line } else { command };
    }
    None
}

/// The commands that `ghapp ARGUMENTS --help` lists.
fn commands(desk: &Desk, arguments: &[&str]) -> Vec<String> {
    let help = desk.ghapp(arguments.iter().copied().chain(["--help"])).ok().stdout();
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    // A name is two columns from the left; what explains it goes on further to the right.
    let rows = list.lines().take_while(|line| !line.is_empty());
    let names = rows.filter_map(|row| row.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    names.map(|name| name.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn every_command_has_a_file_with_a_run_of_each_of_its_subcommands() {
    let desk = Desk::new();
    let top = commands(&desk, &[]);
    assert!(top.len() > 20, "{top:?}");
    for command in &top {
        let file = directory().join(command).with_extension("txt");
        let golden = fs::read_to_string(&file).unwrap_or_else(|_| panic!("there is no golden/{command}.txt"));
        let inner = commands(&desk, &[command]);
        for name in if inner.is_empty() {
            vec![command.clone()]
        } else {
            inner.iter().map(|name| format!("{command} {name}")).collect()
        } {
            let runs = golden.lines().filter_map(|line| line.strip_prefix("$ ghapp ")?.strip_prefix(&name));
            let ran = runs.into_iter().any(|rest| rest.is_empty() || rest.starts_with(' '));
            assert!(ran, "golden/{command}.txt has no run of ghapp {name}");
        }
    }
    // And nothing is left of a command that went.
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<_> = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let expected = top.into_iter().chain(["flags".to_owned()]).collect();
    assert_eq!(files, expected);
}

#[test]
fn flags() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "flags");
    golden.run(&["--help"]);
    for command in commands(&desk, &[]) {
        golden.run(&[&command, "--help"]);
        for inner in commands(&desk, &[&command]) {
            golden.run(&[&command, &inner, "--help"]);
        }
    }
    golden.check();
}

#[test]
fn help() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "help");
    golden.run(&["help"]).run(&["help", "errors"]).run(&["help", "exit-codes"]).run(&["help", "E08"]);
    golden.run(&["help", "leases"]).run(&["help", "nonsense"]).run(&["help", "E99"]);
    // What is wrong before any command is reached.
    golden.run(&["--version"]).run(&[]).run(&["nonsense"]).run(&["statsu"]).run(&["status", "--nonsense"]);
    golden.run(&["status", "--color", "sometimes"]).check();
}

#[test]
fn login() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "login");
    let flags = desk.login_flags(&desk.app, "memory");
    let with = |first: &[&'static str]| {
        let flags = flags.iter().map(String::as_str);
        ["login", "--pem", "-"]
            .into_iter()
            .chain(flags)
            .chain(first.iter().copied())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut run = |more: &[&'static str], pem: &str| {
        let arguments = with(more);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        golden.run_with(&arguments, pem, |_| {});
    };
    run(&[], desk.app.pem());
    run(&[], desk.app.pem());
    run(&["--quiet"], desk.app.pem());
    run(&["--name", "other"], desk.app.pem());
    run(&[], "not a key\n");
    golden.run(&["login"]).run(&["login", "--no-input", "--pem", "-"]);
    golden.run(&["login", "--pem", "nowhere.pem", "--app-id", "1"]).check();
}

#[test]
fn logout() {
    let desk = Desk::ready();
    desk.token("acme/web");
    let mut golden = Golden::of(&desk, "logout");
    golden.run(&["logout", "nobody"]).run(&["logout"]).run(&["logout"]).check();
}

#[test]
fn setup_git() {
    let desk = Desk::new();
    desk.log_in("memory").ok();
    let mut golden = Golden::of(&desk, "setup-git");
    golden.run(&["setup-git", "--print"]).run(&["setup-git", "--print", "--absolute"]);
    golden.run(&["setup-git", "--print", "--owner", "acme", "--ssh-remotes", "--identity"]);
    golden.run(&["setup-git"]).run(&["setup-git"]).run(&["setup-git", "--remove"]).run(&["setup-git", "--remove"]);
    golden.run(&["setup-git", "--local"]).check();
}

#[test]
fn status() {
    let mut fresh = Desk::new();
    fresh.set_env("GHAPP_NO_AUTOSTART", "1");
    let mut golden = Golden::of(&fresh, "status");
    golden.both(&["status"]).run(&["status", "--check"]);
    let before = golden.redacted();

    let desk = Desk::ready();
    desk.token("acme/web");
    let mut golden = Golden::of(&desk, "status");
    golden.text = before;
    golden.both(&["status"]).run(&["status", "--check"]).run(&["status", "--color", "always"]);
    let no_color = golden.outcome(&["status", "--color", "auto"], "", |command| {
        command.env("NO_COLOR", "1");
    });
    golden.record("NO_COLOR=1 ghapp status --color auto", &no_color, &no_color.stdout());
    desk.ghapp(["lock"]).ok();
    golden.both(&["status"]).run(&["status", "--check", "--color", "always"]).check();
}

#[test]
fn which() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "which");
    golden
        .both(&["which", "acme/web"])
        .both(&["which", "globex/site"])
        .both(&["which", "https://elsewhere.example/o/r"]);
    golden.run(&["which", "."]).run(&["which", "no repository"]).check();
}

#[test]
fn doctor() {
    let mut fresh = Desk::new();
    fresh.set_env("GHAPP_NO_AUTOSTART", "1");
    let mut golden = Golden::of(&fresh, "doctor");
    golden.both(&["doctor"]);
    let before = golden.redacted();

    let desk = Desk::new();
    desk.log_in("memory").ok();
    desk.ghapp(["setup-git", "--absolute"]).ok();
    let mut golden = Golden::of(&desk, "doctor");
    golden.text = before;
    golden.both(&["doctor", "acme/web"]).run(&["doctor", "--color", "always"]).run(&["doctor", "globex/site"]).check();
}

#[test]
fn token() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "token");
    golden.both(&["token", "acme/web"]).both(&["token", "acme/web", "--header"]);
    golden.run(&["token", "acme/web", "--permissions", "contents=read", "--json"]);
    golden.run(&["token", "globex/site"]).run(&["token"]).run(&["token", "acme/web", "--permissions", "x"]).check();
}

#[test]
fn exec() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "exec");
    golden.run(&["exec", "acme/web", "--", "true"]).run(&["exec", "acme/web", "--", "sh", "-c", "exit 3"]);
    golden.run(&["exec", "acme/web", "--", "./nonsense"]).run(&["exec", "globex/site", "--", "true"]).run(&["exec"]);
    golden.check();
}

#[test]
fn leases() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "leases");
    golden.both(&["leases"]);
    desk.ghapp(["token", "acme/web"]).ok();
    desk.ghapp(["token", "acme/api", "--permissions", "contents=read"]).ok();
    golden.both(&["leases"]).run(&["leases", "--color", "always"]).check();
}

#[test]
fn revoke() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "revoke");
    for repository in ["acme/web", "acme/api"] {
        desk.ghapp(["token", repository]).ok();
    }
    golden.run(&["revoke"]).run(&["revoke", "L9"]).run(&["revoke", "L1"]).run(&["revoke", "--all", "--json"]);
    golden.both(&["revoke", "--all"]).check();
}

#[test]
fn lock_and_unlock() {
    let desk = Desk::ready();
    desk.ghapp(["token", "acme/web"]).ok();
    let mut golden = Golden::of(&desk, "lock");
    golden.run(&["lock", "--revoke"]).run(&["lock"]).run(&["token", "acme/web"]).check();

    let mut golden = Golden::of(&desk, "unlock");
    golden.run(&["unlock"]).run(&["unlock"]).run(&["token", "acme/web"]).check();
}

#[test]
fn logs() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "logs");
    desk.ghapp(["token", "acme/web"]).ok();
    desk.ghapp(["token", "globex/site"]).failed();
    desk.ghapp(["revoke", "--all"]).ok();
    desk.stop_agent(); // everything is written
    golden.both(&["logs"]).run(&["logs", "--since", "2999-01-01T00:00:00Z"]).run(&["logs", "--since", "soon"]).check();
}

#[test]
fn apps() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "apps");
    golden.both(&["apps"]);
    desk.log_in("memory").ok();
    golden.both(&["apps"]).run(&["apps", "--refresh"]).run(&["apps", "--app", "nobody"]).check();
}

#[test]
fn installations() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "installations");
    golden.both(&["installations"]).both(&["installations", "--refresh"]);
    desk.github.suspend(desk.installation);
    golden.both(&["installations", "--refresh"]).check();
}

#[test]
fn repos() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "repos");
    golden.both(&["repos"]);
    desk.github.suspend(desk.installation);
    golden.both(&["repos", "--refresh"]).check();
}

#[test]
fn key() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "key");
    golden.both(&["key", "list"]).both(&["key", "verify"]).run(&["key", "verify", "SHA256:nonsense"]);
    golden.run(&["key", "remove", desk.app.fingerprint()]);
    let (second, third) = (desk.github.add_key(&desk.app), desk.github.add_key(&desk.app));
    golden.run_with(&["key", "add", "--pem", "-"], &second, |_| {}).run(&["key", "list"]);
    golden.run_with(&["key", "rotate", "--pem", "-"], &third, |_| {}).run(&["key", "list"]);
    desk.github.remove_key(&desk.app, desk.app.pem());
    golden.both(&["key", "verify"]).run(&["key", "remove", desk.app.fingerprint()]).both(&["key", "list"]).check();
}

#[test]
fn identity() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "identity");
    golden.both(&["identity"]).run(&["identity", "--write", "global"]).run(&["identity", "--write", "global"]);
    golden.run(&["identity", "--app", "nobody"]).check();
}

#[test]
fn agent() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "agent");
    golden.both(&["agent", "status"]).run(&["agent", "stop"]).run(&["agent", "reload"]);
    golden.run(&["agent", "start"]).run(&["agent", "start"]).both(&["agent", "status"]).both(&["agent", "env", "--sh"]);
    golden.run(&["agent", "restart"]).run(&["agent", "run", "true"]);
    desk.log_in("memory").ok();
    golden.run(&["agent", "reload"]).both(&["agent", "exposed"]);
    golden.run(&["agent", "expose", "--repo", "acme/web", "--label", "box", "--ttl", "30m"]);
    golden.run(&[
        "agent",
        "expose",
        "--repo",
        "acme/api",
        "--permissions",
        "contents=read",
        "--label",
        "read",
        "--json",
    ]);
    golden
        .both(&["agent", "exposed"])
        .run(&["agent", "expose", "--repo", "globex/site"])
        .run(&["agent", "unexpose", "nobody"]);
    golden.run(&["agent", "unexpose", "box"]).run(&["agent", "stop"]).run(&["agent", "stop", "--revoke"]).check();
}

#[test]
fn config() {
    let desk = Desk::ready();
    let mut golden = Golden::of(&desk, "config");
    golden.both(&["config", "path"]).both(&["config", "check"]).both(&["config", "get", "agent.min_ttl"]);
    golden.run(&["config", "get", "app.acme-bot.store"]).run(&["config", "get", "agent.min_tll"]);
    golden.both(&["config", "set", "agent.min_ttl", "15m"]).run(&["config", "get", "agent.min_ttl"]);
    golden.run(&["config", "set", "agent.min_ttl", "soon"]).both(&["config", "set", "agent.min_ttl", "--unset"]);
    golden.run(&["config", "example"]);
    let good = fs::read_to_string(desk.config_file()).unwrap();
    fs::write(desk.config_file(), format!("{good}\n[agent]\nmin_tll = \"1m\"\n")).unwrap();
    golden.both(&["config", "check"]).check();
}

#[test]
fn completion() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "completion");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        golden.run_for_first_line(&["completion", shell]);
    }
    golden.run(&["completion", "tcsh"]).run(&["completion"]).check();
}

#[test]
fn man() {
    let desk = Desk::new();
    let mut golden = Golden::of(&desk, "man");
    golden.run(&["man", "--dir", "pages"]).run(&["man"]).check();
}
