//! The way to the agent: asks it, starts one when there is none, and asks once more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ghapp_protocol::client::{self, ClientError, Deadline};
use ghapp_protocol::endpoint::Endpoint;
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{Call, PERSON_ANSWER, Reply, Request, Status};
use ghapp_protocol::{start, trace};

use crate::failure::CliError;
use crate::terminal::output::Output;

/// For answers that the agent has at hand. It may be busy with a thousand helpers, but does not wait for GitHub.
pub(crate) const LOCAL_TIMEOUT: Duration = Duration::from_secs(5);
/// For answers that need GitHub or the keyring. The agent gives up on either earlier and says why; this limit is for an agent
/// that hangs.
pub(crate) const NETWORK_TIMEOUT: Duration = PERSON_ANSWER.saturating_add(LOCAL_TIMEOUT);

/// The agent of this user, or the one that `--socket` names.
pub(crate) struct Connection<'a> {
    endpoint: Endpoint,
    /// The configuration file that was named on the command line; the agent must have read that one.
    config: Option<PathBuf>,
    output: &'a Output,
}

impl<'a> Connection<'a> {
    /// Finds the agent's socket; connects to nothing yet.
    pub(crate) fn new(socket: Option<&Path>, config: Option<PathBuf>, output: &'a Output) -> Result<Self, CliError> {
        let endpoint = match socket {
            Some(path) => Endpoint::at(path)?,
            None => Endpoint::from_environment()?,
        };
        Ok(Self { endpoint, config, output })
    }

    /// The agent's socket.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whether the command line names a configuration file.
    pub(crate) fn names_config(&self) -> bool {
        self.config.is_some()
    }

    /// Asks something that the agent answers by itself; starts an agent first if there is none.
    pub(crate) fn ask(&self, call: Call) -> Result<Reply, CliError> {
        self.ask_or_start(call, LOCAL_TIMEOUT)
    }

    /// Asks something that needs GitHub or the keyring; starts an agent first if there is none.
    pub(crate) fn ask_slow(&self, call: Call) -> Result<Reply, CliError> {
        self.ask_or_start(call, NETWORK_TIMEOUT)
    }

    fn ask_or_start(&self, call: Call, limit: Duration) -> Result<Reply, CliError> {
        self.ensure_agent_of_this_config()?;
        let request = Request::new(call);
        match self.exchange(&request, limit) {
            Err(error) if error.means_no_agent() => {
                self.start_on_demand(&error)?;
                // Starting has a limit of its own and takes no time from the answer's.
                self.understood(self.exchange(&request, limit))
            }
            outcome if is_skew(&outcome) && self.replace() => self.understood(self.exchange(&request, limit)),
            outcome => self.understood(outcome),
        }
    }

    /// The same connection for another thread.
    pub(crate) fn detached(&self) -> DetachedConnection {
        DetachedConnection { endpoint: self.endpoint.clone(), config: self.config.clone() }
    }

    fn exchange(&self, request: &Request, limit: Duration) -> Result<Reply, ClientError> {
        let waiting = self.output.waiting("waiting for the agent");
        let outcome = traced(&self.endpoint, request, limit);
        waiting.end();
        outcome
    }

    /// Replaces an agent that does not understand this program with the installed one. False when it is left alone.
    fn replace(&self) -> bool {
        if start::allowed(&self.endpoint).is_err() {
            return false;
        }
        let limit = Deadline::after(NETWORK_TIMEOUT);
        let outcome = start::replace_agent(&self.endpoint, self.config.as_deref(), limit);
        self.output.talk(&match &outcome {
            Ok(()) => "ghapp: the agent was of another version; the installed one has taken its place".to_owned(),
            Err(error) => format!("ghapp: {error}"),
        });
        outcome.is_ok()
    }

    /// Asks an agent that runs; `None` when there is none.
    pub(crate) fn ask_running(&self, call: Call, limit: Duration) -> Result<Option<Reply>, CliError> {
        match traced(&self.endpoint, &Request::new(call), limit) {
            Err(error) if error.means_no_agent() => {
                self.output.detail(&format!("{error} ({})", self.endpoint));
                Ok(None)
            }
            outcome => self.understood(outcome).map(Some),
        }
    }

    /// The state of an agent that runs.
    pub(crate) fn running_status(&self) -> Result<Option<Status>, CliError> {
        match self.ask_running(Call::Status {}, LOCAL_TIMEOUT)? {
            None => Ok(None),
            Some(Reply::Status(status)) => Ok(Some(*status)),
            Some(_) => Err(self.unexpected()),
        }
    }

    /// The state of the agent, after starting one if there is none.
    pub(crate) fn status(&self) -> Result<Status, CliError> {
        match self.ask(Call::Status {})? {
            Reply::Status(status) => Ok(*status),
            _ => Err(self.unexpected()),
        }
    }

    /// A whole list that comes in pages. `ask` gets the last key so far, and returns the next page and whether there are more.
    pub(crate) fn pages<T, K: PartialOrd + Clone>(
        &self,
        key: impl Fn(&T) -> K,
        ask: impl Fn(Option<K>) -> Result<(Vec<T>, bool), CliError>,
    ) -> Result<Vec<T>, CliError> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map(&key);
            let (page, more) = ask(after.clone())?;
            let advanced = page.last().map(&key) > after;
            all.extend(page);
            if !more {
                return Ok(all);
            }
            // A page that does not advance would be asked for again and again.
            if !advanced {
                return Err(self.unexpected());
            }
        }
    }

    /// The error for a reply that does not fit the question.
    pub(crate) fn unexpected(&self) -> CliError {
        // `status` is frozen, so any agent can say what it is.
        let request = Request::new(Call::Status {});
        match client::ask(&self.endpoint, &request, Deadline::after(LOCAL_TIMEOUT)) {
            Ok(Reply::Status(status)) => CliError::foreign_words(Some(&status.version)),
            _ => CliError::foreign_words(None),
        }
    }

    /// Refuses an agent that has read another configuration than the one that the command line names.
    pub(crate) fn check_config(&self, status: &Status) -> Result<(), CliError> {
        let Some(wanted) = &self.config else {
            return Ok(());
        };
        let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if real(wanted) == real(Path::new(&status.config)) {
            return Ok(());
        }
        Err(CliError::usage(format!("the running agent uses {} and not {}", status.config, wanted.display()))
            .hint("run: ghapp agent stop"))
    }

    fn ensure_agent_of_this_config(&self) -> Result<(), CliError> {
        if self.config.is_none() {
            return Ok(());
        }
        let request = Request::new(Call::Status {});
        match client::ask(&self.endpoint, &request, Deadline::after(LOCAL_TIMEOUT)) {
            Ok(Reply::Status(status)) => self.check_config(&status),
            // Whatever is wrong here, the question itself will meet it too.
            _ => Ok(()),
        }
    }

    fn start_on_demand(&self, why: &ClientError) -> Result<(), CliError> {
        self.output.detail(&format!("{why}; starting one for {}", self.endpoint));
        trace::event(|| format!("starting an agent for {}", self.endpoint));
        start::allowed(&self.endpoint)?;
        self.start()
    }

    /// Starts an agent unless one listens.
    pub(crate) fn start(&self) -> Result<(), CliError> {
        Ok(start::ensure_agent(&self.endpoint, self.config.as_deref(), Deadline::after(start::START_TIMEOUT))?)
    }

    fn understood(&self, outcome: Result<Reply, ClientError>) -> Result<Reply, CliError> {
        match outcome {
            Ok(Reply::Error(error)) => Err(error.into()),
            Ok(Reply::Unknown) => Err(self.unexpected()),
            Ok(reply) => Ok(reply),
            Err(error) => Err(CliError::from_client(error, &self.endpoint)),
        }
    }
}

/// A connection for another thread: it shows nothing while it waits, and leaves an agent of another version alone.
#[derive(Debug, Clone)]
pub(crate) struct DetachedConnection {
    endpoint: Endpoint,
    config: Option<PathBuf>,
}

impl DetachedConnection {
    /// Asks something that needs GitHub or the keyring; starts an agent first if there is none.
    pub(crate) fn ask_slow(&self, call: Call) -> Result<Reply, CliError> {
        let request = Request::new(call);
        let exchange = || traced(&self.endpoint, &request, NETWORK_TIMEOUT);
        let outcome = match exchange() {
            Err(error) if error.means_no_agent() => {
                start::allowed(&self.endpoint)?;
                start::ensure_agent(&self.endpoint, self.config.as_deref(), Deadline::after(start::START_TIMEOUT))?;
                exchange()
            }
            outcome => outcome,
        };
        match outcome {
            Ok(Reply::Error(error)) => Err(error.into()),
            Ok(Reply::Unknown) => Err(CliError::foreign_words(None)),
            Ok(reply) => Ok(reply),
            Err(error) => Err(CliError::from_client(error, &self.endpoint)),
        }
    }
}

/// Asks, and writes the name and outcome of the question to the trace; never its contents or the answer's.
fn traced(endpoint: &Endpoint, request: &Request, limit: Duration) -> Result<Reply, ClientError> {
    let outcome = client::ask(endpoint, request, Deadline::after(limit));
    trace::event(|| {
        let answer = match &outcome {
            Ok(Reply::Error(error)) => format!("error {}", error.code.id()),
            Ok(reply) => variant(reply),
            Err(error) => error.to_string(),
        };
        format!("asked {endpoint}: {}, answered: {answer}", variant(&request.call))
    });
    outcome
}

/// The name of an enum's variant, without what it holds.
fn variant(of: &impl std::fmt::Debug) -> String {
    format!("{of:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// Whether the agent speaks another wire version, or does not know a call of this build.
fn is_skew(outcome: &Result<Reply, ClientError>) -> bool {
    match outcome {
        Err(ClientError::Version { .. }) => true,
        Ok(Reply::Error(error)) => error.code == ErrorCode::VersionMismatch,
        _ => false,
    }
}
