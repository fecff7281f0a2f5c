//! The door of an exposed socket: made with its rule, closed with it, and never wider open than its share.

use std::io;
use std::sync::Arc;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Expose, Reply};
use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::traits::tokio::Listener as _;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::sleep;
use tracing::warn;

#[cfg(unix)]
#[path = "exposed/unix.rs"]
mod platform;
#[cfg(not(unix))]
#[path = "exposed/unsupported.rs"]
mod platform;

use super::{ACCEPT_PAUSE, Service, connection};
use crate::model::{Caller, Exposure};

/// Connections over one exposed socket that are served at once: enough for a parallel fetch, and what a client that opens
/// connections and says nothing can take from others.
const MAX_CONNECTIONS: usize = 8;

/// Why a socket cannot be exposed at a place.
#[derive(Debug, thiserror::Error)]
enum DoorError {
    /// The place is not one for a socket.
    #[error("the socket cannot be {path}: {why}")]
    Place {
        /// Where it was to be.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Only root may give a file away.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no such users"))]
    #[error("only an agent of root can give a socket to the user {0}")]
    Foreign(u32),
    /// The system does not let us.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no such sockets"))]
    #[error("the socket cannot be made: {0}")]
    Io(#[from] io::Error),
}

impl From<DoorError> for WireError {
    fn from(error: DoorError) -> Self {
        let hint = match &error {
            DoorError::Place { .. } => "leave --path out, or name a path in a private directory (mode 0700)",
            DoorError::Foreign(_) => "without root, let the program run as your own user and leave --uid out",
            DoorError::Io(_) => "leave --path out, or name another one",
        };
        Self::new(ErrorCode::File, error.to_string()).hint(hint)
    }
}

/// A socket that has been made, on its way to who serves it.
pub(super) struct Door {
    listener: Listener,
    place: platform::Place,
    exposure: Arc<Exposure>,
    /// Turns true when it is to be closed. Whoever waits for it to be let go of knows that the file is gone.
    closing: watch::Receiver<bool>,
}

/// Opens a further socket, if the broker agrees.
pub(super) async fn open(expose: Expose, caller: &Caller, service: &Service) -> Reply {
    let door = |exposure: &Arc<Exposure>, closing| {
        let (listener, place) = platform::bind(exposure)?;
        // Whoever serves doors lives as long as this.
        let _ = service.doors.send(Door { listener, place, exposure: Arc::clone(exposure), closing });
        Ok(())
    };
    service.broker.expose_socket(expose, &service.listening, caller, door).await
}

/// Serves every door that is made.
pub(super) async fn serve_all(mut doors: mpsc::UnboundedReceiver<Door>, service: Service) {
    while let Some(door) = doors.recv().await {
        tokio::spawn(serve(door, service.clone()));
    }
}

/// Serves an exposed socket until it is closed.
async fn serve(door: Door, service: Service) {
    let Door { listener, place, exposure, mut closing } = door;
    let seats = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let seat = tokio::select! {
            seat = Arc::clone(&seats).acquire_owned() => seat.expect("the semaphore is never closed"),
            () = over(&exposure, &service) => continue,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = over(&exposure, &service) => continue,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        match accepted {
            Ok(stream) => {
                let (service, exposure) = (service.clone(), Arc::clone(&exposure));
                tokio::spawn(async move {
                    // In this order: the places of all are taken only by who has one among the guests.
                    let guest = service.guests.acquire().await.expect("the semaphore is never closed");
                    let permit = service.permits.acquire().await.expect("the semaphore is never closed");
                    connection::serve(&stream, &service, Some(&exposure)).await;
                    drop((permit, guest, seat));
                });
            }
            Err(error) => {
                warn!(%error, "a connection over an exposed socket could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener); // who comes now is refused at once
    place.leave();
    drop(closing);
}

/// Waits for the end of a socket's time, and then has it closed.
async fn over(exposure: &Exposure, service: &Service) {
    sleep(service.broker.time_left(exposure)).await;
    service.broker.close_what_is_over();
}
