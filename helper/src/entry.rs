//! Where the C library calls the helper on Linux: what the standard library does before `main`, as far as it protects somebody.
//!
//! The rest of it maps a second stack, to say more about a stack overflow than that the program died of it, and with glibc reads
//! `/proc/self/maps` for that. It is a twentieth of what git waits for us.

// One of the two places of the helper with unsafe code: what C hands over.
#![expect(unsafe_code, reason = "C calls it, with pointers, and a signal has no safe name")]

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::fd::IntoRawFd;
use std::os::unix::ffi::OsStrExt;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

/// What C calls.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    open_closed_streams();
    // Whoever stops reading what we write is an error of that write (rule 29) and not the end of the program.
    // SAFETY: it may be called at any time, and runs nothing of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    let argument = |at| {
        // SAFETY: there are so many strings, which end with a zero and live as long as the program (C11 5.1.2.2.1).
        let text = unsafe { CStr::from_ptr(*arguments.add(at)) };
        OsStr::from_bytes(text.to_bytes()).to_owned()
    };
    let arguments: Vec<OsString> = (1..usize::try_from(count).unwrap_or_default()).map(argument).collect();
    c_int::from(crate::with_real_streams(&arguments))
}

/// Opens the standard streams that are closed. The first file that we opened would take the number of one, and what we say would
/// be written to the agent, or what the agent says be read as git's request.
fn open_closed_streams() {
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let mut events = streams.each_ref().map(|stream| PollFd::new(stream, PollFlags::empty()));
    if poll(&mut events, Some(&Timespec::default())) == Ok(0) {
        return;
    }
    for event in events {
        // In this order each takes the lowest number, which is its own.
        if event.revents().contains(PollFlags::NVAL) {
            match rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()) {
                Ok(null) => drop(null.into_raw_fd()),
                Err(_) => std::process::abort(),
            }
        }
    }
}
