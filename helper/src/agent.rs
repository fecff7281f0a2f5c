//! The way to the agent: ask it, start it when there is none, ask once more.

use std::fmt;

use ghapp_protocol::client::{self, ClientError, Deadline};
use ghapp_protocol::endpoint::{Endpoint, EndpointError};
use ghapp_protocol::message::{GitCall, GitReply};
use ghapp_protocol::start::{self, StartError};
use ghapp_protocol::trace;

/// Something that can be asked. Tests bring their own.
pub(crate) trait Agent {
    /// Asks one thing; starts an agent first if there is none and `may_start` says so.
    fn ask(&mut self, call: &GitCall, may_start: bool) -> Result<GitReply, Unreachable>;
}

/// Why there was no answer, as a cause for people.
#[derive(Debug)]
pub(crate) struct Unreachable {
    cause: String,
    hint: &'static str,
}

impl Unreachable {
    fn new(cause: &impl fmt::Display, hint: &'static str) -> Self {
        Self { cause: cause.to_string(), hint }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; {}", self.cause, self.hint)
    }
}

impl From<EndpointError> for Unreachable {
    fn from(error: EndpointError) -> Self {
        Self::new(&error, "run: ghapp agent status")
    }
}

impl From<ClientError> for Unreachable {
    fn from(error: ClientError) -> Self {
        let hint = match error {
            ClientError::Silent { .. } | ClientError::Version { .. } | ClientError::Garbled(_) => {
                "run: ghapp agent stop; the next git command starts it anew"
            }
            _ => "run: ghapp agent status",
        };
        Self::new(&error, hint)
    }
}

impl From<StartError> for Unreachable {
    fn from(error: StartError) -> Self {
        let hint = match error {
            StartError::NoProgram { .. } => "install ghapp-agent beside git-credential-ghapp",
            StartError::Exposed => "where its agent runs: ghapp agent expose",
            _ => "run: ghapp agent start",
        };
        Self::new(&error, hint)
    }
}

/// The agent of this user.
pub(crate) struct LocalAgent {
    deadline: Deadline,
}

impl LocalAgent {
    /// All that is asked of it ends at `deadline`.
    pub(crate) fn new(deadline: Deadline) -> Self {
        Self { deadline }
    }
}

impl Agent for LocalAgent {
    fn ask(&mut self, call: &GitCall, may_start: bool) -> Result<GitReply, Unreachable> {
        let endpoint = Endpoint::from_environment()?;
        match client::ask_for_git(&endpoint, call, self.deadline) {
            Err(error) if error.means_no_agent() && may_start => {
                trace::event(|| format!("{error}; starting one for {endpoint}"));
                start::allowed(&endpoint)?;
                start::ensure_agent(&endpoint, None, self.deadline)?;
                Ok(client::ask_for_git(&endpoint, call, self.deadline)?)
            }
            outcome => Ok(outcome?),
        }
    }
}
