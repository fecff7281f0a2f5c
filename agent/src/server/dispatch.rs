//! A wire message becomes a call of the broker, and what it says a wire message.

use std::future::Future;
use std::time::Duration;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Call, Reply, Request};
use ghapp_protocol::{BUILD_VERSION, WIRE_VERSION};
use tokio::time::timeout;

use super::Service;
use crate::model::Caller;

/// How long git's questions may take: less than the helper's 20 s, so that a slow answer still becomes a clear one.
const GIT_DEADLINE: Duration = Duration::from_secs(18);
/// How long people's questions may take: a login has two calls to GitHub and up to three to a keyring that may prompt.
const PERSON_DEADLINE: Duration = Duration::from_secs(55);

/// Answers one request.
pub(super) async fn answer(request: Request, caller: &Caller, service: &Service) -> Reply {
    let Service { broker, listening, .. } = service;
    let Request { v, call, .. } = request;
    match call {
        // Frozen since version 1: understood whatever version the client speaks.
        Call::Get(get) => within(GIT_DEADLINE, broker.get(get, caller)).await,
        Call::Erase(erase) => broker.erase(&erase, caller),
        Call::Status {} => within(GIT_DEADLINE, broker.status(listening)).await,
        Call::Stop(stop) => {
            let revoke = stop.revoke || broker.revokes_on_stop();
            let revoked = if revoke { broker.revoke_all().await } else { 0 };
            Reply::Stopping { revoked }
        }
        _ if v != WIRE_VERSION => Reply::Error(other_version()),
        Call::Reload {} => broker.reload(),
        Call::Login(login) => within(PERSON_DEADLINE, broker.login(*login, caller)).await,
        Call::Logout(logout) => within(PERSON_DEADLINE, broker.logout(logout, caller)).await,
        Call::Token(call) => within(GIT_DEADLINE, broker.token(call, caller)).await,
        Call::Which(which) => within(GIT_DEADLINE, broker.which(which, caller)).await,
        Call::Leases { after } => broker.leases(after),
        Call::Revoke(revoke) => within(PERSON_DEADLINE, broker.revoke(revoke, caller)).await,
        Call::Installations(call) => within(PERSON_DEADLINE, broker.installations(&call)).await,
        // A request of a newer client. Exhaustive matching is not possible here: the enum is open for newer versions.
        _ => Reply::Error(other_version()),
    }
}

async fn within(deadline: Duration, reply: impl Future<Output = Reply>) -> Reply {
    timeout(deadline, reply).await.unwrap_or_else(|_| {
        let cause = format!("GitHub or the keyring took longer than {} s", deadline.as_secs());
        Reply::Error(
            WireError::new(ErrorCode::DeadlinePassed, cause)
                .hint("try again; what was under way goes on in the background"),
        )
    })
}

fn other_version() -> WireError {
    WireError::new(
        ErrorCode::VersionMismatch,
        format!("the agent is version {BUILD_VERSION} and does not know that request"),
    )
    .hint("run: ghapp agent stop; the next command starts the installed version")
}
