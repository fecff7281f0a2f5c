//! `ghapp lock` and `ghapp unlock`: make the agent forget keys and tokens, and let it use keys again.

use ghapp_protocol::message::{Call, Lock, Locked, Reply};

use super::connection::{LOCAL_TIMEOUT, NETWORK_TIMEOUT};
use super::failure::CliError;
use super::{Session, arguments, wording};

/// Starts no agent: one that is not there holds nothing.
pub(super) fn lock(session: &Session<'_>, arguments: &arguments::Lock) -> Result<(), CliError> {
    let revoke = arguments.revoke;
    let outcome = match session.agent.ask_running(Call::Lock(Lock { revoke }), NETWORK_TIMEOUT)? {
        None => {
            return session
                .output
                .report("the agent is not running and holds nothing; the next command starts one that is not locked");
        }
        Some(Reply::Locked(outcome)) => outcome,
        Some(_) => return Err(session.agent.unexpected()),
    };
    let Locked { revoked, not_revoked, login_needed } = &outcome;
    session.output.report(&if revoke {
        format!("locked: {} revoked, keys and tokens forgotten", wording::count(*revoked, "lease"))
    } else {
        "locked: keys and tokens forgotten".to_owned()
    })?;
    if *not_revoked > 0 {
        session.output.warning(&wording::left_alive(*not_revoked));
    }
    for app in login_needed {
        session.output.warning(&format!("the key of {app} was in memory only; after unlocking it needs: ghapp login"));
    }
    Ok(())
}

pub(super) fn unlock(session: &Session<'_>) -> Result<(), CliError> {
    match session.agent.ask_running(Call::Unlock {}, LOCAL_TIMEOUT)? {
        None => session.output.report("the agent is not running; it starts unlocked"),
        Some(Reply::Unlocked {}) => session.output.report("unlocked"),
        Some(_) => Err(session.agent.unexpected()),
    }
}
