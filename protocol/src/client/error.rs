//! Why there is no answer.

use std::fmt;
use std::io;

use crate::endpoint::EndpointError;
use crate::frame::FrameError;

/// Why there is no answer. The first two mean that an agent may be started; the others do not.
#[derive(Debug)]
pub enum ClientError {
    /// There is no socket.
    NotRunning,
    /// There is a socket without a listener, or the listener exited before it had read our request.
    Gone,
    /// The deadline passed.
    Silent {
        /// Whether the agent had accepted the connection.
        connected: bool,
    },
    /// The place cannot be trusted.
    Endpoint(EndpointError),
    /// The process behind the socket belongs to another user.
    ForeignAgent {
        /// Its user, when known.
        uid: Option<u32>,
    },
    /// The agent speaks another wire version.
    Version {
        /// The agent's build version.
        agent: String,
    },
    /// The answer was no answer.
    Garbled(FrameError),
    /// The connection failed in another way.
    Io(io::Error),
}

impl ClientError {
    /// Whether starting an agent is the thing to do.
    pub fn means_no_agent(&self) -> bool {
        matches!(self, Self::NotRunning | Self::Gone)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRunning => formatter.write_str("the agent is not running"),
            Self::Gone => formatter.write_str("the agent's socket is there and nobody answers behind it"),
            Self::Silent { connected: false } => formatter.write_str("the agent does not accept connections"),
            Self::Silent { connected: true } => formatter.write_str("the agent did not answer in time"),
            Self::Endpoint(error) => error.fmt(formatter),
            Self::ForeignAgent { uid: Some(uid) } => {
                write!(formatter, "the agent's socket belongs to a process of uid {uid}")
            }
            Self::ForeignAgent { uid: None } => {
                formatter.write_str("whose process the agent's socket belongs to is unknown")
            }
            Self::Version { agent } => {
                write!(formatter, "the agent is version {agent} and speaks another protocol")
            }
            Self::Garbled(error) => write!(formatter, "the agent's answer is unreadable: {error}"),
            Self::Io(error) => write!(formatter, "talking to the agent failed: {error}"),
        }
    }
}

impl std::error::Error for ClientError {}
