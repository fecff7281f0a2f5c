//! The life of a token: minted, proved, replaced, killed.

pub(in crate::broker) mod metadata_token;
pub(in crate::broker) mod mint;
pub(in crate::broker) mod narrow;
pub(in crate::broker) mod refresh;
pub(in crate::broker) mod revoke;
