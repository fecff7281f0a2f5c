//! The life of a token: leased from the cache or minted, narrow, proved at the git server, replaced before it expires, revoked.

mod fresh;
mod installations;
mod lease;
mod metadata_token;
mod mint;
mod narrow;
mod prove;
mod refresh;
mod revoke;
mod wanted;

pub(in crate::broker) use lease::Served;
pub(in crate::broker) use revoke::REVOKE_LIMIT;
pub(in crate::broker) use wanted::Wanted;

use std::sync::Arc;

use ghapp_protocol::error::WireError;
use ghapp_protocol::frame;
use ghapp_protocol::message::{Erase, LeaseId};
use ghapp_protocol::remote::Owner;
use ghapp_protocol::token_hash::TokenHash;
use serde::Serialize;
use tokio::sync::Notify;

use super::app_api::AppApi;
use super::shared::Shared;
use crate::clock::Moment;
use crate::model::{AppName, ExposureId, Installation};
use crate::token::{SingleFlight, TokenLease};
use wanted::MintKey;

/// The tokens of all Apps.
pub(in crate::broker) struct Tokens {
    shared: Arc<Shared>,
    app_api: Arc<AppApi>,
    lookups: SingleFlight<(AppName, Owner), Result<Option<Installation>, WireError>>,
    mints: SingleFlight<MintKey, Result<TokenLease, WireError>>,
    /// Fresh tokens that no client may have, and that are being revoked.
    killings: SingleFlight<TokenHash, ()>,
    /// Told when a token is to be replaced before all others that wait.
    renewal_comes_first: Notify,
}

impl Tokens {
    pub(in crate::broker) fn new(shared: Arc<Shared>, app_api: Arc<AppApi>) -> Self {
        let renewal_comes_first = Notify::new();
        let (lookups, mints, killings) = (SingleFlight::default(), SingleFlight::default(), SingleFlight::default());
        Self { shared, app_api, lookups, mints, killings, renewal_comes_first }
    }

    /// Plans to replace a token in time, if it is in use by then.
    fn refresh_in_time(&self, id: LeaseId) {
        let comes_first = self.shared.state().live.plan_renewal(id);
        if comes_first {
            self.renewal_comes_first.notify_one();
        }
    }

    /// Drops the token that a server refused, and remembers the refusal; with an exposed socket, only a token given out over it.
    pub(in crate::broker) fn erase(
        &self,
        erase: &Erase,
        exposure: Option<&ExposureId>,
        now: Moment,
    ) -> Option<TokenLease> {
        self.shared.state().live.erase(erase, exposure, now)
    }

    /// The tokens that are alive, behind a lease and in the order of their ids: what `of` tells of as many as fit into an answer, and
    /// whether there are more.
    pub(in crate::broker) fn page<T: Serialize>(
        &self,
        after: Option<LeaseId>,
        of: impl Fn(&TokenLease) -> T,
    ) -> (Vec<T>, bool) {
        let now = self.shared.now();
        let state = self.shared.state();
        let behind = state.live.all(now).filter(|lease| after.is_none_or(|after| lease.id > after));
        frame::page(behind.map(of))
    }

    /// How many tokens of some kind are alive.
    pub(in crate::broker) fn count(&self, which: impl Fn(&TokenLease) -> bool) -> usize {
        let now = self.shared.now();
        self.shared.state().live.all(now).filter(|lease| which(lease)).count()
    }

    /// How many tokens have been minted.
    pub(in crate::broker) fn minted(&self) -> u64 {
        self.shared.state().live.minted()
    }

    /// Waits until no mint is under way, and no token of one is being revoked.
    pub(in crate::broker) async fn landed(&self) {
        self.mints.landed().await;
        self.killings.landed().await;
    }
}
