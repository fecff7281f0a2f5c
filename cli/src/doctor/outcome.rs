//! What a check came to.

use ghapp_protocol::error::{ErrorCode, WireError};

use super::fix::Fix;
use crate::failure::CliError;

/// The state of what was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// git works, though not as well or as safely as it could.
    Warn,
    /// git gets no token because of it.
    Fail,
    /// Not checked.
    Skip,
}

impl State {
    /// Its word in JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// What a check came to, and what can be done about it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) state: State,
    /// One line for people, never a secret.
    pub(super) detail: String,
    pub(super) fix: Option<Fix>,
    /// The cause, which decides the exit code; `None` unless the state is a failure.
    pub(super) code: Option<ErrorCode>,
}

impl Outcome {
    pub(super) fn ok(detail: impl Into<String>) -> Self {
        Self { state: State::Ok, detail: detail.into(), fix: None, code: None }
    }

    pub(super) fn warn(detail: impl Into<String>, fix: Fix) -> Self {
        Self { state: State::Warn, detail: detail.into(), fix: Some(fix), code: None }
    }

    pub(super) fn fail(code: ErrorCode, detail: impl Into<String>, fix: Fix) -> Self {
        Self { state: State::Fail, detail: detail.into(), fix: Some(fix), code: Some(code) }
    }

    /// There is nothing to check, or no way to check it.
    pub(super) fn skip(detail: impl Into<String>) -> Self {
        Self { state: State::Skip, detail: detail.into(), fix: None, code: None }
    }

    /// A failure with another fix than its hint.
    pub(super) fn with_fix(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }
}

impl From<CliError> for Outcome {
    fn from(error: CliError) -> Self {
        let fix = error.hint.as_deref().map(Fix::of_hint);
        Self { state: State::Fail, detail: error.message, fix, code: Some(error.code) }
    }
}

impl From<&WireError> for Outcome {
    fn from(error: &WireError) -> Self {
        let fix = error.hint.as_deref().map(Fix::of_hint);
        Self { state: State::Fail, detail: error.message.clone(), fix, code: Some(error.code) }
    }
}
