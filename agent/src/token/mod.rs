//! Live tokens: one per scope, minted once, handed out until shortly before they die.

mod cache;
mod cooling;
mod flight;
mod refresh;

pub use cache::{Minted, TokenCache, TokenLease};
pub use cooling::Cooling;
pub use flight::{Flights, Role};
pub use refresh::{Refresh, RefreshTimer};
