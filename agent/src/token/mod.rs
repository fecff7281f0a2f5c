//! Live tokens: one per scope, minted once, handed out until shortly before they die.

mod cache;
mod erase_backoff;
mod flight;
mod lease;
mod refresh;
mod repeated;

pub(crate) use cache::TokenCache;
pub(crate) use erase_backoff::EraseBackoff;
pub(crate) use flight::{Flights, Role};
pub(crate) use lease::{Minted, Successor, TokenLease};
pub use refresh::Refresh;
