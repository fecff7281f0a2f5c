//! What the agent knows of processes: its own memory, and the ancestors of the process that asks.

pub(crate) mod ancestry;
pub(crate) mod memory;
