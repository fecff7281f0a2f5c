//! The door of an exposed socket, made with its rule.

use std::io;
use std::sync::Arc;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Expose, Label, Reply};
use interprocess::local_socket::tokio::Listener;
use tokio::sync::watch;

#[cfg(unix)]
#[path = "exposed/unix.rs"]
mod platform;
#[cfg(not(unix))]
#[path = "exposed/unsupported.rs"]
mod platform;

use super::Service;
use crate::broker::git;
use crate::model::{Caller, Exposure};

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
    pub(super) listener: Listener,
    pub(super) place: platform::Place,
    pub(super) exposure: Arc<Exposure>,
    /// Turns true when it is to be closed. Whoever waits for it to be let go of knows that the file is gone.
    pub(super) closing: watch::Receiver<bool>,
}

/// Opens a further socket, if the broker agrees.
pub(super) async fn open(expose: Expose, caller: &Caller, service: &Service) -> Reply {
    let door = |exposure: &Arc<Exposure>, closing| {
        let (listener, place) = platform::bind(exposure)?;
        // Whoever serves doors lives as long as this.
        let _ = service.doors.send(Door { listener, place, exposure: Arc::clone(exposure), closing });
        Ok(())
    };
    let own_place = |label: &Label| service.listening.endpoint.exposed(label);
    git::expose_socket(&service.broker, expose, own_place, caller, door).await
}
