//! Measures helper and agent within one run: against what they replace, against the least possible, and against the budgets.
//!
//! `cargo run --release --locked -p ghapp-bench`. Everything happens on this machine, with the simulator for GitHub. It measures on
//! Linux only: what a process occupies is read from `/proc`, and the least possible is a C program with its system calls.

#[cfg(target_os = "linux")]
mod measuring;

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    measuring::main()
}

#[cfg(not(target_os = "linux"))]
#[expect(clippy::print_stderr, reason = "a command line program")]
fn main() -> std::process::ExitCode {
    eprintln!("ghapp-bench measures on Linux only");
    std::process::ExitCode::from(2)
}
