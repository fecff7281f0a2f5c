//! Serves the doors of exposed sockets: each until it is closed, and never with more than its share of the connections.

use std::sync::Arc;

use interprocess::local_socket::traits::tokio::Listener as _;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;
use tracing::warn;

use super::connection;
use super::exposed::Door;
use super::seat::Seat;
use super::service::{ACCEPT_PAUSE, Service};
use crate::broker::git;
use crate::model::Exposure;

/// Connections over one exposed socket that are served at once: enough for a parallel fetch, and all that a client can take from
/// others by opening connections and sending nothing.
const MAX_CONNECTIONS: usize = 8;

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
                    // In this order: a connection takes one of the places of all only when it has one of the exposed.
                    let exposed_permit =
                        service.exposed_permits.acquire().await.expect("the semaphore is never closed");
                    let permit = Arc::clone(&service.permits).acquire_owned().await;
                    let permit = permit.expect("the semaphore is never closed");
                    let place = Seat::new(permit, Arc::clone(&service.waiting));
                    connection::serve(&stream, &service, Some(&exposure), place).await;
                    drop((exposed_permit, seat));
                });
            }
            Err(error) => {
                warn!(%error, "a connection over an exposed socket could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener); // a client that comes now is refused at once
    place.leave();
    drop(closing);
}

/// Waits until a socket's time is over, and then has it closed.
async fn over(exposure: &Exposure, service: &Service) {
    sleep(git::time_left(&service.broker, exposure)).await;
    git::close_what_is_over(&service.broker);
}
