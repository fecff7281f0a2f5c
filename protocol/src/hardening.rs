//! Closes doors to the memory of our programs: the agent holds keys and tokens, the others hold one for a moment.
//!
//! Not a perfect protection: root, and a debugger that was there first, are not stopped.

/// Makes this process hard to read for other processes of the same user: no core dump, no ptrace, no `/proc/PID/mem`.
///
/// Must be called again after every `execve`, which resets it; so each program calls it first of all.
#[cfg(target_os = "linux")]
pub fn harden() {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    no_core_dumps();
    // Refused only by kernels that do not know it; the agent works all the same.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Makes this process write no core dump.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn harden() {
    no_core_dumps();
}

/// The system protects processes of other users; there is nothing more to ask for without unsafe code.
#[cfg(not(unix))]
pub fn harden() {}

#[cfg(unix)]
fn no_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // Lowering a limit is always allowed.
    let _ = setrlimit(Resource::Core, none);
}
