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

/// The same for a program that may become another one, which is not to inherit it: see [`release_command`].
pub fn harden_command() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = CORE_BEFORE.get_or_init(|| getrlimit(Resource::Core));
        // A hard limit cannot be raised again, so it stays.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: before.maximum });
    }
    #[cfg(target_os = "linux")]
    // Refused only by kernels that do not know it.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Gives back what [`harden_command`] took and a command would inherit. `execve` does the rest.
pub fn release_command() {
    #[cfg(unix)]
    if let Some(before) = CORE_BEFORE.get() {
        // It is not beyond the hard limit.
        let _ = rustix::process::setrlimit(rustix::process::Resource::Core, *before);
    }
}

/// What the limit for core dumps was.
#[cfg(unix)]
static CORE_BEFORE: std::sync::OnceLock<rustix::process::Rlimit> = std::sync::OnceLock::new();

#[cfg(unix)]
fn no_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // Lowering a limit is always allowed.
    let _ = setrlimit(Resource::Core, none);
}
