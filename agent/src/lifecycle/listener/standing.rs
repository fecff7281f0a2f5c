//! What became of the place where an agent listens.

/// What became of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(unix), expect(dead_code, reason = "a pipe is no file that somebody could remove"))]
pub(in super::super) enum Standing {
    /// Clients find us there.
    Ours,
    /// The socket was removed, or something else was put there. We hold the lock, so it was not another agent.
    Unmarked,
    /// The lock's file is gone as well, with the whole directory, at logout for example; or a service manager listens there now.
    Lost,
}
