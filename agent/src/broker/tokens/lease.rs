//! The token for a scope: from the cache, or from a mint, our own or one that another question began.

use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::TOKEN_USERNAME;
use ghapp_protocol::error::WireError;
use ghapp_protocol::message::Lease;

use super::{Tokens, Wanted};
use crate::audit::Record;
use crate::broker::explain;
use crate::broker::record::{HIT, reach};
use crate::model::{App, Caller, RepositorySet, TokenScope};
use crate::token::{Reached, Role, TokenLease};

/// A token, and where it comes from.
pub(in crate::broker) struct Served {
    pub(in crate::broker) lease: TokenLease,
    source: &'static str,
}

impl Served {
    /// Puts into the record what is written down about it.
    pub(in crate::broker) fn note(&self, record: &mut Record) {
        let Self { lease, source } = self;
        (*source).clone_into(&mut record.outcome);
        record.program = lease.minted.program.as_deref().filter(|_| *source == MINT).map(str::to_owned);
        record.installation_id = Some(lease.scope.installation.0);
        record.repositories = Some(reach(lease));
        record.permissions = Some(lease.minted.token.permissions.to_string());
        record.lease = Some(lease.id);
        record.hashed_token = Some(lease.minted.token.hash);
    }

    /// What the client gets of it.
    pub(in crate::broker) fn to_lease(&self) -> Lease {
        let token = &self.lease.minted.token;
        Lease { username: TOKEN_USERNAME.to_owned(), token: token.secret.clone(), expires_at: token.expires_at }
    }
}

/// The outcome of a question that a mint of its own answered.
const MINT: &str = "mint";
/// The same for one that waited for the mint of another question.
const JOINED: &str = "joined";

impl Tokens {
    /// The token for what is wanted.
    pub(in crate::broker) async fn lease(
        self: &Arc<Self>,
        wanted: Wanted<'_>,
        caller: &Caller,
    ) -> Result<Served, WireError> {
        let app = wanted.app;
        let scope = wanted.scope();
        let now = self.shared.now();
        {
            let mut state = self.shared.state();
            state.admits(&wanted.claim(&scope, &Reached::AsAsked))?;
            if let Some((lease, is_due)) = state.live.serve(&scope, wanted.min_ttl, now) {
                if let Err(withheld) = state.admits(&wanted.claim(&scope, &lease.minted.reached)) {
                    state.live.retire(|it| it.id == lease.id, now);
                    return Err(withheld);
                }
                drop(state);
                if is_due {
                    self.refresh(wanted.mint(scope, true), caller);
                }
                return Ok(Served { lease, source: HIT });
            }
            if let Some(next) = state.live.rests_until(&scope, now) {
                return Err(explain::tokens_refused(app, next));
            }
            if let Some(error) = state.known.recent_refusal(&scope, now) {
                return Err(error);
            }
        }
        if let Some(since) = &wanted.installation.suspended_at {
            return Err(explain::suspended(app, &wanted.installation, since));
        }
        let (lease, role) = self.mint_once(wanted.mint(scope, false), caller).await?;
        self.hand_out(&wanted, lease, role)
    }

    /// What comes after the last await: the gate is asked in the critical section that hands the token out, for much may have happened.
    fn hand_out(&self, wanted: &Wanted<'_>, lease: TokenLease, role: Role) -> Result<Served, WireError> {
        let now = self.shared.now();
        let mut state = self.shared.state();
        state.admits(&wanted.claim(&lease.scope, &lease.minted.reached))?;
        // Each question that waited counts as a use. The token may have been erased meanwhile; it was minted for us all the same.
        let lease = state.live.use_again(&lease, now).unwrap_or(lease);
        Ok(Served { lease, source: if role == Role::Leader { MINT } else { JOINED } })
    }

    /// The token at hand that git would get for a scope.
    pub(in crate::broker) fn at_hand(&self, scope: &TokenScope, min_ttl: Duration) -> Option<TokenLease> {
        let now = self.shared.now();
        self.shared.state().live.peek(scope, min_ttl, now).cloned()
    }

    /// Refuses a scope that would get no token now, although GitHub, asked about one repository, found nothing wrong.
    pub(in crate::broker) fn would_mint(&self, app: &App, scope: &TokenScope) -> Result<(), WireError> {
        let now = self.shared.now();
        let mut state = self.shared.state();
        if let Some(next) = state.live.rests_until(scope, now) {
            return Err(explain::tokens_refused(app, next));
        }
        if matches!(scope.repositories, RepositorySet::One(_)) {
            // GitHub has just said otherwise.
            state.known.forget_refusal(scope);
        }
        // Of several repositories only one was asked about; another may be what was refused.
        state.known.recent_refusal(scope, now).map_or(Ok(()), Err)
    }
}
