//! Live tokens: one per scope, minted once, handed out until shortly before they die.

mod cache;
mod cooling;
mod flight;
mod lease;
mod refresh;
mod repeated;

pub use cache::TokenCache;
pub use cooling::Cooling;
pub use flight::{Flights, Role};
pub use lease::{Minted, Successor, TokenLease};
pub use refresh::Refresh;
