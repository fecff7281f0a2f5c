//! Why a socket cannot be exposed, and what its user can do about it.

use std::io;

use ghapp_protocol::error::{ErrorCode, WireError};

/// Why a socket cannot be exposed at a place.
#[derive(Debug, thiserror::Error)]
pub(super) enum DoorError {
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
    /// The system refuses.
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
