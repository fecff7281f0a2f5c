//! Live tokens: one per scope, minted once, handed out until shortly before they die.

mod cache;
mod cooling;
mod flight;
mod lease;
mod refresh;
mod repeated;

pub(crate) use cache::TokenCache;
pub(crate) use cooling::Cooling;
pub(crate) use flight::{Flights, Role};
pub(crate) use lease::{Minted, Successor, TokenLease};
pub use refresh::Refresh;
