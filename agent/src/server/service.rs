//! What the two loops that accept connections share: that of the agent's own socket and that of exposed ones.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};

use super::exposed::Door;
use crate::broker::{Broker, Listening};

/// Pause after the system refused a connection (no file descriptor left): without it the loop would spin.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a connection needs.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) broker: Arc<Broker>,
    pub(super) listening: Arc<Listening>,
    pub(super) stop: watch::Sender<bool>,
    /// A place among the connections that are answered at once.
    pub(super) permits: Arc<Semaphore>,
    /// A place among those that wait.
    pub(super) waiting: Arc<Semaphore>,
    /// A place among those over exposed sockets.
    pub(super) exposed_permits: Arc<Semaphore>,
    /// Where exposed sockets are served; there are never more than the broker admits.
    pub(super) doors: mpsc::UnboundedSender<Door>,
}
