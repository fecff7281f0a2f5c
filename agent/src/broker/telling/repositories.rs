//! Which repositories an installation reaches: asked once for all clients that want to know, and kept until one asks anew.

use std::sync::Arc;

use ghapp_protocol::error::WireError;
use ghapp_protocol::frame::page;
use ghapp_protocol::message::{Reply, RepositoriesCall, RepositoryStatus};

use crate::broker::app_api::pending;
use crate::broker::shared::panicked;
use crate::broker::state::Reached;
use crate::broker::{Broker, explain};
use crate::github::ListedRepository;
use crate::model::{App, Caller, Installation, InstallationId};

/// A page of the repositories that an installation reaches: as GitHub lists them now, or as it did last.
pub(crate) async fn repositories(broker: &Arc<Broker>, call: &RepositoriesCall, caller: &Caller) -> Reply {
    let all = match reached(broker, call, caller).await {
        Ok(all) => all,
        Err(error) => return Reply::Error(error),
    };
    let from = call.after.map_or(0, |after| all.partition_point(|one| one.id <= after));
    let behind = &all[from..];
    let (repositories, more) = page(behind.iter().map(repository_status));
    Reply::Repositories { repositories, more }
}

async fn reached(broker: &Arc<Broker>, call: &RepositoriesCall, caller: &Caller) -> Result<Reached, WireError> {
    let config = broker.shared.config()?;
    let app = config.apps.iter().find(|app| app.name.as_str() == call.app);
    let app = app.ok_or_else(|| explain::unknown_app(&call.app))?;
    let id = InstallationId(call.installation);
    let known = broker.shared.state().listed.reached(&app.name, id);
    if let Some(known) = known.filter(|_| !call.refresh) {
        return Ok(known);
    }
    broker.shared.needed();
    let installation = broker.tokens.seen(&app.name, |one| one.id == id);
    let installation = installation.ok_or_else(|| explain::installation_gone(app, id))?;
    let (outcome, _) = broker
        .listings
        .join((app.name.clone(), id), || {
            let (broker, app, caller) = (Arc::clone(broker), app.clone(), caller.clone());
            async move { list(&broker, &app, &installation, &caller).await }
        })
        .await;
    outcome.unwrap_or_else(|| Err(panicked()))
}

async fn list(broker: &Broker, app: &App, installation: &Installation, caller: &Caller) -> Result<Reached, WireError> {
    let mut all = Vec::new();
    // The installation of an enterprise reaches none.
    if installation.account.is_some() {
        let listed = broker.tokens.with_metadata_token(app, installation, caller, |github, token| {
            pending(async move { github.repositories(app, &token).await })
        });
        all = listed.await?.map_err(|error| explain::github(&error, app))?;
    }
    // A repository that is created while the pages are read can be on two of them.
    all.sort_by_key(|one| one.id);
    all.dedup_by_key(|one| one.id);
    let all: Reached = all.into();
    let mut state = broker.shared.state();
    if state.config.has(app) {
        state.listed.keep_reached(&app.name, installation.id, Arc::clone(&all));
    }
    Ok(all)
}

fn repository_status(repository: &ListedRepository) -> RepositoryStatus {
    let ListedRepository { id, name, private, archived } = repository;
    RepositoryStatus { id: *id, name: name.clone(), private: *private, archived: *archived }
}
