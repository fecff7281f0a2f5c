//! Which repositories an installation reaches: asked once for all who want to know, and kept until somebody wants it anew.

use std::sync::Arc;

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{Reply, RepositoriesCall, RepositoryStatus};

use crate::broker::app_api::call::pending;
use crate::broker::{Broker, explain, panicked};
use crate::github::ListedRepository;
use crate::model::{App, Caller, Installation, InstallationId};

/// Repositories in one answer: up to about 220 bytes each, so that a page stays below the largest frame.
const REPOSITORIES_PER_PAGE: usize = 200;

/// All that an installation reaches, in the order of GitHub's numbers.
pub(in crate::broker) type Reached = Arc<[ListedRepository]>;

impl Broker {
    /// A page of the repositories that an installation reaches: as GitHub lists them now, or as it did last.
    pub async fn repositories(self: &Arc<Self>, call: &RepositoriesCall, caller: &Caller) -> Reply {
        let all = match self.reached(call, caller).await {
            Ok(all) => all,
            Err(error) => return Reply::Error(error),
        };
        let from = call.after.map_or(0, |after| all.partition_point(|one| one.id <= after));
        let behind = &all[from..];
        let page = behind.iter().take(REPOSITORIES_PER_PAGE).map(repository_status).collect();
        Reply::Repositories { repositories: page, more: behind.len() > REPOSITORIES_PER_PAGE }
    }

    async fn reached(self: &Arc<Self>, call: &RepositoriesCall, caller: &Caller) -> Result<Reached, WireError> {
        let config = self.config()?;
        let app = config.apps.iter().find(|app| app.name.as_str() == call.app);
        let app = app.ok_or_else(|| explain::unknown_app(&call.app))?;
        let key = (app.name.clone(), InstallationId(call.installation));
        let known = self.state().reached.get(&key).cloned();
        if let Some(known) = known.filter(|_| !call.refresh) {
            return Ok(known);
        }
        self.needed();
        let installation = self.state().installations.seen(&app.name).find(|one| one.id == key.1).cloned();
        let installation = installation.ok_or_else(|| explain::installation_gone(app, key.1))?;
        let (outcome, _) = self
            .listings
            .join(key, || {
                let (broker, app, caller) = (Arc::clone(self), app.clone(), caller.clone());
                async move { broker.list_repositories(&app, &installation, &caller).await }
            })
            .await;
        outcome.unwrap_or_else(|| Err(panicked()))
    }

    async fn list_repositories(
        self: &Arc<Self>,
        app: &App,
        installation: &Installation,
        caller: &Caller,
    ) -> Result<Reached, WireError> {
        let mut all = Vec::new();
        // That of an enterprise reaches none.
        if installation.account.is_some() {
            let question = |token| pending(async move { self.github.repositories(app, &token).await });
            let listed = self.look(app, installation, caller, question).await?;
            all = listed.map_err(|error| explain::github(&error, app))?;
        }
        // A repository that comes while the pages are read can be on two of them.
        all.sort_by_key(|one| one.id);
        all.dedup_by_key(|one| one.id);
        let all: Reached = all.into();
        let mut state = self.state();
        if state.config.app(&app.name).is_some_and(|now| now == app) {
            state.reached.insert((app.name.clone(), installation.id), Arc::clone(&all));
        }
        Ok(all)
    }
}

fn repository_status(repository: &ListedRepository) -> RepositoryStatus {
    let ListedRepository { id, name, private, archived } = repository;
    RepositoryStatus { id: *id, name: name.clone(), private: *private, archived: *archived }
}
