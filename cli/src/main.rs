//! `ghapp`: the control program for people and scripts.

use std::process::ExitCode;

use ghapp_protocol::hardening;

fn main() -> ExitCode {
    hardening::harden_command(); // `login` holds a private key for a moment
    ghapp_cli::main()
}
