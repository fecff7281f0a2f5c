//! Where the agent's socket or pipe is, and whether that place can be trusted.
//!
//! One fixed place per user, so that programs without a login shell's environment find it too; `GHAPP_SOCKET` overrides it.
//! Never TCP: a port has no owner.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::message::Label;

mod error;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as platform;

pub use error::EndpointError;

/// The environment variable that names another place.
pub const SOCKET_VARIABLE: &str = "GHAPP_SOCKET";

/// How the name of an exposed socket ends, wherever it is mounted: no agent is started behind one. It would serve everything that
/// the rules allow, in the place of the few things that were exposed.
pub const EXPOSED_NAME: &str = "exposed.sock";

/// How the name of an exposed socket's directory begins; its label follows.
pub const EXPOSED_PREFIX: &str = "exposed-";

/// Where the agent listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    path: PathBuf,
    /// Named by `GHAPP_SOCKET` or `--socket`: its directory is the user's choice, within limits.
    chosen: bool,
}

impl Endpoint {
    /// The place named by `GHAPP_SOCKET`, or else the user's own.
    pub fn from_environment() -> Result<Self, EndpointError> {
        Self::from_variables(&|name| std::env::var_os(name).filter(|value| !value.is_empty()))
    }

    /// The same, with the environment as an argument.
    fn from_variables(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<Self, EndpointError> {
        match variable(SOCKET_VARIABLE) {
            Some(path) => Self::at(path),
            None => Ok(Self { path: platform::default_path(variable)?, chosen: false }),
        }
    }

    /// The user's own place, whatever `GHAPP_SOCKET` says.
    pub fn own() -> Result<Self, EndpointError> {
        Self::from_variables(&|name| {
            std::env::var_os(name).filter(|value| !value.is_empty() && name != SOCKET_VARIABLE)
        })
    }

    /// A place of the caller's choice.
    pub fn at(path: impl Into<PathBuf>) -> Result<Self, EndpointError> {
        let path = path.into();
        platform::check_address(&path)?;
        Ok(Self { path, chosen: true })
    }

    /// The socket's path, or the pipe's name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a place that another user could have put a socket into. Something missing is not an error here.
    pub fn check(&self) -> Result<(), EndpointError> {
        platform::check(&self.path, self.chosen, self.is_exposed())
    }

    /// Makes the directory, private from its first moment, and then checks it.
    pub fn prepare(&self) -> Result<(), EndpointError> {
        platform::prepare(&self.path)?;
        self.check()
    }

    /// Whether the name says that an agent exposed the socket.
    pub fn is_exposed(&self) -> bool {
        self.path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(EXPOSED_NAME))
    }

    /// Where this agent's exposed socket of that name is, unless another place is named: in a directory of its own, so that the
    /// directory can be mounted. A mounted socket would be dead as soon as it is exposed again.
    pub fn exposed(&self, label: &Label) -> PathBuf {
        self.path.with_file_name(format!("{EXPOSED_PREFIX}{label}")).join(EXPOSED_NAME)
    }

    /// The lock that a client holds while it starts an agent.
    pub fn start_lock(&self) -> PathBuf {
        platform::lock_path(&self.path, "lock")
    }

    /// The lock that an agent holds for as long as it runs.
    pub fn run_lock(&self) -> PathBuf {
        platform::lock_path(&self.path, "run.lock")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.path.display())
    }
}

/// Opens a lock file of ours: made 0600, never through a link, never removed.
///
/// A file that disappears could be locked twice, once by a process that still has it open and once by one that makes it anew.
pub fn open_lock(path: &Path) -> std::io::Result<File> {
    platform::open_lock(path)
}

/// Waits for a lock file and takes it, until the file is closed or the process exits, however it exits.
pub fn lock(file: &File) -> std::io::Result<()> {
    platform::lock(file)
}

/// Takes a lock file if it is free. False if another process has it.
pub fn try_lock(file: &File) -> std::io::Result<bool> {
    platform::try_lock(file)
}
