//! How long a client waits, in all and for a connection.

use std::time::{Duration, Instant};

/// How long a connection may take. An agent that is there accepts in microseconds; this only bounds a burst that fills its
/// backlog, or an agent that was stopped.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(250);

/// A point in time after which a client waits no longer.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// That long from now.
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now() + duration)
    }

    /// The earlier of this one and that long from now.
    #[must_use]
    pub fn at_most(self, duration: Duration) -> Self {
        Self(self.0.min(Instant::now() + duration))
    }

    /// How long is left; `None` when it has passed.
    pub fn left(self) -> Option<Duration> {
        self.0.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}
