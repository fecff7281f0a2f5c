//! How a check is fixed: by words, or by commands. What a person pastes is what `--fix` runs, so the two cannot differ.

use std::process::Command;
use std::time::Duration;

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::pasted::shell_word;

use crate::failure::CliError;
use crate::process::bounded;

/// How long one command may take. The slowest starts an agent, which has five seconds of its own.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// How a shell joins commands when each needs the one before.
const AND: &str = " && ";

/// How a failed check is fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fix {
    /// For a person: an address, a command with something to fill in, or one whose effect the person has to judge.
    Advice(String),
    /// Commands for a person to judge.
    Commands(Vec<Vec<String>>),
    /// Commands that are safe to run: each can be undone, and loses nothing.
    Safe(Vec<Vec<String>>),
}

impl Fix {
    /// The fix that an error's hint names.
    pub(super) fn of_hint(hint: &str) -> Self {
        Self::Advice(hint.strip_prefix("run: ").unwrap_or(hint).to_owned())
    }

    /// One command that `--fix` leaves to a person.
    pub(super) fn command(words: &[&str]) -> Self {
        Self::Commands(vec![owned(words)])
    }

    /// One command that `--fix` runs.
    pub(super) fn safe(words: &[&str]) -> Self {
        Self::Safe(vec![owned(words)])
    }

    /// What a person reads, and pastes.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Advice(text) => text.clone(),
            Self::Commands(commands) | Self::Safe(commands) => {
                let line =
                    |words: &Vec<String>| words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ");
                commands.iter().map(line).collect::<Vec<_>>().join(AND)
            }
        }
    }

    /// Runs the commands.
    pub(super) fn perform(&self) -> Result<(), CliError> {
        let Self::Safe(commands) = self else { return Ok(()) };
        commands.iter().try_for_each(|words| perform(words))
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn perform(words: &[String]) -> Result<(), CliError> {
    let failed = |why: String| CliError::new(ErrorCode::File, format!("{} failed: {why}", words.join(" ")));
    let (program, arguments) = words.split_first().ok_or_else(|| failed("it is empty".to_owned()))?;
    let program = match program.as_str() {
        // This very program: PATH may lead to one of another version.
        "ghapp" => std::env::current_exe().map_err(|error| failed(error.to_string()))?,
        other => other.into(),
    };
    let answer = bounded::run(Command::new(program).args(arguments), b"", COMMAND_TIMEOUT);
    let answer = answer.map_err(|trouble| failed(trouble.to_string()))?;
    if answer.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&answer.stderr);
    Err(failed(words.lines().next().unwrap_or("it says nothing").to_owned()))
}

#[cfg(test)]
mod tests {
    use super::Fix;

    #[test]
    fn what_is_pasted_survives_a_shell() {
        let fix = Fix::Safe(vec![
            vec!["ghapp".to_owned(), "agent".to_owned(), "start".to_owned()],
            vec!["chmod".to_owned(), "0700".to_owned(), "/a b".to_owned()],
        ]);
        assert_eq!(fix.text(), "ghapp agent start && chmod 0700 '/a b'");
    }

    #[test]
    fn a_hint_becomes_what_it_says_to_run() {
        assert_eq!(Fix::of_hint("run: ghapp unlock").text(), "ghapp unlock");
        assert_eq!(Fix::of_hint("wait").text(), "wait");
    }
}
