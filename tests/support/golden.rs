//! A golden file: commands and all that they print, without what differs from run to run, compared or written anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use regex_lite::{Captures, Regex};

use crate::process::{self, Output};
use crate::secrets::Secrets;
use crate::{Desk, binary, binary_directory};

/// Set to anything: the files are written instead of compared.
const UPDATE: &str = "UPDATE_GOLDEN";

/// Text that the test cannot know, and the name that stands for it.
const REDACTED: &[(&str, &str)] = &[
    (r"SHA256:[A-Za-z0-9+/]{43}=", "SHA256:[FINGERPRINT]"),
    (r"SHA256:[A-Za-z0-9+/]{4}…[A-Za-z0-9+/]{3}=", "SHA256:[SHORT]"),
    (r#""hashed_token":"[A-Za-z0-9+/]{43}=""#, r#""hashed_token":"[HASH]""#),
    // The process that started these tests: down to it, the names are ours.
    (r"ghapp < e2e-[^\n\x22]* \(\d+\)$", "ghapp < [CALLERS] ([PID])"),
    (r#""ghapp < e2e-[^\n"]*""#, r#""ghapp < [CALLERS]""#),
    (r"\((\d+)\)$", "([PID])"),
    (r#""pid":\d+"#, r#""pid":[PID]"#),
    (r"\bpid( +)\d+", "pid${1}[PID]"),
    (r#""uid":\d+"#, r#""uid":[UID]"#),
    // The time that a lease and a socket have left, in minutes.
    (r"  \d+m( +)(\d+ +ghapp |\[SANDBOX\])", "  [LEFT]${1}${2}"),
    (r#""us":\d+"#, r#""us":[MICROSECONDS]"#),
];
/// A point in time. The near ones are redacted; the others are examples.
const TIME: &str = r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z";
/// How near, in hours: nothing here lives longer than eight.
const NEAR: i64 = 12;

/// Where the files are.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/golden")
}

/// The text that a file must have: the commands so far, each with its exit code and both streams.
pub struct Golden<'a> {
    desk: &'a Desk,
    name: &'static str,
    /// The text so far.
    pub text: String,
}

impl<'a> Golden<'a> {
    /// Nothing so far.
    pub fn of(desk: &'a Desk, name: &'static str) -> Golden<'a> {
        Golden { desk, name, text: String::new() }
    }

    /// Runs `ghapp` with these arguments.
    pub fn run(&mut self, arguments: &[&str]) -> &mut Self {
        self.run_with(arguments, "", |_| {})
    }

    /// As text and as JSON.
    pub fn both(&mut self, arguments: &[&str]) -> &mut Self {
        self.run(arguments).run(&[arguments, &["--json"]].concat())
    }

    /// With something on standard input, which is not recorded, and with changes to the command.
    pub fn run_with(&mut self, arguments: &[&str], input: &str, change: impl Fn(&mut Command)) -> &mut Self {
        let output = self.outcome(arguments, input, change);
        self.record(&line(arguments), &output, &output.stdout())
    }

    /// Only the first line of standard output that is not empty: the rest is another program's.
    pub fn run_for_first_line(&mut self, arguments: &[&str]) -> &mut Self {
        let output = self.outcome(arguments, "", |_| {});
        let stdout = output.stdout();
        let first = stdout.lines().find(|line| !line.is_empty()).unwrap_or_default();
        self.record(&line(arguments), &output, &format!("{first}\n[...]\n"))
    }

    /// The outcome of such a command; it is not recorded.
    pub fn outcome(&self, arguments: &[&str], input: &str, change: impl Fn(&mut Command)) -> Output {
        let mut command = self.desk.command(binary("ghapp"));
        change(command.args(arguments));
        process::run(&mut command, input.as_bytes())
    }

    /// Adds a command that ran, with this for its standard output.
    ///
    /// # Panics
    ///
    /// When a signal killed it.
    pub fn record(&mut self, line: &str, output: &Output, stdout: &str) -> &mut Self {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let code = output.status.code().expect("no signal killed it");
        writeln!(self.text, "$ {line}\nexit code: {code}").expect("a text has room");
        for (name, stream) in [("stdout", stdout), ("stderr", &output.stderr())] {
            if !stream.is_empty() {
                let end = if stream.ends_with('\n') { "" } else { "[no newline]\n" };
                write!(self.text, "--- {name}\n{stream}{end}").expect("a text has room");
            }
        }
        self
    }

    /// Compares with the file, or writes it.
    ///
    /// # Panics
    ///
    /// When they differ, with the first line that does.
    pub fn check(&self) {
        let text = self.redacted();
        let file = directory().join(self.name).with_extension("txt");
        if std::env::var_os(UPDATE).is_some() {
            fs::write(&file, text).expect("the checkout is writable");
            return;
        }
        let golden = fs::read_to_string(&file).unwrap_or_default();
        if let Some(difference) = difference(&golden, &text) {
            panic!("{}: {difference}\nif that is meant: {UPDATE}=1, see golden.rs", file.display());
        }
    }

    /// The text without what differs from run to run.
    ///
    /// # Panics
    ///
    /// When something secret would be left in it.
    pub fn redacted(&self) -> String {
        let (desk, mut text) = (self.desk, self.text.clone());
        for mint in desk.github.mints() {
            let basic = STANDARD.encode(format!("x-access-token:{}", mint.token));
            text = text.replace(&mint.token, "[TOKEN]").replace(&basic, "[BASIC TOKEN]");
        }
        // A piece of a token that is still there was printed in another form, or cut.
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
            // So that a difference does not colour the reader's terminal.
            ("\x1b".to_owned(), "␛"),
            (env!("CARGO_PKG_VERSION").to_owned(), "[VERSION]"),
        ];
        for (value, name) in places {
            text = text.replace(&value, name);
        }
        for (pattern, name) in REDACTED {
            let pattern = Regex::new(&format!("(?m){pattern}")).expect("it is a constant");
            text = pattern.replace_all(&text, *name).into_owned();
        }
        let now = desk.github.now();
        let near = |time: &str| {
            let time: Timestamp = time.parse().expect("the pattern is RFC 3339");
            time.duration_since(now).as_hours().abs() < NEAR
        };
        let show = |found: &Captures<'_>| if near(&found[0]) { "[TIME]".to_owned() } else { found[0].to_owned() };
        Regex::new(TIME).expect("it is a constant").replace_all(&text, show).into_owned()
    }
}

/// A command line as a person would type it.
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
