//! Commands that show what is there and what happened, and change nothing.

pub(crate) mod apps;
pub(crate) mod leases;
pub(crate) mod logs;
pub(crate) mod repos;
pub(crate) mod status;
pub(crate) mod which;
