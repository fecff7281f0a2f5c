//! The kernel's keyrings, seen by a program that is not ours.

use std::process::Command;

use crate::process;
use crate::tools::{self, Tool, all_there};
use crate::{Desk, Sandbox};

/// The program that reads them.
const TOOLS: &[Tool] = &[Tool { program: "keyctl", package: "keyutils" }];

/// Whether the kernel keeps keys for us. In CI it always does.
///
/// # Panics
///
/// In CI when it does not, with the kernel's message: a container's filter for system calls often forbids it.
#[track_caller]
pub fn available() -> bool {
    if !all_there(TOOLS) {
        return false;
    }
    let probe = process::run(&mut in_new_session(&Sandbox::new(), "keyctl get_persistent @s"), b"");
    probe.status.success() || tools::not_run(&format!("the kernel keeps no keys here: {}", probe.stderr()))
}

/// A shell command in a session keyring of its own, empty like that of a new login.
pub fn in_new_session(sandbox: &Sandbox, script: &str) -> Command {
    let mut command = sandbox.command("keyctl");
    command.args(["session", "-", "sh", "-euc", script, "sh"]);
    command
}

/// What the kernel holds for the desk's App: the first bytes, or nothing.
pub fn stored(desk: &Desk) -> Option<String> {
    let script = r#"keyctl get_persistent @s >/dev/null; keyctl pipe "$(keyctl search @s user "$1")" | head -c 12"#;
    let mut command = in_new_session(desk, script);
    let found = process::run(command.arg(name(desk, desk.app.fingerprint())), b"");
    found.status.success().then(|| found.stdout()).filter(|begin| !begin.is_empty())
}

/// Takes the key of the desk's App away, as a reboot does.
pub fn forget(desk: &Desk) {
    forget_one(desk, desk.app.fingerprint());
}

/// Takes one key of the desk's App away.
pub fn forget_one(desk: &Desk, fingerprint: &str) {
    let script = r#"keyctl get_persistent @s >/dev/null; keyctl invalidate "$(keyctl search @s user "$1")""#;
    process::run(in_new_session(desk, script).arg(name(desk, fingerprint)), b"").ok();
}

fn name(desk: &Desk, fingerprint: &str) -> String {
    format!("ghapp:{}/{}/{fingerprint}", desk.github.host(), desk.app.app_id)
}
