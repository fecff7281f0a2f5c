//! Why a key store failed, and what to do about it.

use ghapp_protocol::error::{ErrorCode, WireError};

use crate::broker::explain;
use crate::keystore::{DEADLINE, DERIVATION, StoreError};
use crate::model::{App, StoreKind};

/// Why a key cannot be had.
pub(in crate::broker) fn explain(error: &StoreError, app: &App) -> WireError {
    let name = &app.name;
    let new = WireError::new;
    let again = || format!("run: {}", explain::login_command(app, app.store));
    match error {
        StoreError::NoBus => new(ErrorCode::NoSessionBus, error.to_string())
            .hint(format!("log in on a desktop, or keep the key in a file with a passphrase: {}", elsewhere(app))),
        StoreError::Missing(why) => missing(why, app),
        StoreError::Locked if app.store == StoreKind::EncryptedFile => {
            new(ErrorCode::Locked, format!("the file with the key of {name} has not been opened yet"))
                .hint(format!("run: {}", unlock(None)))
        }
        StoreError::Locked => new(ErrorCode::KeyringLocked, format!("the keyring with the key of {name} is locked"))
            .hint("unlock the keyring in your desktop session and try again"),
        StoreError::NoEntry if app.store == StoreKind::Memory => {
            let cause = format!("the key of {name} was kept in memory only, and the agent was locked or started anew");
            new(ErrorCode::LoginNeeded, cause).hint(again())
        }
        StoreError::NoEntry if app.store == StoreKind::CredentialsDir => {
            let cause = format!("the service manager handed over no credential ghapp-{name}");
            new(ErrorCode::KeyMissing, cause)
                .hint(format!("add to the agent's unit: LoadCredentialEncrypted=ghapp-{name}:FILE"))
        }
        StoreError::NoEntry => {
            new(ErrorCode::KeyMissing, format!("{} has no key for {name}{}", the(app.store), why_gone(app.store)))
                .hint(again())
        }
        StoreError::Silent => silent(app.store),
        StoreError::Refused(why) => {
            new(ErrorCode::KeyringRefused, format!("{} refused: {why}", the(app.store))).hint(match app.store {
                StoreKind::CredentialsDir => format!("check the credential ghapp-{name} in the agent's unit"),
                _ => again(),
            })
        }
        StoreError::NoPassphrase => no_passphrase(),
        StoreError::WrongPassphrase => wrong_passphrase(&[name.to_string()], None),
    }
}

/// Why a new key is not kept. Names the other stores: nothing is stored yet, and a person has to say where the key is to go.
pub(in crate::broker) fn explain_new(error: &StoreError, app: &App) -> WireError {
    let mut explained = explain(error, app);
    let unavailable = match error {
        StoreError::NoBus | StoreError::Missing(_) | StoreError::Silent | StoreError::Refused(_) => true,
        StoreError::Locked => app.store != StoreKind::EncryptedFile,
        StoreError::NoEntry | StoreError::NoPassphrase | StoreError::WrongPassphrase => false,
    };
    if unavailable {
        explained.message =
            format!("{}; keep the key elsewhere with --store {}", explained.message, choices(app.store));
        explained.hint = Some(format!("for example: {}", elsewhere(app)));
    }
    explained
}

/// All stores but one, as the end of a sentence.
fn choices(but: StoreKind) -> String {
    let here = |name: &&&str| **name != but.as_str() && (cfg!(target_os = "linux") || **name != "keyutils");
    let names: Vec<_> = StoreKind::NAMES.iter().filter(here).copied().collect();
    match names.split_last() {
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// A store, as the beginning of a sentence.
fn the(store: StoreKind) -> &'static str {
    match store {
        StoreKind::Keyring => "the keyring",
        StoreKind::Keyutils => "the kernel's keyring",
        StoreKind::EncryptedFile => "the directory of encrypted files",
        StoreKind::CredentialsDir => "the credentials directory",
        StoreKind::Memory => "the agent's memory",
    }
}

/// Why a key may be gone, if nothing better is known.
fn why_gone(store: StoreKind) -> &'static str {
    match store {
        StoreKind::Keyutils => ": it forgets when the machine starts anew, or when nobody needs the key for some days",
        _ => "",
    }
}

/// The same login with a store that works everywhere.
fn elsewhere(app: &App) -> String {
    let other = if app.store == StoreKind::EncryptedFile { StoreKind::Memory } else { StoreKind::EncryptedFile };
    explain::login_command(app, other)
}

fn missing(why: &str, app: &App) -> WireError {
    let (cause, hint) = match app.store {
        StoreKind::Keyutils => (
            format!("the kernel keeps no keys here: {why}"),
            format!("allow keyctl(2) for the agent, or keep the key in a file with a passphrase: {}", elsewhere(app)),
        ),
        StoreKind::CredentialsDir => (
            format!("there are no credentials of a service manager: {why}"),
            "start the agent by systemd, with LoadCredentialEncrypted= in its unit".to_owned(),
        ),
        _ => (
            format!("no keyring answers: {why}"),
            format!(
                "install gnome-keyring or KeePassXC, or keep the key in a file with a passphrase: {}",
                elsewhere(app)
            ),
        ),
    };
    WireError::new(ErrorCode::KeyringMissing, cause).hint(hint)
}

fn silent(store: StoreKind) -> WireError {
    let (cause, hint) = match store {
        StoreKind::EncryptedFile => (
            format!("it took more than {} seconds to derive a key from the passphrase", DERIVATION.as_secs()),
            "try again when the machine has less to do",
        ),
        store => (
            format!("{} did not answer within {} seconds", the(store), DEADLINE.as_secs()),
            "answer its unlock dialog, or restart the keyring, and try again",
        ),
    };
    WireError::new(ErrorCode::KeyringSilent, cause).hint(hint)
}

pub(in crate::broker) fn no_passphrase() -> WireError {
    WireError::new(ErrorCode::PassphraseNeeded, "an encrypted file needs a passphrase")
        .hint("give it on the terminal, or with --passphrase-file FILE")
}

/// The passphrase opens none of these Apps' files; `app` is the one that was asked for.
pub(in crate::broker) fn wrong_passphrase(apps: &[String], app: Option<&str>) -> WireError {
    WireError::new(ErrorCode::WrongPassphrase, format!("that is not the passphrase of {}", apps.join(", ")))
        .hint(format!("try again: {}", unlock(app)))
}

/// There were too many wrong passphrases.
pub(in crate::broker) fn too_many_passphrases(until: i64, app: Option<&str>) -> WireError {
    let until = explain::time(until);
    WireError::new(
        ErrorCode::TooManyPassphrases,
        format!("too many wrong passphrases: none is looked at until {until}"),
    )
    .hint(format!("run then: {}", unlock(app)))
}

/// The files of these Apps are closed.
pub(in crate::broker) fn passphrase_needed(apps: &[String], app: Option<&str>) -> WireError {
    WireError::new(
        ErrorCode::PassphraseNeeded,
        format!("the encrypted file of {} needs its passphrase", apps.join(", ")),
    )
    .hint(format!("run: {} --passphrase-file FILE", unlock(app)))
}

fn unlock(app: Option<&str>) -> String {
    app.map_or_else(|| "ghapp unlock".to_owned(), |app| format!("ghapp unlock --app {app}"))
}

#[cfg(test)]
mod tests {
    use super::choices;
    use crate::model::StoreKind;

    #[cfg(target_os = "linux")]
    #[test]
    fn all_other_stores_are_named() {
        assert_eq!(choices(StoreKind::Keyring), "keyutils, encrypted-file, credentials-dir or memory");
        assert_eq!(choices(StoreKind::Memory), "keyring, keyutils, encrypted-file or credentials-dir");
    }
}
