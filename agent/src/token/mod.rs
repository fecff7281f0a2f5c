//! Live tokens: one per scope, minted once, handed out until shortly before they die.

mod cache;
mod flight;

pub use cache::{Minted, TokenCache, TokenLease};
pub use flight::{Flights, Role};
