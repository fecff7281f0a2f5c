//! What the agent tells about itself.

use std::sync::Arc;

use ghapp_protocol::BUILD_VERSION;
use ghapp_protocol::endpoint::Endpoint;
use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{
    AppStatus, InstallationStatus, InstallationsCall, LeaseId, LeaseStatus, Reply, RequestedBy, Status, StoreStatus,
};

use crate::broker::app_api::call::pending;
use crate::broker::{Broker, explain};
use crate::failed_keys::Failure;
use crate::keystore::{KeyStores, StoreError};
use crate::model::{App, Fingerprint, Installation, StoreKind};
use crate::token::TokenLease;

/// Leases in one answer: about 600 bytes each, so that a page is far below the largest frame.
const LEASES_PER_PAGE: usize = 50;
/// Installations in one answer: up to about 1,500 bytes each, with every permission there is.
const INSTALLATIONS_PER_PAGE: usize = 25;

/// What `status` cannot know from the broker: where the agent listens and who started it.
#[derive(Debug, Clone)]
pub struct Listening {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// `systemd`, `client`, `user` or `command`.
    pub started_by: &'static str,
}

impl Broker {
    /// How the agent is. Asks nobody but the stores that are in use, and those only briefly.
    pub async fn status(&self, listening: &Listening) -> Reply {
        let config = Arc::clone(&self.state().config);
        let in_use = |kind| config.apps.iter().any(|app| app.store == kind);
        let asks_keyring = config.apps.is_empty() || in_use(StoreKind::Keyring);
        let keyring = if asks_keyring { self.stores.keyring_state().await } else { Ok(()) };
        let mut apps = Vec::new();
        let mut first = None;
        for app in &config.apps {
            let found = self.found_keys(app, &keyring).await;
            let signing = found.first();
            let state = signing.map_or("key_missing", |(_, it)| key_state(it, app.store)).to_owned();
            apps.push(AppStatus {
                key_fingerprint: signing.map(|(key, _)| key.to_string()),
                refused_keys: self.failed(app, Failure::Refused),
                missing_keys: self.missing(app, &found),
                ..app_status(app, state)
            });
            first.get_or_insert((app.store, signing.map_or(Ok(()), |(_, outcome)| outcome.clone())));
        }
        let (kind, outcome) = first.unwrap_or((StoreKind::Keyring, keyring));
        let now = self.clock.now();
        let state = self.state();
        Reply::Status(Box::new(Status {
            pid: std::process::id(),
            version: BUILD_VERSION.to_owned(),
            socket: listening.endpoint.to_string(),
            config: self.config_file.display().to_string(),
            locked: state.locked,
            started_by: listening.started_by.to_owned(),
            store: StoreStatus { kind: KeyStores::name_of(kind).to_owned(), state: store_state(&outcome).to_owned() },
            apps,
            leases: state.tokens.live(now).count(),
            exposed: state.exposures.count(),
            config_error: state.config_error.clone(),
            audit_error: self.audit.trouble(),
        }))
    }

    /// The keys of an App that failed in that way while another one was accepted.
    fn failed(&self, app: &App, failure: Failure) -> Vec<String> {
        self.state().failed_keys.of(&app.name, failure).map(ToString::to_string).collect()
    }

    /// The keys of an App that are gone while another one may be there.
    fn missing(&self, app: &App, found: &[(Fingerprint, Result<(), StoreError>)]) -> Vec<String> {
        let gone = |(_, outcome): &&(_, Result<(), StoreError>)| *outcome == Err(StoreError::NoEntry);
        if found.iter().all(|one| gone(&one)) {
            return Vec::new(); // the App's state says it
        }
        let mut missing = self.failed(app, Failure::Missing);
        missing.extend(found.iter().filter(gone).map(|(key, _)| key.to_string()));
        missing.sort();
        missing.dedup();
        missing
    }

    /// A page of live tokens, without the tokens.
    pub fn leases(&self, after: Option<LeaseId>) -> Reply {
        let now = self.clock.now();
        let state = self.state();
        let mut behind = state.tokens.live(now).filter(|lease| after.is_none_or(|after| lease.id > after));
        let leases: Vec<_> = behind.by_ref().take(LEASES_PER_PAGE).map(lease_status).collect();
        Reply::Leases { leases, more: behind.next().is_some() }
    }

    /// A page of an App's installations: as GitHub lists them now, or as far as the agent has seen them.
    pub async fn installations(self: &Arc<Self>, call: &InstallationsCall) -> Reply {
        let refreshed = if call.refresh { self.list_installations(&call.app).await } else { Ok(()) };
        if let Err(error) = refreshed {
            return Reply::Error(error);
        }
        let state = self.state();
        let Some(app) = state.config.apps.iter().find(|app| app.name.as_str() == call.app) else {
            return Reply::Error(explain::unknown_app(&call.app));
        };
        let mut behind = state
            .installations
            .seen(&app.name)
            .filter(|installation| call.after.is_none_or(|after| installation.id.0 > after));
        let page = behind.by_ref().take(INSTALLATIONS_PER_PAGE).map(|one| installation_status(app, one)).collect();
        Reply::Installations { installations: page, more: behind.next().is_some() }
    }

    async fn list_installations(self: &Arc<Self>, name: &str) -> Result<(), WireError> {
        let config = self.config()?;
        self.needed();
        let app = config.apps.iter().find(|app| app.name.as_str() == name);
        self.list_all(app.ok_or_else(|| explain::unknown_app(name))?).await
    }

    /// Asks GitHub for all installations of an App and remembers them.
    pub(in crate::broker) async fn list_all(self: &Arc<Self>, app: &App) -> Result<(), WireError> {
        let call = |jwt| pending(async move { self.github.installations(app, &jwt).await });
        let listed = self.ask(app, call).await?.map_err(|error| explain::github(&error, app))?;
        let now = self.clock.now();
        let mut state = self.state();
        state.installations.replace(&app.name, listed, now);
        // What was refused may be granted now.
        state.refused.retain(|scope, _| scope.app != app.name);
        Ok(())
    }
}

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
pub(in crate::broker) fn key_state(outcome: &Result<(), StoreError>, store: StoreKind) -> &'static str {
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

/// How a store is. One that answers that it has no key is well.
fn store_state(outcome: &Result<(), StoreError>) -> &'static str {
    match outcome {
        Ok(()) | Err(StoreError::NoEntry) => "ok",
        Err(StoreError::NoBus | StoreError::Missing(_)) => "missing",
        Err(StoreError::Locked) => "locked",
        Err(StoreError::Silent) => "silent",
        Err(StoreError::Refused(_) | StoreError::NoPassphrase | StoreError::WrongPassphrase) => "unknown",
    }
}

fn lease_status(lease: &TokenLease) -> LeaseStatus {
    let TokenLease { id, scope, minted, last_used, uses, .. } = lease;
    LeaseStatus {
        id: *id,
        app: scope.app.to_string(),
        host: scope.host.clone(),
        account: Installation::name_of(minted.account.as_ref()),
        installation_id: scope.installation.0,
        repositories: scope.repositories.names().map(<[_]>::to_vec),
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

fn installation_status(app: &App, installation: &Installation) -> InstallationStatus {
    InstallationStatus {
        id: installation.id.0,
        account: installation.account_name(),
        repository_selection: installation.selection.as_str().to_owned(),
        permissions: installation.permissions.to_map(),
        suspended: installation.suspended_at.is_some(),
        settings: Some(explain::settings_page(app, installation)),
    }
}
