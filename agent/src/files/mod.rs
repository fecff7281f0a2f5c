//! Files with a rule of their own: read within bounds, in a private directory, or a socket that only its maker removes.

pub(crate) mod private_directory;
pub mod regular_file;
#[cfg(unix)]
pub(crate) mod socket_file;
