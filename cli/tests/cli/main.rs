//! The real `ghapp` program, against an agent that follows a script and against real git.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod agent;
mod config;
mod doctor;
mod errors;
#[allow(unreachable_pub, reason = "it is public at home")]
#[path = "../../../tests/support/eventually.rs"] // a dependency would build the whole simulator for it
mod eventually;
mod help;
mod key;
mod listings;
mod lock;
mod login;
mod setup_git;
mod support;
mod token;
mod trace;
mod which;
