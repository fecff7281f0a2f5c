//! One question to the agent, one answer, one deadline.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::WIRE_VERSION;
use crate::endpoint::Endpoint;
use crate::frame;
use crate::message::{GitCall, GitReply, GitRequest, GitResponse, Reply, Request, Response};

mod deadline;
mod error;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as platform;

pub use deadline::{CONNECT_TIMEOUT, Deadline};
pub use error::ClientError;

/// Asks the agent and waits for its answer, at most until `deadline`.
pub fn ask(endpoint: &Endpoint, request: &Request, deadline: Deadline) -> Result<Reply, ClientError> {
    let Response { v, agent, reply } = exchange(endpoint, request, deadline)?;
    understood(v, &agent).map(|()| reply)
}

/// The same for a question of git's.
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

/// The process that listens at a place, as the system knows it; it may be a service manager. `None` without a listener, or when
/// the system does not say.
pub fn listener(endpoint: &Endpoint) -> Option<u32> {
    endpoint.check().ok()?;
    platform::listener(endpoint.path(), Deadline::after(CONNECT_TIMEOUT))
}

/// What an agent calls its version, made safe for a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(32).collect()
}
