//! What is remembered of failures, so that they are not repeated: keys that failed, GitHub's limits, wrong passphrases.

mod failed_keys;
mod github_limits;
mod passphrase_attempts;

pub(crate) use failed_keys::{FailedKeys, Failure};
pub(crate) use github_limits::{Breakers, pause_after};
pub(crate) use passphrase_attempts::PassphraseAttempts;
