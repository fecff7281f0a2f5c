//! Letting go of tokens and keys, and the way back: lock, unlock, revoke, and the stop of the agent.

mod close;
mod revoke;
mod unlock;

#[cfg(target_os = "linux")]
pub(crate) use close::lock_with_screen;
pub(crate) use close::{lock, lock_at_once};
pub(crate) use revoke::{revoke, revoke_all};
pub(crate) use unlock::unlock;
pub(in crate::broker) use unlock::{note_passphrase, passphrases_closed_until};
