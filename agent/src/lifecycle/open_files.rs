//! Which files an agent has open: none of its starter's, and as many as its clients need.
//!
//! A process inherits whatever its starter has not marked, by number: the pipes of `make -j`, the copies that a shell has of its
//! output. An agent lives longer than they may, and who reads such a pipe waits for its end.

// The standard library closes what it knows; what a process inherits has no owner in it.
#![cfg_attr(unix, expect(unsafe_code, reason = "a file that is known by its number only"))]

/// Files that the agent may have open, as far as the system lets it: each client that waits is one.
#[cfg(unix)]
const WANTED: u64 = 4096;

/// Closes every file above standard error that this process did not open, but the sockets that a service manager hands over to it.
///
/// Must be called before this process opens any file and starts any thread.
#[cfg(unix)]
pub fn close_inherited() {
    use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
    let handed_over = super::activation::count();
    for number in open_numbers() {
        if number < FIRST || number - FIRST < handed_over {
            continue;
        }
        // SAFETY: the number is used for one question, which the kernel refuses when nothing is open under it.
        let is_open = rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) }).is_ok();
        if is_open {
            // SAFETY: it is open, and as long as this process has opened nothing, nothing in it owns a file above standard error.
            drop(unsafe { OwnedFd::from_raw_fd(number) });
        }
    }
}

/// What is inherited is marked there.
#[cfg(not(unix))]
pub fn close_inherited() {}

/// The first number above standard error; there a service manager's sockets begin (`sd_listen_fds(3)`).
#[cfg(unix)]
const FIRST: i32 = 3;

/// The numbers of all open files. The list itself is one, and closed by then.
#[cfg(unix)]
fn open_numbers() -> Vec<i32> {
    match std::fs::read_dir("/dev/fd") {
        Ok(entries) => entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect(),
        // Without that directory: those that a shell or `make` would use.
        Err(_) => (FIRST..1024).collect(),
    }
}

/// Lets the agent open as many files as it may need, where the system allows it.
#[cfg(unix)]
pub(super) fn allow_enough() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(WANTED, |most| most.min(WANTED));
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        // With fewer, clients wait in the socket's queue.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// There is no such limit.
#[cfg(not(unix))]
pub(super) fn allow_enough() {}
