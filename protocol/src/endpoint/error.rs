//! Why there is no place to listen or to connect.

use std::fmt;
use std::path::PathBuf;

/// Why there is no place to listen or to connect.
#[derive(Debug)]
pub enum EndpointError {
    /// Neither a runtime directory nor a home directory is known.
    NoHome,
    /// The path is relative, or too long for a socket address.
    BadPath {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The directory is not private to this user.
    Unsafe {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The directory could not be made or looked at.
    Io {
        /// The directory.
        directory: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl fmt::Display for EndpointError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHome => {
                formatter.write_str("no place for the agent's socket: neither XDG_RUNTIME_DIR nor HOME is usable")
            }
            Self::BadPath { path, why } => {
                write!(formatter, "the agent's socket cannot be {}: {why}", path.display())
            }
            Self::Unsafe { directory, why } => {
                write!(formatter, "refusing to use {}: {why}", directory.display())
            }
            Self::Io { directory, source } => {
                write!(formatter, "cannot use {}: {source}", directory.display())
            }
        }
    }
}

impl std::error::Error for EndpointError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
