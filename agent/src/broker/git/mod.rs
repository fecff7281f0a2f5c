//! Tokens for git, and for whoever else asks for one: which App may serve a remote, and what the token may do.

pub(in crate::broker) mod discover;
pub(in crate::broker) mod expose;
pub(in crate::broker) mod exposed;
pub(in crate::broker) mod scope;
pub(in crate::broker) mod serve;
pub(in crate::broker) mod which;
