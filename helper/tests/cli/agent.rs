//! A scripted agent: it listens in a private directory, records what it is asked and answers as it was told.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;

use ghapp_protocol::frame;
use ghapp_protocol::message::{Reply, Response};
use tempfile::TempDir;

/// A directory with room for a socket. No process listens yet.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path().join("agent.sock")
    }

    pub(crate) fn listen(&self) -> UnixListener {
        UnixListener::bind(self.socket()).unwrap()
    }

    /// Runs `client` while an agent gives these bytes to the first client. Returns what it was asked, as JSON.
    pub(crate) fn answering<T>(&self, answer: &[u8], client: impl FnOnce() -> T) -> (T, String) {
        let listener = self.listen();
        thread::scope(|scope| {
            let agent = scope.spawn(|| answer_one(&listener, answer));
            let outcome = client();
            (outcome, agent.join().unwrap())
        })
    }

    /// Runs `client` beside an agent that must not be asked anything.
    pub(crate) fn unasked<T>(&self, client: impl FnOnce() -> T) -> T {
        let listener = self.listen();
        let outcome = client();
        // A connection would wait in the backlog even if the client has left.
        listener.set_nonblocking(true).unwrap();
        let error = listener.accept().expect_err("the agent was asked");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        outcome
    }
}

/// Takes one request, as JSON, and answers it with these bytes.
pub(crate) fn answer_one(listener: &UnixListener, answer: &[u8]) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut header = [0; frame::HEADER];
    stream.read_exact(&mut header).unwrap();
    let mut body = vec![0; frame::length(header).unwrap()];
    stream.read_exact(&mut body).unwrap();
    stream.write_all(answer).unwrap();
    String::from_utf8(body).unwrap()
}

/// A reply of this build as bytes.
pub(crate) fn reply(reply: Reply) -> Vec<u8> {
    frame::encode(&Response::new(reply)).unwrap().to_vec()
}

/// Any JSON as bytes with a right length.
pub(crate) fn framed(json: &str) -> Vec<u8> {
    let length = u32::try_from(json.len()).unwrap();
    [&length.to_be_bytes()[..], json.as_bytes()].concat()
}
