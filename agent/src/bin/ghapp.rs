//! `ghapp`: the control program for people and scripts.

use std::process::ExitCode;

fn main() -> ExitCode {
    ghapp_agent::cli::main()
}
