//! `git-credential-ghapp`: answers git's credential questions with what the agent knows.
//!
//! It runs inside every git command of its user, so it holds no key, uses no network, never prompts and never waits longer
//! than its deadline. [`run::run`] is the whole program as a function of its streams; here it is given the real ones.

mod agent;
mod answer;
mod arena;
mod operation;
mod run;
mod streams;

use std::process::ExitCode;

use ghapp_protocol::client::Deadline;
use ghapp_protocol::hardening;

#[global_allocator]
static ARENA: arena::Arena = arena::Arena::new();

/// On Unix the standard library runs first, and two things that it does matter here:
/// * A standard stream that was closed is `/dev/null` ("guaranteed to be open during main", says its documentation). Otherwise the
///   connection to the agent could get that stream's number, and be written to as standard error or read as git's request.
/// * SIGPIPE is ignored, so that a reader that has gone is an error of that write (rule 29) and does not kill the program.
///
/// `tests/cli/streams.rs` closes streams and breaks pipes.
fn main() -> ExitCode {
    hardening::harden();
    let deadline = Deadline::after(run::TOTAL_TIMEOUT);
    let last_words = Deadline::after(run::TOTAL_TIMEOUT + run::LAST_WORDS);
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    ExitCode::from(run::run(
        &arguments,
        &mut streams::input(deadline),
        &mut streams::output(deadline),
        &mut streams::errors(last_words),
        &mut agent::LocalAgent::new(deadline),
    ))
}
