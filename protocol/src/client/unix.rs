//! The exchange over a Unix socket: every step is a blocking call that the kernel ends at the deadline.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use zeroize::Zeroizing;

use super::deadline::{CONNECT_TIMEOUT, Deadline};
use super::error::ClientError;
use crate::frame;

/// Room for an answer to git, with a token of 520 characters and what stands around it.
const USUAL_ANSWER: usize = 1024;

pub(super) fn exchange(
    path: &Path,
    request: &Zeroizing<Vec<u8>>,
    deadline: Deadline,
) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    let mut stream = connect(path, deadline)?;
    check_peer(&stream)?;
    write(&mut stream, request, deadline)?;
    read(&mut stream, deadline)
}

/// Connects, waiting for room in a full backlog.
///
/// `UnixStream::connect` has no deadline, and a non-blocking connect fails at once when the backlog is full (EAGAIN on
/// Linux). With a send timeout set *before* connecting, Linux waits for room and no longer than that (`sock_sndtimeo` in
/// `unix_stream_connect`), in slices of [`CONNECT_TIMEOUT`] until the deadline, so a burst of clients is served in turn.
fn connect(path: &Path, deadline: Deadline) -> Result<UnixStream, ClientError> {
    let left = deadline.at_most(CONNECT_TIMEOUT).left();
    let left = left.ok_or(ClientError::Silent { connected: false })?;
    let address = SocketAddrUnix::new(path).map_err(|errno| ClientError::Io(errno.into()))?;
    let io = |errno: Errno| ClientError::Io(errno.into());
    #[cfg(target_os = "linux")]
    let socket =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, rustix::net::SocketFlags::CLOEXEC, None)
            .map_err(io)?;
    #[cfg(not(target_os = "linux"))]
    let socket = {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).map_err(io)?;
        rustix::io::ioctl_fioclex(&socket).map_err(io)?;
        socket
    };
    set_socket_timeout(&socket, Timeout::Send, Some(left)).map_err(io)?;
    let connected = loop {
        match rustix::net::connect(&socket, &address) {
            // Still no room after a slice of waiting (elsewhere than on Linux nothing waits, and nothing may spin).
            Err(Errno::AGAIN) if cfg!(target_os = "linux") && deadline.left().is_some() => {}
            outcome => break outcome,
        }
    };
    match connected {
        Ok(()) => Ok(UnixStream::from(socket)),
        Err(Errno::NOENT | Errno::NOTDIR) => Err(ClientError::NotRunning),
        Err(Errno::CONNREFUSED) => Err(ClientError::Gone),
        Err(Errno::AGAIN | Errno::INPROGRESS | Errno::TIMEDOUT) => Err(ClientError::Silent { connected: false }),
        Err(errno) => Err(io(errno)),
    }
}

/// Refuses an agent of another user: it could hand out tokens of its own choice, and learn what we ask for.
fn check_peer(stream: &UnixStream) -> Result<(), ClientError> {
    let uid = peer_uid(stream);
    if uid.is_some_and(|uid| uid == 0 || uid == rustix::process::geteuid().as_raw()) {
        Ok(())
    } else {
        Err(ClientError::ForeignAgent { uid })
    }
}

#[cfg(target_os = "linux")]
fn peer_uid(stream: &UnixStream) -> Option<u32> {
    rustix::net::sockopt::socket_peercred(stream).ok().map(|peer| peer.uid.as_raw())
}

/// The process behind a socket: the one that began to listen there.
#[cfg(target_os = "linux")]
pub(super) fn listener(path: &Path, deadline: Deadline) -> Option<u32> {
    let stream = connect(path, deadline).ok()?;
    let pid = rustix::net::sockopt::socket_peercred(&stream).ok()?.pid;
    u32::try_from(pid.as_raw_nonzero().get()).ok()
}

/// The standard library has no safe way to ask.
#[cfg(not(target_os = "linux"))]
pub(super) fn listener(_path: &Path, _deadline: Deadline) -> Option<u32> {
    None
}

/// Elsewhere the owner of the socket file stands in for the peer: the directory is ours alone (see `endpoint`), and the
/// standard library has no safe `getpeereid`.
#[cfg(not(target_os = "linux"))]
fn peer_uid(stream: &UnixStream) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let address = stream.peer_addr().ok()?;
    std::fs::symlink_metadata(address.as_pathname()?).ok().map(|metadata| metadata.uid())
}

/// Writes it all. The socket gives up after the slice that [`connect`] gave it; the deadline decides whether there is another.
fn write(stream: &mut UnixStream, mut bytes: &[u8], deadline: Deadline) -> Result<(), ClientError> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && deadline.left().is_some() => {}
            Err(error) => return Err(unread(error)),
        }
    }
    Ok(())
}

/// Reads one answer: in one call, if it is one of the usual size that was written in one.
fn read(stream: &mut UnixStream, deadline: Deadline) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    let mut answer = Zeroizing::new(vec![0; USUAL_ANSWER]);
    let mut filled = 0;
    while filled < frame::HEADER {
        let count = read_some(stream, &mut answer[filled..], deadline);
        filled += count.map_err(if filled == 0 { unread } else { failed })?;
    }
    let header = answer.first_chunk().copied().unwrap_or_default();
    let end = frame::HEADER + frame::length(header).map_err(ClientError::Garbled)?;
    if end > answer.len() {
        // Not `resize`, which would leave a copy behind.
        let mut larger = Zeroizing::new(vec![0; end]);
        larger[..filled].copy_from_slice(&answer[..filled]);
        answer = larger;
    }
    while filled < end {
        filled += read_some(stream, &mut answer[filled..end], deadline).map_err(failed)?;
    }
    answer.truncate(end);
    answer.drain(..frame::HEADER);
    Ok(answer)
}

/// Reads what there is, and waits for it no longer than until the deadline, so that a drip of bytes cannot stretch it.
fn read_some(stream: &mut UnixStream, buffer: &mut [u8], deadline: Deadline) -> io::Result<usize> {
    loop {
        // No time left must not become no timeout.
        let left = deadline.left().ok_or(io::ErrorKind::TimedOut)?;
        stream.set_read_timeout(Some(left))?;
        match stream.read(buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// A connection that is reset before an answer has begun was closed with our request unread: it waited in the backlog of an agent
/// that was exiting. Nothing of it has been done, so the next agent can be asked.
fn unread(error: io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => ClientError::Gone,
        _ => failed(error),
    }
}

fn failed(error: io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ClientError::Silent { connected: true },
        _ => ClientError::Io(error),
    }
}
