//! Tokens for git, for people and for exposed sockets: which App may serve a remote, and what the token may do.

mod choose;
mod discover;
mod erase;
mod expose;
pub(crate) mod exposed;
mod get;
mod scope;
mod token;
mod which;

pub(crate) use erase::erase;
pub(in crate::broker) use expose::close_what_has_no_app;
pub(crate) use expose::{close_all_exposed, close_what_is_over, expose_socket, list_exposed, time_left, unexpose};
pub(crate) use get::get;
pub(crate) use token::token;
pub(crate) use which::which;
