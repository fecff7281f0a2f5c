//! A failure of `ghapp`: a code that decides the exit code, a cause to read, a step to take.

use std::error::Error;
use std::path::Path;

use ghapp_agent::config::{ConfigError, PathsError};
use ghapp_agent::signer::ImportError;
use ghapp_protocol::BUILD_VERSION;
use ghapp_protocol::client::ClientError;
use ghapp_protocol::endpoint::{Endpoint, EndpointError};
use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::pasted::shell_word;
use ghapp_protocol::start::StartError;

/// Why a command failed. Neither text ever holds a token, a key, or unchecked input.
#[derive(Debug)]
pub(crate) struct CliError {
    /// Decides the id that is printed and the exit code.
    pub(crate) code: ErrorCode,
    /// The cause: one line, lower case, no full stop.
    pub(crate) message: String,
    /// One command or URL that works when pasted.
    pub(crate) hint: Option<String>,
    /// The underlying cause, for `--verbose`.
    pub(crate) source: Option<Box<dyn Error + Send + Sync>>,
}

impl CliError {
    /// A failure without a next step.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, source: None }
    }

    /// A command line that does not say enough, or too much.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Usage, message)
    }

    /// A file that could not be read or written.
    pub(crate) fn file(action: &str, path: &Path, source: std::io::Error) -> Self {
        Self::new(ErrorCode::File, format!("cannot {action} {}: {source}", path.display())).caused_by(source)
    }

    /// A program of ours cannot be run.
    pub(crate) fn own_program(source: std::io::Error) -> Self {
        Self::new(ErrorCode::AgentNotStarted, format!("cannot run a program of ghapp: {source}")).caused_by(source)
    }

    /// Adds the next step.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the underlying cause.
    #[must_use]
    pub(crate) fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The agent's answer does not fit the question: one of the two programs is older than the other.
    ///
    /// `agent` is its version, when it could be learned.
    pub(crate) fn foreign_words(agent: Option<&str>) -> Self {
        let agent = agent.map_or_else(|| "another version".to_owned(), |it| format!("version {it}"));
        Self::new(
            ErrorCode::VersionMismatch,
            format!("the agent is {agent} and this ghapp is version {BUILD_VERSION}: its answer makes no sense here"),
        )
        .hint(RESTART)
    }

    /// No agent answered.
    pub(crate) fn from_client(error: ClientError, endpoint: &Endpoint) -> Self {
        let (code, hint) = match error {
            ClientError::Endpoint(error) => return error.into(),
            ClientError::NotRunning => (ErrorCode::AgentNotRunning, "run: ghapp agent start"),
            ClientError::Gone => (ErrorCode::AgentGone, "run: ghapp agent start"),
            ClientError::Silent { .. } | ClientError::Io(_) => (ErrorCode::AgentSilent, RESTART),
            ClientError::ForeignAgent { .. } => {
                let hint = format!("run: rm {}", shell_word(&endpoint.to_string()));
                return Self::new(ErrorCode::UnsafeEndpoint, format!("{error} ({endpoint})")).hint(hint);
            }
            ClientError::Version { .. } | ClientError::Garbled(_) => (ErrorCode::VersionMismatch, RESTART),
        };
        let message = match &error {
            ClientError::Version { .. } => {
                format!("{error}; this ghapp is version {BUILD_VERSION}")
            }
            _ => format!("{error} ({endpoint})"),
        };
        Self::new(code, message).hint(hint).caused_by(error)
    }

    /// A file is not an App's private key. `file` is its name as a person gave it.
    pub(crate) fn from_import(error: ImportError, file: &str) -> Self {
        let code = match error {
            ImportError::NotPem | ImportError::Damaged => ErrorCode::NotAPrivateKey,
            _ => ErrorCode::UnusableKey,
        };
        Self::new(code, format!("cannot use {file}: {error}")).hint(error.hint().replace("FILE", &shell_word(file)))
    }
}

/// How an App that exists is added.
pub(crate) const LOG_IN: &str = "run: ghapp login --pem FILE --app-id N";

/// The fix for every disagreement with a running agent: the next command starts a new one.
const RESTART: &str = "run: ghapp agent stop";

impl From<WireError> for CliError {
    fn from(error: WireError) -> Self {
        Self { code: error.code, message: error.message, hint: error.hint, source: None }
    }
}

impl From<EndpointError> for CliError {
    fn from(error: EndpointError) -> Self {
        let (code, hint) = match &error {
            EndpointError::BadPath { .. } => {
                (ErrorCode::Usage, Some("name a short absolute path with --socket or GHAPP_SOCKET".to_owned()))
            }
            EndpointError::Unsafe { directory, .. } => (
                ErrorCode::UnsafeEndpoint,
                Some(if directory.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
                    format!("run: chmod 0700 {}", shell_word(&directory.display().to_string()))
                } else {
                    // No mode turns a file or a link into a directory.
                    "name a place with --socket or GHAPP_SOCKET".to_owned()
                }),
            ),
            EndpointError::NoHome | EndpointError::Io { .. } => {
                (ErrorCode::AgentNotStarted, Some("name a place with --socket or GHAPP_SOCKET".to_owned()))
            }
        };
        Self { hint, ..Self::new(code, error.to_string()).caused_by(error) }
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        let (code, hint) = match error {
            StartError::Endpoint(error) => return error.into(),
            StartError::Forbidden => (ErrorCode::AgentNotRunning, "run: ghapp agent start"),
            StartError::Exposed => (ErrorCode::AgentGone, "where its agent runs: ghapp agent expose"),
            StartError::UnderSudo => (ErrorCode::AgentNotRunning, "run it without sudo"),
            StartError::NoProgram { .. } => (ErrorCode::AgentNotStarted, "install ghapp-agent beside ghapp"),
            _ => (ErrorCode::AgentNotStarted, "run: ghapp agent start --foreground"),
        };
        Self::new(code, error.to_string()).hint(hint).caused_by(error)
    }
}

impl From<PathsError> for CliError {
    fn from(error: PathsError) -> Self {
        Self::new(ErrorCode::Config, error.to_string())
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(ErrorCode::Config, error.to_string()).caused_by(error)
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::client::ClientError;
    use ghapp_protocol::endpoint::{Endpoint, EndpointError};
    use ghapp_protocol::error::ErrorCode;

    use super::CliError;
    use ghapp_agent::signer::ImportError;

    #[test]
    fn a_wrong_file_is_named_with_what_it_is() {
        let error = CliError::from_import(ImportError::Encrypted, "my key.pem");
        assert_eq!(error.code, ErrorCode::UnusableKey);
        assert_eq!(error.message, "cannot use my key.pem: the private key is encrypted");
        assert_eq!(error.hint.unwrap(), "decrypt it first: openssl pkcs8 -in 'my key.pem' -out app.pem");
        let error = CliError::from_import(ImportError::NotPem, "notes.txt");
        assert_eq!(error.code, ErrorCode::NotAPrivateKey);
    }

    #[test]
    fn a_place_that_is_no_directory_is_not_to_be_given_another_mode() {
        let temp = tempfile::tempdir().unwrap();
        let hint = |directory: std::path::PathBuf| {
            CliError::from(EndpointError::Unsafe { directory, why: "x".to_owned() }).hint.unwrap()
        };
        assert_eq!(hint(temp.path().into()), format!("run: chmod 0700 {}", temp.path().display()));
        let file = temp.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(hint(file).contains("GHAPP_SOCKET"));
    }

    #[test]
    fn an_unreachable_agent_is_named_by_its_socket() {
        let endpoint = Endpoint::at("/x/agent.sock").unwrap();
        let error = CliError::from_client(ClientError::NotRunning, &endpoint);
        assert_eq!(error.code.exit(), 5);
        assert_eq!(error.message, "the agent is not running (/x/agent.sock)");
    }
}
