//! Turns a wire message into a call of the broker, and sets the time that each may take.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Call, ExposedCall, PERSON_ANSWER, Reply, Request, Revoked};
use ghapp_protocol::{BUILD_VERSION, WIRE_VERSION};
use tokio::time::timeout;

use super::{Service, exposed};
use crate::broker::{apps, git, lock, telling};
use crate::model::{Caller, Exposure};

/// How long git's questions may take: less than the helper's 20 s, so that a slow answer still becomes a clear one.
const GIT_DEADLINE: Duration = Duration::from_secs(18);
/// What people are told when an answer is late and its work does no harm, whether it goes on or is given up.
const TRY_AGAIN: &str = "try again";
// What they are told when the work goes on behind a late answer.
const LOGIN_GOES_ON: &str = "the login goes on; see later: ghapp apps";
const LOGOUT_GOES_ON: &str = "the logout goes on; see later: ghapp apps";
const KEYS_GO_ON: &str = "it goes on; see later: ghapp key list";
const REVOCATION_GOES_ON: &str = "the revocation goes on; see later: ghapp leases";
const LOCK_GOES_ON: &str = "the agent is locked and goes on revoking; see later: ghapp status";
const UNLOCK_GOES_ON: &str = "the agent goes on unlocking; see later: ghapp status";
const SEE_EXPOSED: &str = "see later: ghapp agent exposed";

/// Answers one request.
pub(super) async fn answer(request: Request, caller: &Caller, service: &Service) -> Reply {
    let Service { broker, listening, .. } = service;
    let Request { v, call, .. } = request;
    match call {
        // Frozen since version 1: understood whatever version the client speaks.
        Call::Get(get) => within(GIT_DEADLINE, git::get(broker, get, caller)).await,
        Call::Erase(erase) => git::erase(broker, &erase, caller),
        Call::Status {} => within(GIT_DEADLINE, telling::status(broker, listening)).await,
        Call::Stop(stop) => {
            let revoke = stop.revoke || broker.revokes_on_stop();
            let outcome = if revoke { lock::revoke_all(broker, caller).await } else { Revoked::default() };
            Reply::Stopping { revoked: outcome.revoked.len(), not_revoked: outcome.failed.len() }
        }
        _ if v != WIRE_VERSION => Reply::Error(other_version()),
        Call::Reload {} => apps::reload(broker),
        Call::Token(call) => within(GIT_DEADLINE, git::token(broker, call, caller)).await,
        Call::Which(which) => within(GIT_DEADLINE, git::which(broker, which, caller)).await,
        Call::Leases { after } => telling::leases(broker, after),
        Call::Exposed { after } => git::list_exposed(broker, after.as_ref()),
        Call::Keys(call) => within(PERSON_ANSWER, apps::keys(broker, &call, caller)).await,
        Call::Installations(call) => within(PERSON_ANSWER, telling::installations(broker, &call)).await,
        Call::Repositories(call) => within(PERSON_ANSWER, telling::repositories(broker, &call, caller)).await,
        Call::Identity(call) => within(PERSON_ANSWER, telling::identity(broker, &call, caller)).await,
        Call::Examine(call) => within(PERSON_ANSWER, telling::examine(broker, &call, caller)).await,
        call => change(call, caller.clone(), service.clone()).await,
    }
}

/// Answers a request that changes something: its work is never left half done.
async fn change(call: Call, caller: Caller, service: Service) -> Reply {
    let broker = Arc::clone(&service.broker);
    let (hint, work): (_, Pin<Box<dyn Future<Output = Reply> + Send>>) = match call {
        Call::Login(call) => (LOGIN_GOES_ON, Box::pin(async move { apps::login(&broker, *call, &caller).await })),
        Call::CreateApp(call) => {
            (LOGIN_GOES_ON, Box::pin(async move { apps::create_app(&broker, *call, &caller).await }))
        }
        Call::Logout(call) => (LOGOUT_GOES_ON, Box::pin(async move { apps::logout(&broker, call, &caller).await })),
        Call::AddKey(call) => (KEYS_GO_ON, Box::pin(async move { apps::add_key(&broker, *call, &caller).await })),
        Call::RemoveKey(call) => (KEYS_GO_ON, Box::pin(async move { apps::remove_key(&broker, call, &caller).await })),
        Call::Revoke(call) => (REVOCATION_GOES_ON, Box::pin(async move { lock::revoke(&broker, call, &caller).await })),
        Call::Lock(call) => (LOCK_GOES_ON, Box::pin(async move { lock::lock(&broker, call, &caller).await })),
        Call::Unlock(call) => (UNLOCK_GOES_ON, Box::pin(async move { lock::unlock(&broker, call, &caller).await })),
        Call::Expose(call) => (
            SEE_EXPOSED,
            Box::pin(async move { exposed::open(*call, &caller, &broker, &service.listening, &service.doors).await }),
        ),
        Call::Unexpose(call) => {
            (REVOCATION_GOES_ON, Box::pin(async move { git::unexpose(&broker, call, &caller).await }))
        }
        // A request of a newer client. Exhaustive matching is not possible here: the enum is open for newer versions.
        _ => return Reply::Error(other_version()),
    };
    whole(PERSON_ANSWER, hint, work).await
}

/// Answers one request over an exposed socket. Only what [`ExposedCall`] has is answered at all, in any version of it.
pub(super) async fn answer_exposed(
    request: Request,
    caller: &Caller,
    service: &Service,
    exposure: &Arc<Exposure>,
) -> Reply {
    let broker = &service.broker;
    match ExposedCall::of(request.call) {
        Some(ExposedCall::Get(get)) => within(GIT_DEADLINE, git::exposed::get(broker, exposure, get, caller)).await,
        Some(ExposedCall::Erase(erase)) => git::exposed::erase(broker, exposure, &erase, caller),
        None => git::exposed::refuse(broker, exposure, caller),
    }
}

/// Gives up a question whose answer is late. Calls of GitHub that other questions wait for as well go on.
async fn within(deadline: Duration, reply: impl Future<Output = Reply>) -> Reply {
    timeout(deadline, reply).await.unwrap_or_else(|_| late(deadline, TRY_AGAIN))
}

/// Lets work that must not stop half-way run to its end, whether or not a client still waits for its answer.
async fn whole(deadline: Duration, hint: &str, work: impl Future<Output = Reply> + Send + 'static) -> Reply {
    match timeout(deadline, tokio::spawn(work)).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) => {
            Reply::Error(WireError::new(ErrorCode::Internal, "the agent met an error of its own; its log says more"))
        }
        Err(_) => late(deadline, hint),
    }
}

fn late(deadline: Duration, hint: &str) -> Reply {
    let cause = format!("GitHub or the keyring took longer than {} s", deadline.as_secs());
    Reply::Error(WireError::new(ErrorCode::DeadlinePassed, cause).hint(hint))
}

fn other_version() -> WireError {
    WireError::new(
        ErrorCode::VersionMismatch,
        format!("the agent is version {BUILD_VERSION} and does not know that request"),
    )
    .hint("run: ghapp agent stop; the next command starts the installed version")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use ghapp_protocol::error::ErrorCode;
    use ghapp_protocol::message::Reply;
    use tokio::sync::{Notify, oneshot};

    use super::whole;

    #[tokio::test]
    async fn work_that_changes_something_is_never_left_half_done() {
        let gate = Arc::new(Notify::new());
        let (sender, done) = oneshot::channel();
        let work = {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                let _ = sender.send(());
                Reply::Reloaded {}
            }
        };
        let reply = whole(Duration::from_millis(1), "it goes on; see later: ghapp apps", work).await;
        let Reply::Error(error) = reply else { panic!("{reply:?}") };
        assert_eq!(
            (error.code, error.hint.as_deref()),
            (ErrorCode::DeadlinePassed, Some("it goes on; see later: ghapp apps"))
        );
        gate.notify_one();
        done.await.expect("it went on");
    }
}
