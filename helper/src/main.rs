//! `git-credential-ghapp`: answers git's credential questions with what the agent knows.
//!
//! It runs inside every git command of its user, so it holds no key, uses no network, never prompts and never waits longer
//! than its deadline. [`run::run`] is the whole program as a function of its streams; here it is given the real ones.

#![cfg_attr(all(target_os = "linux", not(test)), no_main)]

mod agent;
mod answer;
mod arena;
#[cfg(all(target_os = "linux", not(test)))]
mod entry;
mod operation;
mod run;
mod streams;

use std::ffi::OsString;

use ghapp_protocol::client::Deadline;
use ghapp_protocol::hardening;

#[global_allocator]
static ARENA: arena::Arena = arena::Arena::new();

#[cfg(not(all(target_os = "linux", not(test))))]
fn main() -> std::process::ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    std::process::ExitCode::from(with_real_streams(&arguments))
}

/// The whole program with the real streams and the user's agent. Returns the exit code.
fn with_real_streams(arguments: &[OsString]) -> u8 {
    hardening::harden();
    let deadline = Deadline::after(run::TOTAL_TIMEOUT);
    let last_words = Deadline::after(run::TOTAL_TIMEOUT + run::LAST_WORDS);
    run::run(
        arguments,
        &mut streams::input(deadline),
        &mut streams::output(deadline),
        &mut streams::errors(last_words),
        &mut agent::LocalAgent::new(deadline),
    )
}
