//! Where there are no Unix sockets: nothing is exposed.

use interprocess::local_socket::tokio::Listener;

use super::error::DoorError;
use crate::model::Exposure;

/// There is none.
pub(super) enum Place {}

pub(super) fn bind(exposure: &Exposure) -> Result<(Listener, Place), DoorError> {
    let path = exposure.path.display().to_string();
    Err(DoorError::Place { path, why: "this system has no Unix sockets for it".to_owned() })
}

impl Place {
    pub(in crate::server) fn leave(self) {
        match self {}
    }
}
