//! `ghapp token`, `ghapp exec` and `ghapp revoke`: tokens for a person, a script or a command.

pub(crate) mod exec;
mod renewal;
pub(crate) mod repository_argument;
pub(crate) mod revoke;
pub(crate) mod token;
