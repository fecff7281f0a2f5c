//! `git-credential-ghapp`: answers git's credential questions with what the agent knows.
//!
//! It runs inside every git command of its user, so it holds no key, uses no network, never prompts and never waits longer
//! than its deadline. [`run`] is the whole program as a function of its streams; here it is given the real ones.

mod agent;
mod answer;
mod operation;
mod run;
mod streams;

use std::process::ExitCode;

use ghapp_protocol::client::Deadline;
use ghapp_protocol::hardening;

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
