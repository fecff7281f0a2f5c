//! Checks of keys: the store, the key in it, and copies of the key that were left in files.

use std::path::{Path, PathBuf};

use ghapp_agent::model::StoreKind;
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::AppStatus;

use super::facts::Facts;
use super::fix::Fix;
use super::outcome::Outcome;

/// How GitHub calls the file with a private key: `NAME.DATE.private-key.pem`.
const KEY_FILE: &str = ".private-key.pem";
/// Most entries of a directory that are looked at.
const MAX_ENTRIES: usize = 20_000;
/// What is wrong with the store and not with the key in it.
const OF_THE_STORE: &[ErrorCode] = &[
    ErrorCode::KeyringMissing,
    ErrorCode::NoSessionBus,
    ErrorCode::KeyringLocked,
    ErrorCode::KeyringSilent,
    ErrorCode::KeyringRefused,
];

/// Can the store be read?
pub(super) fn store(facts: &mut Facts<'_>, app: &AppStatus) -> Outcome {
    let kind = match (StoreKind::parse(&app.store), &facts.status) {
        (Some(StoreKind::Memory), _) => "the agent's memory: log in again after it ends".to_owned(),
        (Some(StoreKind::EncryptedFile), _) => "an encrypted file: ghapp unlock opens it".to_owned(),
        // Which keyring that is, if the agent says so: it names the store of the first App.
        (Some(StoreKind::Keyring), Some(status)) if StoreKind::parse(&status.store.kind).is_none() => {
            status.store.kind.clone()
        }
        _ => app.store.clone(),
    };
    match facts.examine(&app.name) {
        Ok(examined) => match examined.key.as_ref().filter(|error| OF_THE_STORE.contains(&error.code)) {
            Some(error) => error.into(),
            None => Outcome::ok(kind),
        },
        Err(error) if error.code == ErrorCode::VersionMismatch => {
            Outcome::skip("the agent is of another version and does not know the question")
        }
        Err(error) => error.into(),
    }
}

/// Is the key there, and the right one?
pub(super) fn key(facts: &mut Facts<'_>, app: &AppStatus) -> Outcome {
    let Some(examined) = facts.examined.get(&app.name) else { return Outcome::skip("the agent was not asked") };
    if let Some(error) = &examined.key {
        return error.into();
    }
    // The key that the agent named may be gone by now.
    let is_another = |key: &str| examined.other_keys.iter().any(|other| other.fingerprint == key);
    let configured = facts.config.apps.iter().find(|it| it.name.as_str() == app.name);
    let signing = configured.and_then(|it| it.keys().map(ToString::to_string).find(|key| !is_another(key)));
    Outcome::ok(signing.or_else(|| app.key_fingerprint.clone()).unwrap_or_default())
}

/// Is there a file with a key where downloads go?
pub(super) fn files(_: &mut Facts<'_>) -> Outcome {
    let home = std::env::home_dir();
    let below = |name: &str| home.as_ref().map(|home| home.join(name));
    let downloads = std::env::var_os("XDG_DOWNLOAD_DIR").map(PathBuf::from);
    let here = std::env::current_dir().ok();
    let places = [home.clone(), below("Downloads"), below("Desktop"), downloads, here];
    let mut found: Vec<PathBuf> = places.iter().flatten().flat_map(|directory| key_files(directory)).collect();
    found.sort();
    found.dedup();
    let Some(first) = found.first() else { return Outcome::ok("no key lies in a file where downloads go") };
    let more = if found.len() > 1 { format!(" (and {} more)", found.len() - 1) } else { String::new() };
    let mut command = vec!["rm".to_owned()];
    command.extend(found.iter().map(|path| path.display().to_string()));
    Outcome::warn(format!("a private key lies in {}{more}", first.display()), Fix::Commands(vec![command]))
}

fn key_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().take(MAX_ENTRIES).flatten();
    let named = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(KEY_FILE));
    named.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())).map(|entry| entry.path()).collect()
}
