//! Builds the programs that are shown to people: `cargo run` builds only the one it runs.

use std::path::Path;
use std::process::Command;

/// Builds git-credential-ghapp, ghapp-agent and ghapp, and returns whether that worked; cargo says why not.
pub fn programs() -> bool {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--locked", "-p", "git-credential-ghapp", "-p", "ghapp-agent", "-p", "ghapp"]);
    command.arg("--manifest-path").arg(manifest);
    if !cfg!(debug_assertions) {
        command.arg("--release"); // beside the calling program, which looks for them there
    }
    command.status().is_ok_and(|status| status.success())
}
