//! The process that asked the agent.

/// The process at the other end of a connection. Its user was checked; everything else is a hint for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// Its user, where the system says.
    pub uid: Option<u32>,
    /// Its process id when it connected; it may have exited since, and the id may belong to another process now.
    pub pid: Option<u32>,
}
