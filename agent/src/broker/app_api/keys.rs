//! The keys that an App has: how their stores have them, and what GitHub says of each.

use std::sync::Arc;

use ghapp_protocol::error::{ErrorCode, WireError};

use super::AppApi;
use super::call::pending;
use super::signing::is_absence;
use crate::broker::explain;
use crate::failures::Failure;
use crate::keystore::StoreError;
use crate::model::{App, AppName, Fingerprint};

/// How a store has a key.
pub(in crate::broker) type Stored = Result<(), StoreError>;

/// GitHub's word about a key, or why it could not be asked.
pub(in crate::broker) type Proof = Result<(), WireError>;

/// The keys of an App with GitHub's word about each, and which of them signs from then on.
pub(in crate::broker) struct ProvedKeys {
    pub(in crate::broker) proofs: Vec<(Fingerprint, Proof)>,
    pub(in crate::broker) signing: Option<Fingerprint>,
}

impl AppApi {
    /// The keys of an App, each with how its store has it as far as that is known, in the order in which a call would try them: those
    /// that are known to be gone come last. `keyring` is the state of the keyring.
    pub(in crate::broker) async fn found_keys(&self, app: &App, keyring: &Stored) -> Vec<(Fingerprint, Stored)> {
        let order = self.order_of(app);
        let mut found = Vec::new();
        for key in order {
            let outcome = self.shared.stores.state(&app.place_of(&key), keyring).await;
            found.push((key, outcome));
        }
        found.sort_by_key(|(_, outcome)| *outcome == Err(StoreError::NoEntry)); // stable
        found
    }

    /// The keys that `app` names, in the order in which they are tried.
    pub(in crate::broker) fn order_of(&self, app: &App) -> Vec<Fingerprint> {
        self.shared.state().signing.order(app)
    }

    /// How a key failed, if it did.
    pub(in crate::broker) fn failure(&self, app: &AppName, key: &Fingerprint) -> Option<Failure> {
        self.shared.state().signing.failure(app, key)
    }

    /// The keys of an App that failed in that way while another one was accepted.
    pub(in crate::broker) fn failed_keys(&self, app: &App, failure: Failure) -> Vec<String> {
        self.shared.state().signing.failed(&app.name, failure)
    }

    /// Shows GitHub some keys of an App, one after the other.
    pub(in crate::broker) async fn prove_keys(self: &Arc<Self>, app: &App, keys: Vec<Fingerprint>) -> ProvedKeys {
        let mut proofs = Vec::new();
        for key in keys {
            let proof = self.prove_key(app, &key).await;
            proofs.push((key, proof));
        }
        let failed: Vec<_> =
            proofs.iter().filter_map(|(key, proof)| Some((key, failure(proof.as_ref().err()?)?))).collect();
        for (accepted, _) in proofs.iter().filter(|(_, proof)| proof.is_ok()) {
            self.note_accepted(app, accepted, &failed);
        }
        let signing = self.shared.state().signing.signing_key(app);
        ProvedKeys { proofs, signing }
    }

    /// Shows GitHub one key, read anew: a JWT at hand would hide that the key has gone from its store since.
    async fn prove_key(self: &Arc<Self>, app: &App, key: &Fingerprint) -> Proof {
        self.sign(app, key).await?;
        let outcome =
            self.call_with(app, key, &|github, jwt| pending(async move { github.app(app, &jwt).await })).await?;
        outcome.map(drop).map_err(|error| explain::github(&error, &app.with_keys(vec![key.clone()])))
    }
}

/// How a key failed, if the error is about the key.
fn failure(error: &WireError) -> Option<Failure> {
    match error.code {
        ErrorCode::KeyRefused => Some(Failure::Refused),
        _ => is_absence(error).then_some(Failure::Missing),
    }
}
