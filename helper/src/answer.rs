//! The agent's reply as an answer to git: attributes, silence or `quit=1`, and at most one line for the person.

use std::io::{self, Write};

use ghapp_protocol::credential;
use ghapp_protocol::error::GitNext;
use ghapp_protocol::message::{GitReply, Lease};
use ghapp_protocol::trace;

use crate::agent::Unreachable;

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
pub(crate) fn to_get(reply: Result<GitReply, Unreachable>) -> Answer {
    match reply {
        Ok(GitReply::Lease(lease)) => {
            trace::event(|| format!("answer: a token until {}", lease.expires_at));
            Answer { attributes: Attributes::Credential(lease), stderr: None }
        }
        Ok(GitReply::NoMatch) => {
            trace::event(|| "answer: not ours".to_owned());
            Answer { attributes: Attributes::None, stderr: None }
        }
        Ok(GitReply::Error(error)) => {
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

/// What to say when an answer could not be written, unless its reader has gone.
pub(crate) fn complaint(error: &io::Error) -> Option<String> {
    match error.kind() {
        // git died or lost interest.
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => None,
        // Without a word the person would wonder why git asks for a password.
        io::ErrorKind::InvalidData => Some(format!("the agent's answer is unusable: {error}; run: ghapp agent status")),
        kind => Some(format!("the answer could not be written: {kind}")),
    }
}

/// Makes any text one line for standard error.
///
/// Go's `GOAUTH=git` and GitHub Desktop read a helper's standard error as part of the answer (rule 27): the prefix keeps the
/// line from starting like an attribute, since no key has a colon or a space, and nothing after it may start another line. The
/// rest of the line is left as it is: hints are there to be copied, and fingerprints end with `=`.
pub(crate) fn line(text: &str) -> String {
    let line: String = text.chars().map(|char| if is_shown(char) { char } else { ' ' }).take(MAX_LINE).collect();
    format!("ghapp: {line}\n")
}

/// Whether a terminal and every reader of lines take the character for a part of the line: no control characters, none of
/// Unicode's line ends, which some regular expressions know (CVE-2025-23040), and none that turns the direction of text.
fn is_shown(char: char) -> bool {
    !char.is_control() && !matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::io;

    use ghapp_protocol::error::{ErrorCode, GitNext, WireError};
    use ghapp_protocol::message::{GitReply, Lease};
    use ghapp_protocol::secret::Secret;

    use super::{complaint, line, to_get};

    fn written(reply: GitReply) -> (String, Option<String>) {
        let answer = to_get(Ok(reply));
        let mut stdout = Vec::new();
        drop(answer.write(&mut stdout));
        (String::from_utf8(stdout).unwrap(), answer.stderr)
    }

    fn lease(token: &str) -> GitReply {
        GitReply::Lease(Lease {
            username: "x-access-token".to_owned(),
            token: Secret::new(token.to_owned()),
            expires_at: 1_790_000_060,
        })
    }

    // rule 21
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
            written(GitReply::Error(suspended.clone())),
            ("quit=1\n".to_owned(), Some("suspended; ask".to_owned()))
        );
        let relaxed = WireError { git_next: Some(GitNext::NextHelper), ..suspended };
        assert_eq!(written(GitReply::Error(relaxed)).0, "");
        assert_eq!(written(GitReply::Error(WireError::new(ErrorCode::NotCovered, "x"))).0, "");
        assert_eq!(written(GitReply::NoMatch), (String::new(), None));
    }

    // rule 27
    #[test]
    fn a_line_on_standard_error_is_one_line_and_never_an_attribute() {
        assert_eq!(line("a\nhost=evil\r\u{1b}[0m"), "ghapp: a host=evil  [0m\n");
        assert_eq!(line("a\u{2028}host=evil\u{2029}quit=1\u{85}\u{202e}x"), "ghapp: a host=evil quit=1  x\n");
        assert_eq!(line("host=evil"), "ghapp: host=evil\n");
        assert!(line(&"x".repeat(10_000)).len() < 700);
    }

    #[test]
    fn what_is_there_to_be_copied_is_left_as_it_is() {
        let hint = "key SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= is gone; usage: x [--owner=OWNER]";
        assert_eq!(line(hint), format!("ghapp: {hint}\n"));
    }

    #[test]
    fn an_answer_that_nobody_reads_is_no_complaint_and_any_other_failure_is_one() {
        let complaint = |kind: io::ErrorKind| complaint(&io::Error::from(kind));
        assert_eq!(complaint(io::ErrorKind::BrokenPipe), None);
        assert!(complaint(io::ErrorKind::StorageFull).unwrap().contains("no storage space"));
        assert!(complaint(io::ErrorKind::InvalidData).unwrap().contains("unusable"));
    }
}
