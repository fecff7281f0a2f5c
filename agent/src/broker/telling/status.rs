//! How the agent is: its keys, its stores, its tokens, its installations.

use ghapp_protocol::BUILD_VERSION;
use ghapp_protocol::endpoint::Endpoint;
use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{AppStatus, InstallationsCall, LeaseId, Reply, Status, StoreStatus};

use super::shapes::{app_status, installation_status, key_state, lease_status, store_state};
use crate::broker::app_api::Stored;
use crate::broker::state::Summary;
use crate::broker::{Broker, explain};
use crate::failures::Failure;
use crate::keystore::{KeyStores, StoreError};
use crate::model::{App, Fingerprint, Installation, StoreKind};

/// What `status` cannot know from the broker: where the agent listens and how it was started.
#[derive(Debug, Clone)]
pub(crate) struct Listening {
    /// The endpoint.
    pub(crate) endpoint: Endpoint,
    /// `systemd`, `client`, `user` or `command`.
    pub(crate) started_by: &'static str,
}

/// How the agent is. Asks only the stores that are in use, and those only briefly.
pub(crate) async fn status(broker: &Broker, listening: &Listening) -> Reply {
    let config = broker.shared.current_config();
    let in_use = |kind| config.apps.iter().any(|app| app.store == kind);
    let asks_keyring = config.apps.is_empty() || in_use(StoreKind::Keyring);
    let keyring = if asks_keyring { broker.shared.stores.keyring_state().await } else { Ok(()) };
    let mut apps = Vec::new();
    let mut first = None;
    for app in &config.apps {
        let found = broker.app_api.found_keys(app, &keyring).await;
        let signing = found.first();
        let state = signing.map_or("key_missing", |(_, it)| key_state(it, app.store)).to_owned();
        apps.push(AppStatus {
            key_fingerprint: signing.map(|(key, _)| key.to_string()),
            refused_keys: broker.app_api.failed_keys(app, Failure::Refused),
            missing_keys: missing(broker, app, &found),
            ..app_status(app, state)
        });
        first.get_or_insert((app.store, signing.map_or(Ok(()), |(_, outcome)| outcome.clone())));
    }
    let (kind, outcome) = first.unwrap_or((StoreKind::Keyring, keyring));
    let now = broker.shared.now();
    let Summary { locked, leases, exposed, config_error } = broker.shared.state().summary(now);
    Reply::Status(Box::new(Status {
        pid: std::process::id(),
        version: BUILD_VERSION.to_owned(),
        socket: listening.endpoint.to_string(),
        config: broker.shared.config_file.display().to_string(),
        locked,
        started_by: listening.started_by.to_owned(),
        store: StoreStatus { kind: KeyStores::name_of(kind).to_owned(), state: store_state(&outcome).to_owned() },
        apps,
        leases,
        exposed,
        config_error,
        audit_error: broker.shared.audit.trouble(),
    }))
}

/// The keys of an App that are gone while another one may be there.
fn missing(broker: &Broker, app: &App, found: &[(Fingerprint, Stored)]) -> Vec<String> {
    let gone = |(_, outcome): &&(_, Stored)| *outcome == Err(StoreError::NoEntry);
    if found.iter().all(|one| gone(&one)) {
        return Vec::new(); // the App's state says it
    }
    let mut missing = broker.app_api.failed_keys(app, Failure::Missing);
    missing.extend(found.iter().filter(gone).map(|(key, _)| key.to_string()));
    missing.sort();
    missing.dedup();
    missing
}

/// A page of live tokens, without the tokens.
pub(crate) fn leases(broker: &Broker, after: Option<LeaseId>) -> Reply {
    let (leases, more) = broker.tokens.page(after, lease_status);
    Reply::Leases { leases, more }
}

/// A page of an App's installations: as GitHub lists them now, or as far as the agent has seen them.
pub(crate) async fn installations(broker: &Broker, call: &InstallationsCall) -> Reply {
    let refreshed = if call.refresh { list_anew(broker, &call.app).await } else { Ok(()) };
    if let Err(error) = refreshed {
        return Reply::Error(error);
    }
    let config = broker.shared.current_config();
    let Some(app) = config.apps.iter().find(|app| app.name.as_str() == call.app) else {
        return Reply::Error(explain::unknown_app(&call.app));
    };
    let of = |one: &Installation| installation_status(app, one);
    let (installations, more) = broker.tokens.page_of_installations(&app.name, call.after, of);
    Reply::Installations { installations, more }
}

async fn list_anew(broker: &Broker, name: &str) -> Result<(), WireError> {
    let config = broker.shared.config()?;
    broker.shared.needed();
    let app = config.apps.iter().find(|app| app.name.as_str() == name);
    broker.tokens.list_installations(app.ok_or_else(|| explain::unknown_app(name))?).await
}
