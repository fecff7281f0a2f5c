//! `git-credential-ghapp`: answers git's credential questions with what the agent knows.
//!
//! It runs inside every git command of its user, so it holds no key, uses no network, never prompts and never waits longer
//! than its deadline. [`run`] is the whole program as a function of its streams; here it is given the real ones.

mod agent;
mod answer;
mod operation;
mod run;
mod stdin;
mod trace;

use std::io;
use std::process::ExitCode;

use ghapp_protocol::client::Deadline;
use ghapp_protocol::hardening;

fn main() -> ExitCode {
    hardening::harden();
    let deadline = Deadline::after(run::TOTAL_TIMEOUT);
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    ExitCode::from(run::run(
        &arguments,
        &mut stdin::within(deadline),
        &mut io::stdout().lock(),
        &mut io::stderr().lock(),
        &mut agent::LocalAgent::new(deadline),
    ))
}
