//! Dropping a token that a server refused: exactly that one.

use ghapp_protocol::message::{Erase, Reply};

use crate::broker::Broker;
use crate::broker::record::Entry;
use crate::model::{Caller, ExposureId};

/// Drops exactly the token that a server refused. It is not revoked at GitHub: other git commands may be using it.
pub(crate) fn erase(broker: &Broker, erase: &Erase, caller: &Caller) -> Reply {
    drop_token(broker, erase, None, broker.shared.entry("erase", caller))
}

/// Drops a token. A client of an exposed socket may drop only what was given out over that socket.
pub(super) fn drop_token(broker: &Broker, erase: &Erase, exposure: Option<&ExposureId>, mut entry: Entry) -> Reply {
    entry.record.host = Some(erase.host.to_string());
    let dropped = broker.tokens.erase(erase, exposure, entry.started());
    // git also sends passwords of other helpers; their hashes stay out of the log.
    entry.record.hashed_token = dropped.as_ref().map(|lease| lease.minted.token.hash);
    entry.record.lease = dropped.as_ref().map(|lease| lease.id);
    let reply = Reply::Erased { dropped: dropped.is_some() };
    broker.shared.finish(entry, &reply);
    reply
}
