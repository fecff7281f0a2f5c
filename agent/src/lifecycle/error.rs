//! Why an agent did not start.

use std::path::PathBuf;

use ghapp_protocol::endpoint::{Endpoint, EndpointError};

use crate::config::PathsError;

/// Why an agent did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// Another one serves the endpoint.
    #[error("an agent is running already at {0}")]
    AlreadyRunning(Endpoint),
    /// Another one has the endpoint and cannot be reached there.
    #[error("an agent has {0} and does not listen there; it is about to end, or makes its socket again: try once more")]
    NotListening(Endpoint),
    /// There is no safe place for the socket.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// There is no place for the configuration or the audit log.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// The audit log cannot be opened. There is no agent without one.
    #[error("cannot open the audit log {}: {source}", path.display())]
    Audit {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The socket cannot be made.
    #[error("cannot listen at {endpoint}: {source}")]
    Listen {
        /// The place.
        endpoint: Endpoint,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The process that the agent was to run for has exited, or cannot be watched.
    #[error("cannot watch process {pid}: {source}")]
    WatchedProcess {
        /// The process.
        pid: u32,
        /// The system's reason.
        source: std::io::Error,
    },
    /// What the service manager handed over is no socket for us.
    #[error("cannot use the socket of the service manager: {0}")]
    Activation(std::io::Error),
}
