//! A named pipe that only its owner may open, and never over the network.

use std::fs::File;
use std::io;
use std::mem;

use ghapp_protocol::endpoint::Endpoint;
use interprocess::local_socket::tokio::Listener;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::windows::local_socket::ListenerOptionsExt;
use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use widestring::u16cstr;

use super::super::activation::Activated;
use super::super::error::StartupError;
use super::standing::Standing;

/// The pipe. It disappears with the process.
pub(in super::super) struct Place {
    /// Held until the process is gone.
    lock: File,
}

pub(super) fn bind(
    endpoint: &Endpoint,
    activated: Option<Activated>,
    lock: File,
) -> Result<(Listener, Place), StartupError> {
    if let Some(activated) = activated {
        match activated {}
    }
    let create = || -> io::Result<_> {
        let name = endpoint.path().to_fs_name::<GenericFilePath>()?;
        // Deny the network, allow the owner, inherit nothing. The default would let everyone read.
        let owner_only = SecurityDescriptor::deserialize(u16cstr!("D:P(D;;GA;;;NU)(A;;GA;;;OW)"))?;
        ListenerOptions::new().name(name).security_descriptor(owner_only).create_tokio()
    };
    let listener = create().map_err(|source| StartupError::Listen { endpoint: endpoint.clone(), source })?;
    Ok((listener, Place { lock }))
}

/// Whether an agent listens there.
pub(super) fn is_listening(endpoint: &Endpoint) -> bool {
    File::options().read(true).write(true).open(endpoint.path()).is_ok()
}

impl Place {
    /// A pipe is visible as soon as it exists.
    pub(in super::super) fn publish(self) -> io::Result<Self> {
        Ok(self)
    }

    /// No other process can take a pipe's name while the pipe exists.
    pub(in super::super) fn standing(&self) -> Standing {
        Standing::Ours
    }

    /// Never needed here.
    pub(in super::super) fn mark_again(&mut self) -> io::Result<Listener> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The pipe goes with the listener, and the lock with the process: until then this is an agent, and its successor waits.
    pub(in super::super) fn leave(self) {
        mem::forget(self.lock);
    }
}
