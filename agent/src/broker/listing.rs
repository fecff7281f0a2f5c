//! What the agent tells about itself, and killing tokens.

use std::sync::Arc;

use ghapp_protocol::BUILD_VERSION;
use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{
    AppStatus, InstallationStatus, InstallationsCall, LeaseId, LeaseStatus, Reply, Revoke, Revoked, Status, StoreStatus,
};

use super::ask::pending;
use super::{Broker, explain};
use crate::keystore::{KeyStores, StoreError};
use crate::model::{App, Caller, Installation};
use crate::token::TokenLease;

/// Leases in one answer: about 600 bytes each, so that a page is far below the largest frame.
const LEASES_PER_PAGE: usize = 50;
/// Installations in one answer: up to about 1,500 bytes each, with every permission there is.
const INSTALLATIONS_PER_PAGE: usize = 25;
/// Tokens that are killed at the same time. GitHub's secondary limits punish bursts.
const REVOKED_AT_ONCE: usize = 8;

/// What `status` cannot know from the broker: where the agent listens and who started it.
#[derive(Debug, Clone)]
pub struct Listening {
    /// The endpoint.
    pub socket: String,
    /// `systemd`, `client` or `user`.
    pub started_by: &'static str,
}

impl Broker {
    /// How the agent is. Asks nobody but the keyring, and that only briefly.
    pub async fn status(&self, listening: &Listening) -> Reply {
        let keyring = self.stores.keyring_state().await;
        let now = self.clock.now();
        let state = self.state();
        let apps = state.config.apps.iter();
        Reply::Status(Box::new(Status {
            pid: std::process::id(),
            version: BUILD_VERSION.to_owned(),
            socket: listening.socket.clone(),
            config: self.config_file.display().to_string(),
            locked: false,
            started_by: listening.started_by.to_owned(),
            store: StoreStatus { kind: KeyStores::keyring_kind().to_owned(), state: store_state(&keyring).to_owned() },
            apps: apps.map(|app| app_status(app, key_state(app).to_owned())).collect(),
            leases: state.tokens.live(now).count(),
            config_error: state.config_error.clone(),
        }))
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
        let page = behind.by_ref().take(INSTALLATIONS_PER_PAGE).map(installation_status).collect();
        Reply::Installations { installations: page, more: behind.next().is_some() }
    }

    async fn list_installations(self: &Arc<Self>, name: &str) -> Result<(), WireError> {
        let config = self.config()?;
        let app = config.apps.iter().find(|app| app.name.as_str() == name);
        let app = app.ok_or_else(|| explain::unknown_app(name))?;
        let call = |jwt| pending(async move { self.github.installations(app, &jwt).await });
        let listed = self.ask(app, call).await?.map_err(|error| explain::github(&error, app))?;
        self.state().installations.replace(&app.name, listed);
        Ok(())
    }

    /// Kills tokens at GitHub.
    pub async fn revoke(self: &Arc<Self>, revoke: Revoke, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let record = super::new_record("revoke", caller, started);
        let asked = |lease: &TokenLease| revoke.all || revoke.leases.contains(&lease.id);
        let mut outcome = self.revoke_where(asked).await;
        let known =
            |id: &LeaseId| outcome.revoked.contains(id) || outcome.failed.iter().any(|(failed, _)| failed == id);
        outcome.unknown = revoke.leases.iter().filter(|id| !known(id)).copied().collect();
        let reply = Reply::Revoked(outcome);
        self.finish(record, started, &reply);
        reply
    }

    /// Kills every token at GitHub, for an agent that ends. Returns how many.
    pub async fn revoke_all(self: &Arc<Self>) -> usize {
        self.revoke_where(|_| true).await.revoked.len()
    }

    /// Whether tokens are to be killed when the agent stops.
    pub fn revokes_on_stop(&self) -> bool {
        self.state().config.agent.revoke_on_stop
    }

    /// Keeps tokens from being handed out first, and then kills them at GitHub. One that GitHub could not be told about stays
    /// listed, so that it can be tried again.
    pub(super) async fn revoke_where(self: &Arc<Self>, which: impl Fn(&TokenLease) -> bool) -> Revoked {
        let now = self.clock.now();
        let taken: Vec<_> = {
            let mut state = self.state();
            let ids: Vec<_> = state.tokens.live(now).filter(|lease| which(lease)).map(|lease| lease.id).collect();
            ids.into_iter().filter_map(|id| state.tokens.retire(id).cloned()).collect()
        };
        let mut outcome = Revoked::default();
        for batch in taken.chunks(REVOKED_AT_ONCE) {
            let mut tasks = Vec::with_capacity(batch.len());
            for lease in batch.iter().cloned() {
                let broker = Arc::clone(self);
                tasks.push((lease.id, tokio::spawn(async move { broker.kill(&lease).await })));
            }
            for (id, task) in tasks {
                match task.await {
                    Ok(Ok(())) => {
                        self.state().tokens.remove(id);
                        outcome.revoked.push(id);
                    }
                    Ok(Err(error)) => outcome.failed.push((id, error)),
                    Err(_) => outcome.failed.push((id, super::panicked())),
                }
            }
        }
        outcome
    }

    async fn kill(&self, lease: &TokenLease) -> Result<(), WireError> {
        let config = self.config()?;
        let app = config
            .app(&lease.scope.app)
            .ok_or_else(|| WireError::new(ErrorCode::NotConfigured, format!("the App {} is gone", lease.scope.app)))?;
        let killed = self.github.revoke(app, &lease.minted.token).await;
        killed.map_err(|error| explain::github(&error, app))
    }
}

pub(super) fn app_status(app: &App, state: String) -> AppStatus {
    AppStatus {
        name: app.name.to_string(),
        host: app.host.clone(),
        app_id: app.app_id,
        client_id: app.client_id.clone(),
        slug: app.slug.clone(),
        key_fingerprint: app.key.as_ref().map(ToString::to_string),
        store: app.store.as_str().to_owned(),
        state,
    }
}

fn key_state(app: &App) -> &'static str {
    if app.key.is_some() { "ok" } else { "key_missing" }
}

fn store_state(keyring: &Result<(), StoreError>) -> &'static str {
    match keyring {
        Ok(()) => "ok",
        Err(StoreError::NoBus | StoreError::Missing(_)) => "missing",
        Err(StoreError::Locked) => "locked",
        Err(StoreError::Silent) => "silent",
        Err(StoreError::NoEntry | StoreError::Refused(_)) => "unknown",
    }
}

fn lease_status(lease: &TokenLease) -> LeaseStatus {
    let TokenLease { id, scope, minted, last_used, uses } = lease;
    LeaseStatus {
        id: *id,
        app: scope.app.to_string(),
        host: scope.host.clone(),
        account: minted.account.clone(),
        installation_id: scope.installation.0,
        repositories: scope.repositories.names().map(<[_]>::to_vec),
        permissions: minted.token.permissions.to_map(),
        created_at: minted.at.wall,
        expires_at: minted.token.expires_at,
        last_used_at: last_used.wall,
        uses: *uses,
        hashed_token: minted.token.hash,
        requested_by: minted.requested_by.clone(),
    }
}

fn installation_status(installation: &Installation) -> InstallationStatus {
    InstallationStatus {
        id: installation.id.0,
        account: installation.account_name(),
        repository_selection: installation.selection.as_str().to_owned(),
        permissions: installation.permissions.to_map(),
        suspended: installation.suspended_at.is_some(),
    }
}
