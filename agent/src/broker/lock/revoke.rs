//! Revoking tokens: those that a client names, or all of them when the agent stops.

use std::sync::Arc;

use ghapp_protocol::message::{LeaseId, Reply, Revoke, Revoked};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::broker::Broker;
use crate::broker::tokens::REVOKE_LIMIT;
use crate::model::Caller;
use crate::token::TokenLease;

/// Revokes tokens at GitHub.
pub(crate) async fn revoke(broker: &Broker, revoke: Revoke, caller: &Caller) -> Reply {
    let mut entry = broker.shared.entry("revoke", caller);
    let asked = |lease: &TokenLease| revoke.all || revoke.leases.contains(&lease.id);
    let config = broker.shared.current_config();
    let mut outcome = broker.tokens.revoke_where(&config, asked, Instant::now() + REVOKE_LIMIT, caller).await;
    let known = |id: &LeaseId| outcome.revoked.contains(id) || outcome.failed.iter().any(|(failed, _)| failed == id);
    outcome.unknown = revoke.leases.iter().filter(|id| !known(id)).copied().collect();
    if outcome.revoked.is_empty() && outcome.failed.is_empty() {
        // Each token that is revoked has a line of its own; if there was none, that is worth a line, too.
        "nothing".clone_into(&mut entry.record.outcome);
        broker.shared.write(entry);
    }
    Reply::Revoked(outcome.fitted())
}

/// Revokes every token at GitHub, for an agent that stops. From now on none is handed out. Mints that are under way are waited for,
/// so that their tokens are revoked, too.
pub(crate) async fn revoke_all(broker: &Broker, caller: &Caller) -> Revoked {
    let deadline = Instant::now() + REVOKE_LIMIT;
    let config = {
        let mut state = broker.shared.state();
        state.locking.end();
        Arc::clone(state.config.current())
    };
    if timeout_at(deadline, broker.landed()).await.is_err() {
        warn!("a mint is still under way; its token dies with its hour");
    }
    broker.tokens.revoke_where(&config, |_| true, deadline, caller).await
}
