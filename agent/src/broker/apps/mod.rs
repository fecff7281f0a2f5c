//! Which Apps there are, and their keys: added, replaced, removed.

pub(in crate::broker) mod add_key;
pub(in crate::broker) mod create;
pub(in crate::broker) mod keys;
pub(in crate::broker) mod login;
pub(in crate::broker) mod logout;
