//! Starts the agent when there is none, so that many clients at once start exactly one.
//!
//! The order is gpg-agent's: take the lock, look again, and only then start. The file that is started is the one beside this
//! program, never one that `PATH` offers; it gets a short list of environment variables and no file of ours.

mod replacing;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::client::{self, ClientError, Deadline};
use crate::endpoint::{self, Endpoint, EndpointError};
use crate::message::GitCall;

pub use replacing::replace_agent;

/// How long a start may take, lock included. Measured: a few milliseconds; a cold disk may need a second.
pub const START_TIMEOUT: Duration = Duration::from_secs(5);
/// The name of the agent's program.
const PROGRAM: &str = if cfg!(windows) { "ghapp-agent.exe" } else { "ghapp-agent" };
/// What an agent that listens writes to its standard output before it closes it.
pub const READY_LINE: &str = "ready";
/// How an agent that cannot start begins its only line of output; the reason follows.
pub const FAILED_PREFIX: &str = "failed: ";
/// Longest such line that is read.
const MAX_LINE: u64 = 4096;

/// Set by users who want no agent to be started unasked.
pub const NO_AUTOSTART_VARIABLE: &str = "GHAPP_NO_AUTOSTART";
/// Names the configuration file.
const CONFIG_VARIABLE: &str = "GHAPP_CONFIG";
/// What sudo leaves behind. Root's agent would look for root's keyring, which is not what `sudo git pull` means.
const SUDO_VARIABLE: &str = "SUDO_UID";

/// The environment of a started agent. Everything else stays behind: a token in `GITHUB_TOKEN`, a loader's `LD_PRELOAD`, and
/// git's own variables, which change from call to call.
const KEPT_VARIABLES: &[&str] = &[
    "HOME",
    "PATH",
    "USER",
    "LOGNAME",
    "LANG",
    "TMPDIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    // Names a directory; what is in it is for this service and whatever it starts.
    "CREDENTIALS_DIRECTORY",
    // Windows finds its own libraries and directories by these.
    "SystemRoot",
    "SystemDrive",
    "windir",
    "USERNAME",
    "USERDOMAIN",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "TEMP",
    "TMP",
];
/// Whole families of variables that are kept.
const KEPT_PREFIXES: &[&str] = &["XDG_", "GHAPP_"];

/// Why no agent was started.
#[derive(Debug)]
pub enum StartError {
    /// The user asked for that.
    Forbidden,
    /// This is a command under sudo.
    UnderSudo,
    /// The agent's program is not beside this one.
    NoProgram {
        /// Where it should be.
        expected: PathBuf,
    },
    /// The place is that of a socket which an agent exposed.
    Exposed,
    /// The directory for socket and locks is unusable.
    Endpoint(EndpointError),
    /// The program could not be run.
    Spawn(io::Error),
    /// The agent said why it does not start.
    Failed(String),
    /// The agent exited without a word.
    Died,
    /// The deadline passed.
    TooSlow,
    /// There is an agent of another version, and it must not be stopped without asking a person.
    NotReplaced(&'static str),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forbidden => {
                write!(formatter, "the agent is not running and {NO_AUTOSTART_VARIABLE} forbids to start it")
            }
            Self::UnderSudo => {
                formatter.write_str("the agent is not running for root, and a command under sudo does not start one")
            }
            Self::NoProgram { expected } => {
                write!(formatter, "cannot start the agent: there is no {}", expected.display())
            }
            Self::Exposed => {
                formatter.write_str("this socket was exposed by an agent and is closed; no other agent takes its place")
            }
            Self::Endpoint(error) => write!(formatter, "cannot start the agent: {error}"),
            Self::Spawn(error) => write!(formatter, "cannot start the agent: {error}"),
            Self::Failed(reason) => write!(formatter, "the agent does not start: {reason}"),
            Self::Died => formatter.write_str("the agent ended while it was starting"),
            Self::NotReplaced(why) => write!(formatter, "the agent of another version is left alone: {why}"),
            Self::TooSlow => formatter.write_str("the agent took too long to start"),
        }
    }
}

impl std::error::Error for StartError {}

/// Whether an agent may be started at a place on demand, as far as the place and the environment say.
pub fn allowed(endpoint: &Endpoint) -> Result<(), StartError> {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if endpoint.is_exposed() {
        Err(StartError::Exposed)
    } else if set(NO_AUTOSTART_VARIABLE) {
        Err(StartError::Forbidden)
    } else if cfg!(unix) && set(SUDO_VARIABLE) && is_root() {
        Err(StartError::UnderSudo)
    } else {
        Ok(())
    }
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// Makes sure that an agent listens at `endpoint`, starting one if need be; one that is started reads `config`, if that is named.
pub fn ensure_agent(endpoint: &Endpoint, config: Option<&Path>, deadline: Deadline) -> Result<(), StartError> {
    let deadline = deadline.at_most(START_TIMEOUT);
    if endpoint.is_exposed() {
        return Err(StartError::Exposed);
    }
    endpoint.prepare().map_err(StartError::Endpoint)?;
    let lock = endpoint::open_lock(&endpoint.start_lock()).map_err(StartError::Spawn)?;
    // Waiting for a file lock has no deadline of its own, so a thread waits; it ends with this short-lived process.
    let lock = within(deadline, move || endpoint::lock(&lock).map(|()| lock))?.map_err(StartError::Spawn)?;
    // The process that held the lock before us has probably started one.
    let outcome = match client::ask_for_git(endpoint, &GitCall::Status, deadline) {
        Err(ClientError::NotRunning | ClientError::Gone) => spawn(endpoint, config, None, deadline),
        _ => Ok(()),
    };
    drop(lock); // and not earlier: the next client must find the agent or the truth
    outcome
}

/// Starts an agent at a place that no other client knows. It exits, and removes the place, when the process `watched` has exited.
pub fn start_private(
    endpoint: &Endpoint,
    config: Option<&Path>,
    watched: u32,
    deadline: Deadline,
) -> Result<(), StartError> {
    spawn(endpoint, config, Some(watched), deadline.at_most(START_TIMEOUT))
}

fn spawn(
    endpoint: &Endpoint,
    config: Option<&Path>,
    watched: Option<u32>,
    deadline: Deadline,
) -> Result<(), StartError> {
    let program = sibling(PROGRAM).map_err(StartError::Spawn)?;
    if !program.is_file() {
        return Err(StartError::NoProgram { expected: program });
    }
    let mut command = Command::new(program);
    command
        .arg("--daemonize")
        .arg("--socket")
        .arg(endpoint.path())
        .env_clear()
        .envs(kept_variables(std::env::vars_os()))
        .current_dir(if cfg!(windows) { "." } else { "/" })
        // None of ours: git waits for the end of the helper's standard output, and would wait as long as the agent runs.
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    if let Some(watched) = watched {
        command.arg("--patron").arg(watched.to_string());
    }
    without_window(&mut command);
    let child = command.spawn().map_err(StartError::Spawn)?;
    let line = within(deadline, move || first_line(child))?;
    match line.as_deref() {
        Some(READY_LINE) => Ok(()),
        Some(line) => Err(StartError::Failed(match line.strip_prefix(FAILED_PREFIX) {
            Some(reason) => reason.to_owned(),
            None => "its first words make no sense".to_owned(),
        })),
        None => Err(StartError::Died),
    }
}

/// Keeps a console window from opening when an editor without a console runs git.
#[cfg(windows)]
fn without_window(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NO_WINDOW: u32 = 0x0800_0000;
    command.creation_flags(CREATE_NO_WINDOW);
}

/// There are no windows to keep away.
#[cfg(not(windows))]
fn without_window(_command: &mut Command) {}

/// Reads the agent's only line of output and reaps the process that detached it.
fn first_line(mut child: Child) -> Option<String> {
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        // An unreadable line counts as none.
        let _ = BufReader::new(output.take(MAX_LINE)).read_line(&mut line);
    }
    // It exits right after that line; its status says nothing that the line does not.
    let _ = child.wait();
    let line = line.trim_end();
    (!line.is_empty()).then(|| line.chars().filter(|char| !char.is_control()).collect())
}

/// The path of a program that was installed beside this one.
pub fn sibling(program: &str) -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name(program))
}

fn kept_variables(variables: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (OsString, OsString)> {
    let kept = variables.filter(|(name, _)| {
        name.to_str().is_some_and(|name| {
            let starts_with = |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| same_name(start, prefix));
            KEPT_VARIABLES.iter().any(|kept| same_name(name, kept)) || KEPT_PREFIXES.iter().any(starts_with)
        })
    });
    // The agent starts in another directory, where a relative path would be another file.
    kept.map(|(name, value)| match std::path::absolute(&value) {
        Ok(path) if name.to_str().is_some_and(|name| same_name(name, CONFIG_VARIABLE)) => (name, path.into()),
        _ => (name, value),
    })
}

/// Windows does not look at the case of a name: there `PATH` is mostly `Path`, and Git Bash makes `SystemRoot`, without which
/// there are no sockets, `SYSTEMROOT`.
fn same_name(name: &str, other: &str) -> bool {
    if cfg!(windows) { name.eq_ignore_ascii_case(other) } else { name == other }
}

/// Runs a blocking call on a thread and waits for it until the deadline.
fn within<T: Send + 'static>(deadline: Deadline, work: impl FnOnce() -> T + Send + 'static) -> Result<T, StartError> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        // The receiver may have given up.
        let _ = sender.send(work());
    });
    let left = deadline.left().ok_or(StartError::TooSlow)?;
    receiver.recv_timeout(left).map_err(|_| StartError::TooSlow)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::kept_variables;

    #[test]
    fn a_started_agent_gets_neither_tokens_nor_gits_variables() {
        let variables = [
            "HOME",
            "GITHUB_TOKEN",
            "GH_TOKEN",
            "GIT_DIR",
            "LD_PRELOAD",
            "XDG_CONFIG_HOME",
            "GHAPP_CONFIG",
            "https_proxy",
            "AWS_SECRET_ACCESS_KEY",
        ];
        let kept: Vec<_> = kept_variables(variables.map(|name| (OsString::from(name), OsString::new())).into_iter())
            .map(|(name, _)| name.into_string().unwrap())
            .collect();
        assert_eq!(kept, ["HOME", "XDG_CONFIG_HOME", "GHAPP_CONFIG", "https_proxy"]);
    }

    #[test]
    fn a_relative_configuration_file_stays_the_same_file() {
        let variables =
            [("GHAPP_CONFIG", "my.toml"), ("XDG_DATA_HOME", "x")].map(|(name, value)| (name.into(), value.into()));
        let kept: Vec<_> = kept_variables(variables.into_iter()).map(|(_, value)| value).collect();
        assert_eq!(kept, [std::env::current_dir().unwrap().join("my.toml").into_os_string(), "x".into()]);
    }

    #[test]
    fn the_case_of_a_name_matters_except_on_windows() {
        let kept =
            kept_variables(["Path", "SYSTEMROOT"].map(|name| (name.into(), OsString::new())).into_iter()).count();
        assert_eq!(kept, if cfg!(windows) { 2 } else { 0 });
    }
}
