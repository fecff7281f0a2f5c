//! A private home, an agent that follows a script, and `ghapp` run between the two.

use std::io::Write;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use ghapp_protocol::frame;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A home directory for one test, with nothing of the user who runs it.
pub(crate) struct Home {
    directory: TempDir,
}

/// A program's exit code and output.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("no signal ended it"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("agent.sock")
    }

    /// `ghapp`, with nothing in its environment but this home, and no agent behind its back.
    pub(crate) fn ghapp(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(Path::new(env!("CARGO_BIN_EXE_ghapp")));
        command.args(arguments);
        command
    }

    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.directory.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GHAPP_SOCKET", self.socket())
            .env("GHAPP_NO_AUTOSTART", "1")
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.ghapp(arguments).output().unwrap().into()
    }

    /// The same, with something to read.
    pub(crate) fn run_with_stdin(&self, arguments: &[&str], stdin: &[u8]) -> Ended {
        let mut command = self.ghapp(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // The program may refuse its arguments, and exit before it has read anything.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        child.wait_with_output().unwrap().into()
    }

    /// Its output on both streams, in the order in which a terminal would show it.
    pub(crate) fn shown(&self, arguments: &[&str]) -> String {
        let (mut shown, screen) = std::io::pipe().unwrap();
        let mut command = self.ghapp(arguments);
        let mut child = command.stdout(screen.try_clone().unwrap()).stderr(screen).spawn().unwrap();
        drop(command); // it has the other end open, too
        let text = std::io::read_to_string(&mut shown).unwrap();
        assert!(child.wait().unwrap().success(), "{text}");
        text
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(Path::new("git"));
        command.args(arguments).output().unwrap().into()
    }

    /// Lets git ask its helpers, but never a person.
    pub(crate) fn credential_fill(&self, attributes: &str) -> Ended {
        let mut command = self.command(Path::new("git"));
        command.args(["credential", "fill"]).env("GIT_TERMINAL_PROMPT", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(attributes.as_bytes()).unwrap();
        child.wait_with_output().unwrap().into()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Puts a copy of `ghapp` somewhere else, with other programs beside it or none.
    pub(crate) fn install_ghapp(&self, name: &str) {
        self.install(name, "cat \"$1\"", env!("CARGO_BIN_EXE_ghapp"));
    }

    /// Makes a program out of a shell script.
    pub(crate) fn install_script(&self, name: &str, script: &str) -> PathBuf {
        self.install(name, "printf %s \"$1\"", script)
    }

    /// Another process writes the program: a file that this one has open for writing would be inherited by whatever another
    /// test starts at that moment, and could not be run until that ends (ETXTBSY).
    fn install(&self, name: &str, source: &str, argument: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("{source} > \"$2\" && chmod 755 \"$2\""), "sh", argument]).arg(&path);
        assert!(shell.status().unwrap().success());
        path
    }

    /// Listens as the agent and gives these replies, one per connection.
    pub(crate) fn agent(&self, replies: Vec<Value>) -> Script {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for reply in replies {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request: Value = frame::read(&mut stream).unwrap();
                let fields = request.as_object_mut().unwrap();
                assert_eq!(fields.remove("v"), Some(json!(1)));
                assert!(fields.remove("client").is_some());
                asked.push(request);
                let mut answer = json!({"v": 1, "agent": "9.9.9"});
                let (Value::Object(into), Value::Object(from)) = (&mut answer, reply) else {
                    panic!("a reply is an object");
                };
                into.extend(from);
                stream.write_all(&frame::encode(&answer).unwrap()).unwrap();
            }
            asked
        });
        Script { thread }
    }
}

/// An agent that follows a script.
pub(crate) struct Script {
    thread: JoinHandle<Vec<Value>>,
}

impl Script {
    /// The requests that it got, once it has given all of its replies.
    pub(crate) fn asked(self) -> Vec<Value> {
        self.thread.join().unwrap()
    }
}

pub(crate) fn app() -> Value {
    json!({
        "name": "acme-bot", "host": "github.com", "app_id": 123_456, "slug": "acme-bot",
        "key_fingerprint": "SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        "store": "keyring", "state": "ok",
    })
}

pub(crate) fn status_of(apps: &[Value]) -> Value {
    json!({
        "reply": "status", "pid": 4242, "version": "9.9.9", "socket": "/run/agent.sock",
        "config": "/home/mona/config.toml", "locked": false, "started_by": "systemd",
        "store": {"kind": "secret-service", "state": "ok"}, "apps": apps, "leases": 2,
    })
}

pub(crate) fn status() -> Value {
    status_of(&[app()])
}

pub(crate) fn installation(id: u64, account: &str) -> Value {
    json!({
        "id": id, "account": account, "repository_selection": "selected",
        "permissions": {"contents": "write", "metadata": "read"}, "suspended": false,
    })
}

pub(crate) fn installations(all: &[Value], more: bool) -> Value {
    json!({"reply": "installations", "installations": all, "more": more})
}

pub(crate) fn error(code: &str, message: &str, hint: &str) -> Value {
    json!({"reply": "error", "code": code, "message": message, "hint": hint})
}
