//! One connection: read a request, answer it, close.

use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::WIRE_VERSION;
use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::frame::{self, FrameError};
use ghapp_protocol::message::{Call, Reply, Request, Response};
use interprocess::local_socket::tokio::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tracing::{debug, warn};
use zeroize::Zeroizing;

use super::seat::{Full, MAX_WAITING, Seat};
use super::service::Service;
use super::{dispatch, peer};
use crate::model::Exposure;

/// How long a client may take to send its request, which is ready when it connects.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Room for a question of git's, with an owner and a repository of the longest names.
const USUAL_REQUEST: usize = 1024;
/// How long a client may take to read its answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves one connection, over the agent's own socket or an exposed one. What goes wrong concerns this client alone.
pub(super) async fn serve(stream: &Stream, service: &Service, exposure: Option<&Arc<Exposure>>, mut seat: Seat) {
    let caller = match peer::check(stream, exposure.and_then(|exposure| exposure.uid)) {
        Ok(caller) => caller,
        Err(refusal) => {
            warn!(%refusal, "a connection was refused");
            return;
        }
    };
    let in_use = service.broker.in_use();
    let mut version = WIRE_VERSION;
    let reply = match timeout(READ_TIMEOUT, read(stream)).await {
        Ok(Ok(request)) => {
            if request.call.is_frozen() {
                version = request.v;
            }
            let may_be_refused = matches!(request.call, Call::Get(_) | Call::Token(_) | Call::Which(_));
            // On the heap: it is large, and a task would have room for it twice.
            let reply = Box::pin(async {
                match exposure {
                    None => dispatch::answer(request, &caller, service).await,
                    Some(exposure) => dispatch::answer_exposed(request, &caller, service, exposure).await,
                }
            });
            if may_be_refused {
                seat.answer_or_refuse(reply).await.unwrap_or_else(|Full| Reply::Error(too_many()))
            } else {
                seat.answer(reply).await
            }
        }
        // Where, not what: the bytes may hold a secret.
        Ok(Err(error @ (FrameError::TooLarge | FrameError::Malformed { .. }))) => {
            debug!(%error, "a request made no sense");
            Reply::Error(WireError::new(ErrorCode::BadRequest, error.to_string()))
        }
        Ok(Err(FrameError::Io(_))) | Err(_) => return,
    };
    let stops = matches!(reply, Reply::Stopping { .. });
    // The client may have gone away, and may do so.
    let _ = timeout(WRITE_TIMEOUT, write(stream, version, reply)).await;
    drop(in_use); // not before the answer is written: see `InUse`
    if stops {
        service.stop.send_replace(true);
    }
}

/// More questions wait than there is room for.
fn too_many() -> WireError {
    WireError::new(ErrorCode::DeadlinePassed, format!("{MAX_WAITING} questions wait for GitHub or a keyring already"))
        .hint("try again")
}

/// Reads one request: in one call, if it is one of git's. What comes after it is ignored.
async fn read(mut stream: &Stream) -> Result<Request, FrameError> {
    let mut bytes = Zeroizing::new(vec![0; USUAL_REQUEST]);
    let mut filled = 0;
    while filled < frame::HEADER {
        filled += some(stream.read(&mut bytes[filled..]).await?)?;
    }
    let header = bytes.first_chunk().copied().unwrap_or_default();
    let end = frame::HEADER + frame::length(header)?;
    if end > bytes.len() {
        // Not `resize`, which would leave a copy of a key behind.
        let mut larger = Zeroizing::new(vec![0; end]);
        larger[..filled].copy_from_slice(&bytes[..filled]);
        bytes = larger;
    }
    if filled < end {
        stream.read_exact(&mut bytes[filled..end]).await?;
    }
    frame::decode(&bytes[frame::HEADER..end])
}

/// How much was read; to read nothing is an end in the middle.
fn some(count: usize) -> Result<usize, FrameError> {
    if count == 0 { Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()) } else { Ok(count) }
}

async fn write(mut stream: &Stream, version: u32, reply: Reply) -> Result<(), FrameError> {
    let bytes = frame::encode(&Response::in_version(version, reply)).or_else(|_| {
        let error = WireError::new(ErrorCode::Internal, "the answer is too large");
        frame::encode(&Response::new(Reply::Error(error)))
    })?;
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    Ok(())
}
