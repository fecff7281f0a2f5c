//! The door for clients: accepts connections, each with one request and one response, as many at a time as is safe.

mod connection;
mod dispatch;
mod doors;
mod exposed;
mod peer;
mod seat;
mod service;

use std::sync::Arc;
use std::time::Duration;

use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::traits::tokio::Listener as _;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::broker::{Broker, Listening, git};
use seat::{MAX_WAITING, Seat};
use service::{ACCEPT_PAUSE, Service};

/// Connections that are answered at once. More wait in the kernel's backlog; each serves one request.
const MAX_CONNECTIONS: u32 = 64;
/// Connections over all exposed sockets that are served at once, of the same 64: the agent's own user always has the others.
const MAX_EXPOSED: usize = 32;
/// How long requests that are under way may take to finish when the agent stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until `stop` turns true, then lets what is under way finish.
///
/// A further listener replaces the one before.
pub(crate) async fn serve(
    mut listeners: mpsc::Receiver<Listener>,
    broker: Arc<Broker>,
    listening: Listening,
    stop: watch::Sender<bool>,
) {
    let Some(mut listener) = listeners.recv().await else { return };
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
    let waiting = Arc::new(Semaphore::new(MAX_WAITING as usize));
    let exposed_permits = Arc::new(Semaphore::new(MAX_EXPOSED));
    let listening = Arc::new(listening);
    let (doors, new_doors) = mpsc::unbounded_channel();
    let service = Service {
        broker,
        listening,
        stop: stop.clone(),
        permits: Arc::clone(&permits),
        waiting: Arc::clone(&waiting),
        exposed_permits,
        doors,
    };
    tokio::spawn(doors::serve_all(new_doors, service.clone()));
    let mut stopped = stop.subscribe();
    loop {
        // The permit comes first: a connection that is accepted is served at once.
        let permit = tokio::select! {
            permit = Arc::clone(&permits).acquire_owned() => permit.expect("the semaphore is never closed"),
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(new) = listeners.recv() => {
                listener = new;
                continue;
            }
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok(stream) => {
                let service = service.clone();
                let seat = Seat::new(permit, Arc::clone(&waiting));
                tokio::spawn(async move { connection::serve(&stream, &service, None, seat).await });
                // It is answered first: looking for the next one costs the kernel just as much when there is none.
                yield_now().await;
            }
            Err(error) => {
                warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener); // a client that comes now is refused at once instead of waiting in vain
    git::close_all_exposed(&service.broker).await;
    info!("finishing what is under way");
    // In this order: who is answered may have to wait.
    let all = async { (permits.acquire_many(MAX_CONNECTIONS).await, waiting.acquire_many(MAX_WAITING).await) };
    if timeout(DRAIN, all).await.is_err() {
        warn!("some requests did not finish in time");
    }
}
