//! systemd's socket: `LISTEN_FDS` (`sd_listen_fds(3)`). Owns listenfd.

#[cfg(unix)]
pub(super) use std::os::unix::net::UnixListener as Activated;

/// There is no such thing here.
#[cfg(not(unix))]
#[derive(Debug)]
pub(super) enum Activated {}

/// How many sockets the service manager hands over to this process.
#[cfg(unix)]
pub(super) fn count() -> i32 {
    let number = |name| std::env::var(name).ok()?.parse::<i32>().ok();
    if is_for_us() { number("LISTEN_FDS").unwrap_or(0) } else { 0 }
}

/// listenfd takes a missing `LISTEN_PID` for ours; a variable that leaked in from elsewhere would then turn some file of ours into a
/// socket.
#[cfg(unix)]
fn is_for_us() -> bool {
    std::env::var("LISTEN_PID").ok().and_then(|pid| pid.parse().ok()) == Some(std::process::id())
}

/// Takes over the socket that the service manager listens on, if it started us for one.
///
/// Removes the variables. Must run before any other thread exists.
#[cfg(unix)]
pub(super) fn take() -> std::io::Result<Option<Activated>> {
    if !is_for_us() {
        return Ok(None);
    }
    let mut sockets = listenfd::ListenFd::from_env();
    match sockets.len() {
        0 => Ok(None),
        1 => sockets.take_unix_listener(0),
        _ => Err(std::io::Error::other("there is more than one")),
    }
}

/// There is no such thing here.
#[cfg(not(unix))]
pub(super) fn take() -> std::io::Result<Option<Activated>> {
    Ok(None)
}
