//! The program as a process: its arguments, its input, and what it said and how it exited.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::agent::Place;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_git-credential-ghapp");

pub(crate) const REQUEST: &str = "protocol=https\nhost=github.com\npath=acme/web.git\n";

/// How long a run may take: generous, three times what the program gives itself.
const LIMIT: Duration = Duration::from_mins(1);

/// What is left of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// The only line on standard error, where the run printed nothing else and succeeded.
    pub(crate) fn only_line(&self) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (Some(0), ""), "{self:?}");
        self.line()
    }

    /// The only line on standard error. It is no attribute, not even for a client that reads both streams (rule 27).
    pub(crate) fn line(&self) -> &str {
        let line = self.stderr.strip_suffix('\n').expect("an ended line");
        assert!(!line.contains(char::is_control), "{self:?}");
        assert!(line.starts_with("ghapp: "), "{self:?}");
        if let Some((key, _)) = line.split_once('=') {
            assert!(key.contains(' '), "{self:?}");
        }
        line
    }

    /// Nothing at all happened.
    pub(crate) fn assert_silent(&self) {
        let silent = Self { code: Some(0), stdout: String::new(), stderr: String::new() };
        assert_eq!(*self, silent);
    }
}

/// The program with nothing in its environment but the place of the agent, which it must not start.
pub(crate) fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = command_at(Path::new(PROGRAM), place, arguments);
    command.env("GHAPP_NO_AUTOSTART", "1");
    command
}

/// The same for a copy of the program, which may start its agent.
pub(crate) fn command_at(program: &Path, place: &Place, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("GHAPP_SOCKET", place.socket()).current_dir(place.path());
    command
}

/// Runs it with this input until it exits.
pub(crate) fn run(mut command: Command, input: impl AsRef<[u8]>) -> Outcome {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A refused request need not be read to its end.
    let _ = child.stdin.take().unwrap().write_all(input.as_ref());
    finish(child)
}

/// Waits until a process whose streams are pipes has exited.
pub(crate) fn finish(child: Child) -> Outcome {
    let pid = Pid::from_child(&child);
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(LIMIT) else {
        kill_process(pid, Signal::KILL).unwrap();
        panic!("the program still runs after {LIMIT:?}");
    };
    let output = output.unwrap();
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs `get` for `acme/web`.
pub(crate) fn get(place: &Place) -> Outcome {
    run(command(place, &["get"]), REQUEST)
}
