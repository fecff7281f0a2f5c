//! What must hold for any bytes, as one function for each parser: called by the fuzzer (`fuzz/`) and by the bounded run of the
//! tests. A panic is a finding.

use std::fmt::Debug;
use std::io::{self, Read};

use ghapp_protocol::credential::{Attributes, CredentialError, Request as Asked};
use ghapp_protocol::frame::{self, FrameError};
use ghapp_protocol::message::{Reply, Request, Response};
use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A request of git's: bounded, the same in any pieces, and a question only about the one host that a line of its own names.
pub(crate) fn attributes(bytes: &[u8]) {
    let whole = asked(&mut &bytes[..]);
    let pieces = asked(&mut Pieces(bytes));
    assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
    match whole {
        Ok(Asked::Https(question)) => {
            let hosts: Vec<_> = bytes
                .split(|byte| *byte == b'\n')
                .take_while(|line| !matches!(line, [] | [b'\r']))
                .filter_map(|line| line.strip_prefix(b"host="))
                .map(|host| host.strip_suffix(b"\r").unwrap_or(host).to_ascii_lowercase())
                .collect();
            let [host] = hosts.as_slice() else { panic!("a question with {} hosts", hosts.len()) };
            // Behind the name only a port: it may be the default one, or have zeros in front.
            let name = question.host.name().as_bytes();
            assert!(host.starts_with(name) && matches!(host.get(name.len()), None | Some(b':')));
        }
        Ok(Asked::NotForUs(_)) => {}
        Err(error) => {
            let said = error.to_string();
            assert!(said.len() < 100 && !said.contains(char::is_control) && !said.contains('='), "{said}");
        }
    }
}

fn asked(input: &mut impl Read) -> Result<Asked, CredentialError> {
    Attributes::read(input)?.into_request()
}

/// Hands out a few bytes at a time: one to seven, by how many are left.
struct Pieces<'a>(&'a [u8]);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = (self.0.len() % 7 + 1).min(buffer.len());
        self.0.read(&mut buffer[..most])
    }
}

/// Hosts and names: what is accepted is ASCII without anything that another reader could split at, and is itself when read again.
pub(crate) fn remote(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(host) = Host::parse(text) {
        assert_eq!(Host::parse(host.as_str()).as_ref(), Ok(&host));
        let is_host = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.:".contains(&byte);
        assert!(host.as_str().bytes().all(is_host), "{host}");
        assert!(text.to_ascii_lowercase().starts_with(host.name()), "{host}");
    }
    if let Ok(owner) = Owner::parse(text) {
        assert_eq!(owner.as_str(), text);
    }
    if let Ok(name) = RepositoryName::parse(text) {
        assert_eq!(name.as_str(), text);
        assert!(!matches!(text, "." | "..") && !text.contains('/'));
    }
    if let Ok(name) = FullName::parse(text) {
        let written = name.to_string();
        assert_eq!(FullName::parse(&written).as_ref(), Ok(&name));
        assert!(text.starts_with(&written), "{written}");
        assert_eq!(written.matches('/').count(), 1);
    }
}

/// A frame: never more than the limit, never a part of one, and readable again when it is written.
pub(crate) fn frame(bytes: &[u8]) {
    let outcome = frame::read::<Value>(&mut &bytes[..]);
    match &outcome {
        Ok(value) => {
            let again = frame::encode(value).map(|written| frame::read::<Value>(&mut &written[..]));
            // Numbers may become longer when they are written.
            assert!(matches!(again, Ok(Ok(_)) | Err(FrameError::TooLarge)));
        }
        Err(error) => {
            let said = format!("{error} {error:?}");
            assert!(said.len() < 200, "{said}");
        }
    }
    if let Some(header) = bytes.first_chunk() {
        let announced = u32::from_be_bytes(*header) as usize;
        assert_eq!(frame::length(*header).is_ok(), announced <= frame::MAX_FRAME);
        assert!(outcome.is_err() || bytes.len() >= frame::HEADER + announced);
    }
}

/// A message on the wire, whether it comes from a client or from an agent.
pub(crate) fn messages(bytes: &[u8]) {
    same_again::<Request>(bytes);
    let Some(response) = same_again::<Response>(bytes) else { return };
    if let Reply::Lease(lease) = &response.reply {
        let mut answer = Vec::new();
        let token = lease.token.expose();
        let written = ghapp_protocol::credential::write_answer(&mut answer, &lease.username, token, lease.expires_at);
        // Three lines with what was meant, or nothing at all.
        assert_eq!(answer.split_inclusive(|byte| *byte == b'\n').count(), if written.is_ok() { 3 } else { 0 });
    }
}

/// Reads a message, and checks that what this build writes of it is read as the same.
fn same_again<T: DeserializeOwned + Serialize + Debug>(bytes: &[u8]) -> Option<T> {
    let message: T = frame::decode(bytes).ok()?;
    match frame::encode(&message) {
        Ok(written) => {
            let again: T = frame::decode(&written[frame::HEADER..]).expect("what was written can be read");
            let rewritten = frame::encode(&again).expect("and be written again");
            assert_eq!(*written, *rewritten);
            assert_eq!(format!("{message:?}"), format!("{again:?}"));
        }
        Err(error) => assert!(matches!(error, FrameError::TooLarge), "{error}"),
    }
    Some(message)
}
