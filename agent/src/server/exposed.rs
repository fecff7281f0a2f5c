//! The door of an exposed socket: made when the broker agrees, and handed on to be served.

use std::sync::Arc;

use ghapp_protocol::message::{Expose, Label, Reply};
use interprocess::local_socket::tokio::Listener;
use tokio::sync::{mpsc, watch};

mod error;
#[cfg(unix)]
#[path = "exposed/unix.rs"]
mod platform;
#[cfg(not(unix))]
#[path = "exposed/unsupported.rs"]
mod platform;

use crate::broker::{Broker, Listening, git};
use crate::model::{Caller, Exposure};

/// A socket that has been made, on its way to the task that serves it.
pub(super) struct Door {
    pub(super) listener: Listener,
    pub(super) place: platform::Place,
    pub(super) exposure: Arc<Exposure>,
    /// Turns true when the socket is to be closed. It is dropped when the file is gone, and `unexpose` waits for that.
    pub(super) closing: watch::Receiver<bool>,
}

/// Opens a further socket, if the broker agrees, and sends its door to be served.
pub(super) async fn open(
    expose: Expose,
    caller: &Caller,
    broker: &Broker,
    listening: &Listening,
    doors: &mpsc::UnboundedSender<Door>,
) -> Reply {
    let door = |exposure: &Arc<Exposure>, closing| {
        let (listener, place) = platform::bind(exposure)?;
        // The task that serves doors lives as long as this.
        let _ = doors.send(Door { listener, place, exposure: Arc::clone(exposure), closing });
        Ok(())
    };
    let own_place = |label: &Label| listening.endpoint.exposed(label);
    git::expose_socket(broker, expose, own_place, caller, door).await
}
