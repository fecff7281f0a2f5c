//! One question to the agent, one answer, one deadline.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::WIRE_VERSION;
use crate::endpoint::{Endpoint, EndpointError};
use crate::frame::{self, FrameError};
use crate::message::{GitCall, GitReply, GitRequest, GitResponse, Reply, Request, Response};

#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as platform;

/// How long a connection may take. An agent that is there accepts in microseconds; this only bounds a burst that fills its
/// backlog, or an agent that was stopped.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// A point in time after which nobody waits any more.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// That long from now.
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// The earlier of this one and that long from now.
    #[must_use]
    pub fn at_most(self, duration: Duration) -> Self {
        Self(self.0.min(Instant::now() + duration))
    }

    /// How long is left, or nothing.
    pub fn left(self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

/// Why there is no answer. The first two mean that an agent may be started; the others do not.
#[derive(Debug)]
pub enum ClientError {
    /// There is no socket.
    NotRunning,
    /// There is a socket and nobody listens, or who listened ended before he had read our request.
    Gone,
    /// The deadline passed.
    Silent {
        /// Whether the agent had accepted the connection.
        connected: bool,
    },
    /// The place cannot be trusted.
    Endpoint(EndpointError),
    /// The process behind the socket belongs to somebody else.
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

/// Asks the agent and waits for its answer, at most until `deadline`.
pub fn ask(endpoint: &Endpoint, request: &Request, deadline: Deadline) -> Result<Reply, ClientError> {
    let Response { v, agent, reply } = exchange(endpoint, request, deadline)?;
    understood(v, &agent).map(|()| reply)
}

/// The same for what is asked for git.
pub fn ask_for_git(endpoint: &Endpoint, call: &GitCall, deadline: Deadline) -> Result<GitReply, ClientError> {
    let GitResponse { v, agent, reply } = exchange(endpoint, &GitRequest::from(call), deadline)?;
    understood(v, &agent).map(|()| reply)
}

fn exchange<Q: Serialize, A: DeserializeOwned>(
    endpoint: &Endpoint,
    question: &Q,
    deadline: Deadline,
) -> Result<A, ClientError> {
    endpoint.check().map_err(ClientError::Endpoint)?;
    let bytes = frame::encode(question).map_err(ClientError::Garbled)?;
    let answer = platform::exchange(endpoint.path(), &bytes, deadline)?;
    frame::decode(&answer).map_err(ClientError::Garbled)
}

/// Every agent answers a version that it does not speak with its own, so a mismatch shows here.
fn understood(version: u32, agent: &str) -> Result<(), ClientError> {
    if version == WIRE_VERSION { Ok(()) } else { Err(ClientError::Version { agent: printable(agent) }) }
}

/// The process that listens at a place, as the system knows it; it may be a service manager. None when nobody listens, or when
/// the system does not tell.
pub fn listener(endpoint: &Endpoint) -> Option<u32> {
    endpoint.check().ok()?;
    platform::listener(endpoint.path(), Deadline::after(CONNECT_TIMEOUT))
}

/// What an agent calls its version, made safe for a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(32).collect()
}
