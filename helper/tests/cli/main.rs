//! The real program, with a cleared environment, against a scripted agent: what git sees on the three streams.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod agent;
mod answers;
mod autostart;
mod corpus;
mod erase;
mod failures;
mod program;
mod requests;
mod streams;
