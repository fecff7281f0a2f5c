//! The exchange over a named pipe. Pipes have no timeouts, so a thread does the work and is left behind at the deadline.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use interprocess::local_socket::prelude::*;
use interprocess::local_socket::{GenericFilePath, Stream};
use zeroize::Zeroizing;

use super::deadline::Deadline;
use super::error::ClientError;
use crate::frame;

pub(super) fn exchange(
    path: &Path,
    request: &Zeroizing<Vec<u8>>,
    deadline: Deadline,
) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    let (sender, receiver) = mpsc::channel();
    let (path, request) = (PathBuf::from(path), request.clone());
    std::thread::spawn(move || {
        // The receiver may have given up.
        let _ = sender.send(blocking_exchange(&path, &request));
    });
    let left = deadline.left().ok_or(ClientError::Silent { connected: false })?;
    receiver.recv_timeout(left).unwrap_or(Err(ClientError::Silent { connected: true }))
}

fn blocking_exchange(path: &Path, request: &[u8]) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    let name = path.to_fs_name::<GenericFilePath>().map_err(ClientError::Io)?;
    let mut stream = Stream::connect(name).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ClientError::NotRunning,
        io::ErrorKind::ConnectionRefused => ClientError::Gone,
        _ => ClientError::Io(error),
    })?;
    stream.write_all(request).map_err(ClientError::Io)?;
    let mut header = [0; frame::HEADER];
    stream.read_exact(&mut header).map_err(ClientError::Io)?;
    let length = frame::length(header).map_err(ClientError::Garbled)?;
    let mut body = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut body).map_err(ClientError::Io)?;
    Ok(body)
}

/// Not asked here: the pipe is in use as long as the agent does not answer.
pub(super) fn listener(_path: &Path, _deadline: Deadline) -> Option<u32> {
    None
}
