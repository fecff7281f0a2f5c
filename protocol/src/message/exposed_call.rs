//! What may be said over an exposed socket.

use super::{Call, Erase, Get};

/// What a client of an exposed socket may want. There is nothing else, so nothing else can be answered.
#[derive(Debug, PartialEq, Eq)]
pub enum ExposedCall {
    /// A token for git.
    Get(Get),
    /// git met a 401 with this token.
    Erase(Erase),
}

impl ExposedCall {
    /// The call, if it is allowed over an exposed socket. Every call is named here, so that a new one does not compile until it
    /// is decided here; the answer is no.
    pub fn of(call: Call) -> Option<Self> {
        match call {
            Call::Get(get) => Some(Self::Get(get)),
            Call::Erase(erase) => Some(Self::Erase(erase)),
            Call::Status {}
            | Call::Stop(_)
            | Call::Reload {}
            | Call::Login(_)
            | Call::CreateApp(_)
            | Call::Logout(_)
            | Call::Token(_)
            | Call::Which(_)
            | Call::Leases { .. }
            | Call::Revoke(_)
            | Call::Installations(_)
            | Call::Repositories(_)
            | Call::Identity(_)
            | Call::Lock(_)
            | Call::Unlock(_)
            | Call::Examine(_)
            | Call::Expose(_)
            | Call::Unexpose(_)
            | Call::Exposed { .. }
            | Call::Keys(_)
            | Call::AddKey(_)
            | Call::RemoveKey(_)
            | Call::Unknown => None,
        }
    }
}
