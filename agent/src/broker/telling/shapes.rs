//! What the broker knows, in the shapes of the wire.

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{AppStatus, InstallationStatus, KeyStatus, LeaseStatus, RequestedBy};

use crate::broker::app_api::{ProvedKeys, Stored};
use crate::broker::explain;
use crate::keystore::StoreError;
use crate::model::{App, Fingerprint, Installation, StoreKind};
use crate::token::TokenLease;

/// An App, without what its keys are like.
pub(in crate::broker) fn app_status(app: &App, state: String) -> AppStatus {
    AppStatus {
        name: app.name.to_string(),
        host: app.host.clone(),
        app_id: app.app_id,
        client_id: app.client_id.clone(),
        slug: app.slug.clone(),
        key_fingerprint: app.key.as_ref().map(ToString::to_string),
        store: app.store.as_str().to_owned(),
        state,
        refused_keys: Vec::new(),
        missing_keys: Vec::new(),
    }
}

/// Whether a key can be used: `ok`, or the name of the error that git would meet.
pub(in crate::broker) fn key_state(outcome: &Stored, store: StoreKind) -> &'static str {
    match (outcome, store) {
        (Ok(()), _) => "ok",
        (Err(StoreError::NoBus), _) => "no_session_bus",
        (Err(StoreError::Missing(_)), _) => "keyring_missing",
        (Err(StoreError::Locked), StoreKind::EncryptedFile) => "locked",
        (Err(StoreError::Locked), _) => "keyring_locked",
        (Err(StoreError::Silent), _) => "keyring_silent",
        (Err(StoreError::NoEntry), StoreKind::Memory) => "login_needed",
        (Err(StoreError::NoEntry), _) => "key_missing",
        (Err(StoreError::Refused(_) | StoreError::NoPassphrase | StoreError::WrongPassphrase), _) => "keyring_refused",
    }
}

/// How a store is. One that answers, if only that it has no key, is well.
pub(super) fn store_state(outcome: &Stored) -> &'static str {
    match outcome {
        Ok(()) | Err(StoreError::NoEntry) => "ok",
        Err(StoreError::NoBus | StoreError::Missing(_)) => "missing",
        Err(StoreError::Locked) => "locked",
        Err(StoreError::Silent) => "silent",
        Err(StoreError::Refused(_) | StoreError::NoPassphrase | StoreError::WrongPassphrase) => "unknown",
    }
}

/// A token, without the token itself.
pub(super) fn lease_status(lease: &TokenLease) -> LeaseStatus {
    let TokenLease { id, scope, minted, last_used, uses, .. } = lease;
    LeaseStatus {
        id: *id,
        app: scope.app.to_string(),
        host: scope.host.clone(),
        account: Installation::name_of(lease.account()),
        installation_id: scope.installation.0,
        repositories: lease.repositories(),
        permissions: minted.token.permissions.to_map(),
        created_at: minted.at.wall,
        expires_at: minted.token.expires_at,
        last_used_at: last_used.wall,
        uses: *uses,
        hashed_token: minted.token.hash,
        requested_by: RequestedBy {
            pid: minted.successor.caller.pid,
            exe: minted.program.as_deref().map(str::to_owned),
        },
        label: scope.exposure.as_ref().map(|id| id.label.clone()),
    }
}

/// An installation.
pub(super) fn installation_status(app: &App, installation: &Installation) -> InstallationStatus {
    InstallationStatus {
        id: installation.id.0,
        account: installation.account_name(),
        repository_selection: installation.selection.as_str().to_owned(),
        permissions: installation.permissions.to_map(),
        suspended: installation.suspended_at.is_some(),
        settings: Some(explain::settings_page(app, installation)),
    }
}

/// Keys of an App, each with its state and why it is so.
pub(in crate::broker) fn key_statuses(
    app: &App,
    signing: Option<&Fingerprint>,
    outcomes: impl IntoIterator<Item = (Fingerprint, String, Option<WireError>)>,
) -> Vec<KeyStatus> {
    let status = |(key, state, error)| KeyStatus {
        app: app.name.to_string(),
        signing: signing == Some(&key),
        fingerprint: key.to_string(),
        store: app.store.as_str().to_owned(),
        state,
        error,
    };
    outcomes.into_iter().map(status).collect()
}

/// Keys of an App with GitHub's word about each.
pub(in crate::broker) fn proved_key_statuses(app: &App, proved: ProvedKeys) -> Vec<KeyStatus> {
    let ProvedKeys { proofs, signing } = proved;
    let outcomes = proofs.into_iter().map(|(key, proof)| {
        let error = proof.err();
        (key, error.as_ref().map_or("ok".to_owned(), |error| error.code.word()), error)
    });
    key_statuses(app, signing.as_ref(), outcomes)
}
