//! The agent's reply as an answer to git: attributes, silence or `quit=1`, and at most one line for the person.

use std::io::{self, Write};

use ghapp_protocol::credential;
use ghapp_protocol::error::GitNext;
use ghapp_protocol::message::{Lease, Reply};

use crate::agent::Unreachable;
use crate::trace;

/// How much earlier than GitHub git is told that a token dies: a clone or a push sends several requests with one token.
const EXPIRY_MARGIN: i64 = 60;
/// Longest line on standard error; a terminal shows it in a few rows.
const MAX_LINE: usize = 600;

/// What git and the person are told.
#[derive(Debug)]
pub(crate) struct Answer {
    attributes: Attributes,
    /// One line, or nothing.
    pub(crate) stderr: Option<String>,
}

#[derive(Debug)]
enum Attributes {
    /// A user name and a password.
    Credential(Lease),
    /// Stop: no other helper, no prompt.
    Quit,
    /// Nothing: the next helper is asked.
    None,
}

impl Answer {
    /// Writes the attributes; the caller may not care whether git still listens.
    pub(crate) fn write(&self, stdout: &mut impl Write) -> io::Result<()> {
        match &self.attributes {
            Attributes::Credential(lease) => credential::write_answer(
                stdout,
                &lease.username,
                lease.token.expose(),
                lease.expires_at.saturating_sub(EXPIRY_MARGIN),
            ),
            // A password that was printed before it would be used all the same; there is none.
            Attributes::Quit => stdout.write_all(b"quit=1\n"),
            Attributes::None => Ok(()),
        }
    }
}

/// Translates the reply to a `get`.
pub(crate) fn to_get(reply: Result<Reply, Unreachable>) -> Answer {
    match reply {
        Ok(Reply::Lease(lease)) => {
            trace::event(|| format!("answer: a token until {}", lease.expires_at));
            Answer { attributes: Attributes::Credential(lease), stderr: None }
        }
        Ok(Reply::NoMatch {}) => {
            trace::event(|| "answer: not ours".to_owned());
            Answer { attributes: Attributes::None, stderr: None }
        }
        Ok(Reply::Error(error)) => {
            trace::event(|| format!("answer: error {}", error.code.id()));
            let attributes = match error.git_next() {
                GitNext::Stop => Attributes::Quit,
                GitNext::NextHelper => Attributes::None,
            };
            let hint = error.hint.iter().fold(String::new(), |_, hint| format!("; {hint}"));
            Answer { attributes, stderr: Some(format!("{}{hint}", error.message)) }
        }
        Ok(_) => Answer {
            attributes: Attributes::None,
            stderr: Some("the agent gave an answer that this version does not know; run: ghapp agent stop".to_owned()),
        },
        Err(unreachable) => Answer { attributes: Attributes::None, stderr: Some(unreachable.to_string()) },
    }
}

/// Makes one line for standard error of whatever the text is.
///
/// Go's `GOAUTH=git` reads a helper's standard error as part of the answer, so a line must not look like `key=value`
/// (rule 27): the prefix has a colon and a space, which no key has, and what could pass for an attribute is spaced out.
pub(crate) fn line(text: &str) -> String {
    let printable = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    let mut line: String = printable.take(MAX_LINE).collect();
    line = line.replace('=', " = ");
    format!("ghapp: {line}\n")
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::error::{ErrorCode, GitNext, WireError};
    use ghapp_protocol::message::{Lease, Reply};
    use ghapp_protocol::secret::Secret;

    use super::{line, to_get};

    fn written(reply: Reply) -> (String, Option<String>) {
        let answer = to_get(Ok(reply));
        let mut stdout = Vec::new();
        drop(answer.write(&mut stdout));
        (String::from_utf8(stdout).unwrap(), answer.stderr)
    }

    fn lease(token: &str) -> Reply {
        Reply::Lease(Lease {
            username: "x-access-token".to_owned(),
            token: Secret::new(token.to_owned()),
            expires_at: 1_790_000_060,
        })
    }

    #[test]
    fn success_is_exactly_three_attributes_with_the_expiry_a_minute_early() {
        let (stdout, stderr) = written(lease("ghs_1.a-b_c"));
        assert_eq!(stdout, "username=x-access-token\npassword=ghs_1.a-b_c\npassword_expiry_utc=1790000000\n");
        assert_eq!(stderr, None);
    }

    #[test]
    fn a_token_with_a_line_break_is_not_written_at_all() {
        assert_eq!(written(lease("ghs_1\nquit=1")).0, "");
        assert_eq!(written(lease("")).0, "");
    }

    #[test]
    fn the_code_decides_what_git_does_next_and_a_rule_can_overrule_it() {
        let suspended = WireError::new(ErrorCode::Suspended, "suspended").hint("ask");
        assert_eq!(
            written(Reply::Error(suspended.clone())),
            ("quit=1\n".to_owned(), Some("suspended; ask".to_owned()))
        );
        let relaxed = WireError { git_next: Some(GitNext::NextHelper), ..suspended };
        assert_eq!(written(Reply::Error(relaxed)).0, "");
        assert_eq!(written(Reply::Error(WireError::new(ErrorCode::NotCovered, "x"))).0, "");
        assert_eq!(written(Reply::NoMatch {}), (String::new(), None));
    }

    #[test]
    fn a_line_on_standard_error_is_one_line_and_never_an_attribute() {
        assert_eq!(line("a\nhost=evil\r\u{1b}[0m"), "ghapp: a host = evil  [0m\n");
        assert!(line(&"x".repeat(10_000)).len() < 700);
    }
}
