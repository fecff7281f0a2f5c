//! What the agent remembers.

pub(in crate::broker) mod exposures;
