//! What the agent tells about itself, its Apps and what they reach.

pub(in crate::broker) mod examine;
pub(in crate::broker) mod identity;
pub(in crate::broker) mod repositories;
pub(in crate::broker) mod status;
