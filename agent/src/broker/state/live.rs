//! The tokens that are alive, and the scopes whose tokens a server refused lately.

use std::collections::BTreeMap;
use std::iter;
use std::time::Duration;

use ghapp_protocol::message::{Erase, LeaseId};

use crate::clock::Moment;
use crate::model::{ExposureId, TokenScope};
use crate::token::{EraseBackoff, Minted, TokenCache, TokenLease};

/// The tokens that are alive.
#[derive(Default)]
pub(in crate::broker) struct Live {
    tokens: TokenCache,
    /// Scopes whose tokens a server refused lately.
    backoff: EraseBackoff,
}

impl Live {
    /// Uses the token of a scope if it lives long enough; tells also whether it is time to replace it.
    pub(in crate::broker) fn serve(
        &mut self,
        scope: &TokenScope,
        min_ttl: Duration,
        now: Moment,
    ) -> Option<(TokenLease, bool)> {
        let lease = self.tokens.use_token(scope, min_ttl, now)?.clone();
        let is_due = self.tokens.refresh_is_due(lease.id, now);
        Some((lease, is_due))
    }

    /// Counts one more use of a token that was just minted, if it is still the one of its scope.
    pub(in crate::broker) fn use_again(&mut self, lease: &TokenLease, now: Moment) -> Option<TokenLease> {
        let used = self.tokens.use_token(&lease.scope, Duration::ZERO, now)?;
        (used.id == lease.id).then(|| used.clone())
    }

    /// The token of a scope if it lives long enough, without using it.
    pub(in crate::broker) fn peek(&self, scope: &TokenScope, min_ttl: Duration, now: Moment) -> Option<&TokenLease> {
        self.tokens.peek(scope, min_ttl, now)
    }

    /// Whether a token is the one of its scope.
    pub(in crate::broker) fn is_serving(&self, id: LeaseId) -> bool {
        self.tokens.is_serving(id)
    }

    /// Keeps a fresh token, in the place of the one before.
    pub(in crate::broker) fn keep(&mut self, scope: TokenScope, minted: Minted) -> TokenLease {
        self.tokens.put(scope, minted).clone()
    }

    /// Plans to replace a token before it expires. Returns whether its turn comes before all others.
    pub(in crate::broker) fn plan_renewal(&mut self, id: LeaseId) -> bool {
        self.tokens.plan_renewal(id)
    }

    /// What `of` takes from each token that is to be replaced now, and how long it is until the next one is.
    pub(in crate::broker) fn renewals<T>(
        &mut self,
        now: Moment,
        of: impl Fn(&TokenLease) -> T,
    ) -> (Vec<T>, Option<Duration>) {
        let due = iter::from_fn(|| self.tokens.take_renewal(now).map(&of)).collect();
        (due, self.tokens.next_renewal(now))
    }

    /// Drops the token that a server refused; with an exposed socket, only a token given out over it.
    pub(in crate::broker) fn erase(
        &mut self,
        erase: &Erase,
        exposure: Option<&ExposureId>,
        now: Moment,
    ) -> Option<TokenLease> {
        let dropped = self.tokens.erase(&erase.host, &erase.hashed_token, exposure)?;
        self.backoff.refused(&dropped.scope, now);
        Some(dropped)
    }

    /// When a scope whose tokens were refused gets the next one, in seconds since 1970; `None` if it need not wait.
    pub(in crate::broker) fn rests_until(&self, scope: &TokenScope, now: Moment) -> Option<i64> {
        let left = self.backoff.left(scope, now)?;
        Some(now.wall.saturating_add(i64::try_from(left.as_secs() + 1).unwrap_or(i64::MAX)))
    }

    /// Keeps tokens listed, but no longer hands them out or replaces them. Returns them.
    pub(in crate::broker) fn retire(
        &mut self,
        which: impl Fn(&TokenLease) -> bool,
        now: Moment,
    ) -> BTreeMap<LeaseId, TokenLease> {
        let ids: Vec<_> = self.tokens.live(now).filter(|lease| which(lease)).map(|lease| lease.id).collect();
        ids.into_iter().filter_map(|id| Some((id, self.tokens.retire(id)?.clone()))).collect()
    }

    /// Keeps tokens from being handed out or replaced, unless they are still given.
    pub(super) fn retire_unless(&mut self, is_given: impl Fn(&TokenLease) -> bool) {
        let ids: Vec<_> = self.tokens.all().filter(|lease| !is_given(lease)).map(|lease| lease.id).collect();
        for id in ids {
            self.tokens.retire(id);
        }
    }

    /// Forgets a token.
    pub(in crate::broker) fn forget(&mut self, id: LeaseId) {
        self.tokens.remove(id);
    }

    pub(super) fn forget_all(&mut self) {
        self.tokens.clear();
    }

    /// The tokens that are alive, in the order of their ids.
    pub(in crate::broker) fn all(&self, now: Moment) -> impl Iterator<Item = &TokenLease> {
        self.tokens.live(now)
    }

    /// How many tokens have been minted.
    pub(in crate::broker) fn minted(&self) -> u64 {
        self.tokens.count()
    }
}
