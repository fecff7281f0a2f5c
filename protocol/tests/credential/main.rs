//! git's credential attributes: what is accepted, what is left to the next helper, what is refused, and what is answered.
//!
//! The numbers in test names are those of the rules that the code names too.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod answer;
mod any_bytes;
mod clients;
mod format;
mod real_git;
mod remote;

use ghapp_protocol::credential::{Attributes, CredentialError, Request};

fn parse(request: &[u8]) -> Result<Request, CredentialError> {
    Attributes::read(&mut &request[..])?.into_request()
}

/// What becomes of a request, as one line to compare.
fn outcome(request: impl AsRef<[u8]>) -> String {
    match parse(request.as_ref()) {
        Ok(Request::Https(question)) => {
            let name = question.full_name.map(|name| name.to_string());
            format!("{} {}", question.host, name.as_deref().unwrap_or("-"))
        }
        Ok(Request::NotForUs(why)) => format!("not ours: {why:?}"),
        Err(error) => format!("refused: {error}"),
    }
}

fn with_host(host: &str) -> String {
    outcome(format!("protocol=https\nhost={host}\npath=acme/web.git\n"))
}

/// A well-formed request with further lines before its end.
fn with_lines(lines: &str) -> String {
    outcome(format!("protocol=https\nhost=github.com\n{lines}"))
}
