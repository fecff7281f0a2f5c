//! Why a key store did not do what it was asked.

/// Why a key store did not do what it was asked. Four states that need four different remedies, and some that are rare.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// There is no session bus, so no keyring can be reached.
    #[error("no D-Bus session bus")]
    NoBus,
    /// There is no such store here.
    #[error("the store is missing: {0}")]
    Missing(String),
    /// It is locked and was not unlocked.
    #[error("the store is locked")]
    Locked,
    /// It is open and has no such key.
    #[error("the store has no such key")]
    NoEntry,
    /// It did not answer in time.
    #[error("the store did not answer in time")]
    Silent,
    /// It answered with a refusal or with something that is no key of ours.
    #[error("the store refused: {0}")]
    Refused(String),
    /// It needs a passphrase to keep a key.
    #[error("a passphrase is needed")]
    NoPassphrase,
    /// It was given a wrong passphrase.
    #[error("that is not its passphrase")]
    WrongPassphrase,
}
