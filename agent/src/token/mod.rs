//! Live tokens: one per scope, minted once, handed out until shortly before they die.

mod cache;
mod erase_backoff;
mod lease;
mod reached;
mod refresh;
mod repeated;
mod single_flight;

pub(crate) use cache::TokenCache;
pub(crate) use erase_backoff::EraseBackoff;
pub(crate) use lease::{Minted, Successor, TokenLease};
pub(crate) use reached::Reached;
pub use refresh::Refresh;
pub(crate) use single_flight::{Role, SingleFlight};
