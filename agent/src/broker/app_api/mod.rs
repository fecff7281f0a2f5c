//! GitHub's API as the App: each call with the key that signs, the JWT at hand, the right clock, and patience.

mod call;
mod introduce;
mod keys;
mod signing;

pub(in crate::broker) use call::{Pending, chance, pending};
pub(in crate::broker) use keys::{ProvedKeys, Stored};
pub(in crate::broker) use signing::is_absence;

use std::sync::Arc;

use ghapp_protocol::error::WireError;
use tokio::sync::Semaphore;

use super::shared::Shared;
use super::state::KeyOf;
use crate::model::AppJwt;
use crate::token::SingleFlight;

/// GitHub's API as the App.
pub(in crate::broker) struct AppApi {
    shared: Arc<Shared>,
    jwts: SingleFlight<KeyOf, Result<AppJwt, WireError>>,
    /// Calls that may be under way.
    calls: Semaphore,
}

/// Calls as an App that are under way at once. More questions than that may wait for an answer; GitHub admits a hundred calls.
const MAX_CALLS: usize = 64;

impl AppApi {
    pub(in crate::broker) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, jwts: SingleFlight::default(), calls: Semaphore::new(MAX_CALLS) }
    }
}
