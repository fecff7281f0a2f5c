//! `ghapp lock` and `ghapp unlock`: make the agent forget keys and tokens, and let it use keys again.

use ghapp_agent::model::StoreKind;
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{Call, Lock, Locked, Reply, Unlock};
use ghapp_protocol::secret::Secret;

use crate::connection::NETWORK_TIMEOUT;
use crate::failure::CliError;
use crate::login::passphrase;
use crate::session::Session;
use crate::terminal::wording;
use crate::{arguments, known_apps};

/// Starts no agent: where none runs, none holds a key.
pub(crate) fn lock(session: &Session<'_>, arguments: &arguments::Lock) -> Result<(), CliError> {
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

/// Starts an agent only if there is a file to open: where none runs, none is locked.
pub(crate) fn unlock(session: &Session<'_>, arguments: &arguments::Unlock) -> Result<(), CliError> {
    let file = arguments.passphrase_file.as_deref();
    let given = file.map(|_| passphrase::known(session, file, false)).transpose()?;
    let asks = given.is_none();
    let reply = match ask(session, given) {
        Err(error) if asks && error.code == ErrorCode::PassphraseNeeded => {
            ask(session, Some(passphrase::known(session, None, false)?))
        }
        reply => reply,
    };
    let unlocked = match reply? {
        None => return session.output.report("the agent is not running; it starts unlocked"),
        Some(Reply::Unlocked(unlocked)) => unlocked,
        Some(_) => return Err(session.agent.unexpected()),
    };
    session.output.report("unlocked")?;
    for app in unlocked.still_closed {
        session.output.warning(&format!("the file of {app} has another passphrase; run: ghapp unlock --app {app}"));
    }
    Ok(())
}

fn ask(session: &Session<'_>, passphrase: Option<Secret>) -> Result<Option<Reply>, CliError> {
    let unlock = Unlock { app: session.app.as_ref().map(ToString::to_string), passphrase };
    if let Some(reply) = session.agent.ask_running(Call::Unlock(unlock.clone()), NETWORK_TIMEOUT)? {
        return Ok(Some(reply));
    }
    let apps = known_apps::configured(session)?;
    if apps.iter().any(|app| app.store == StoreKind::EncryptedFile.as_str()) {
        return session.agent.ask_slow(Call::Unlock(unlock)).map(Some);
    }
    Ok(None)
}
