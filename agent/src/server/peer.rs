//! Checks the user at the other end: only the one that a socket is for, and root, are served.

use interprocess::local_socket::tokio::Stream;
use interprocess::local_socket::traits::StreamCommon;

use crate::model::Caller;

/// Why a connection is closed before anything is read from it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The system does not say which user it is. An error is ignorance, and ignorance is refused.
    #[error("the peer is unknown")]
    Unknown,
    /// Another user.
    #[cfg_attr(not(unix), expect(dead_code, reason = "the pipe's access list decides there"))]
    #[error("the peer has uid {0}")]
    Foreign(u32),
}

/// Checks the peer's user: the agent's own, or the one that an exposed socket is for. The process id is passed on only as a hint: it
/// may belong to another process by now.
pub(super) fn check(stream: &Stream, named: Option<u32>) -> Result<Caller, Refusal> {
    let peer = stream.peer_creds().map_err(|_| Refusal::Unknown)?;
    let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
    #[cfg(unix)]
    {
        let uid = peer.euid();
        admit(uid, named.unwrap_or_else(|| rustix::process::geteuid().as_raw()))?;
        Ok(Caller { uid, pid })
    }
    // On Windows the pipe's access list admits its owner only; there is no user id to look at.
    #[cfg(not(unix))]
    let _ = named;
    #[cfg(not(unix))]
    Ok(Caller { uid: None, pid })
}

/// Admits that one user, and root, which can read the agent's memory and become any user anyway.
#[cfg(unix)]
fn admit(peer: Option<u32>, one: u32) -> Result<(), Refusal> {
    match peer {
        None => Err(Refusal::Unknown),
        Some(uid) if uid == one || uid == 0 => Ok(()),
        Some(uid) => Err(Refusal::Foreign(uid)),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Refusal, admit};

    #[test]
    fn only_the_one_user_and_root_are_admitted() {
        assert_eq!(admit(Some(1000), 1000), Ok(()));
        assert_eq!(admit(Some(0), 1000), Ok(()));
        assert_eq!(admit(Some(1001), 1000), Err(Refusal::Foreign(1001)));
        assert_eq!(admit(Some(1000), 0), Err(Refusal::Foreign(1000)));
        assert_eq!(admit(None, 1000), Err(Refusal::Unknown));
    }
}
