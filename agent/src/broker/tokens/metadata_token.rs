//! What the agent itself asks GitHub with a token: one that may only read metadata, for one question, and is revoked right after it.

use std::sync::Arc;

use ghapp_protocol::error::WireError;
use ghapp_protocol::remote::FullName;

use super::Tokens;
use super::narrow::Given;
use crate::broker::app_api::Pending;
use crate::broker::explain;
use crate::github::{GitHub, GitHubError, MintRepositories};
use crate::model::{App, Caller, Installation, InstallationToken, Level, Permissions, RepositorySet, TokenScope};

impl Tokens {
    /// Asks GitHub with a token of an installation that has the least permission there is. No client gets it, and it is no lease; its
    /// mint is written down. Must run in a single flight, so that a client that goes away does not leave the token alive.
    pub(in crate::broker) async fn with_metadata_token<'a, T>(
        self: &'a Arc<Self>,
        app: &'a App,
        installation: &'a Installation,
        caller: &Caller,
        question: impl Fn(&'a GitHub, InstallationToken) -> Pending<'a, T> + Send + Sync,
    ) -> Result<Result<T, GitHubError>, WireError> {
        let (scope, given) = self.look(app, installation, MintRepositories::Installation, caller).await?;
        let Given { fresh, .. } = given;
        self.write_down(&scope, fresh.token(), caller);
        let token = fresh.token();
        // The question needs no JWT, and the mint's is at hand; what it needs of the call is the patience.
        let outcome = self.app_api.call(app, |github, _| question(github, token.clone())).await;
        fresh.kill().await;
        outcome
    }

    /// The current name of a repository: the answer to a mint for its id has it.
    pub(in crate::broker) async fn name_now(
        self: &Arc<Self>,
        app: &App,
        installation: &Installation,
        repository_id: u64,
        caller: &Caller,
    ) -> Result<Option<FullName>, WireError> {
        let only = MintRepositories::Ids(&[repository_id]);
        let (scope, Given { fresh, repositories }) = self.look(app, installation, only, caller).await?;
        self.write_down(&scope, fresh.token(), caller);
        fresh.kill().await;
        Ok(repositories.into_iter().next().map(|it| it.name))
    }

    async fn look(
        self: &Arc<Self>,
        app: &App,
        installation: &Installation,
        repositories: MintRepositories<'_>,
        caller: &Caller,
    ) -> Result<(TokenScope, Given), WireError> {
        self.shared.state().open()?;
        let scope = TokenScope {
            app: app.name.clone(),
            host: app.host.clone(),
            installation: installation.id,
            repositories: RepositorySet::Installation,
            permissions: Permissions::of([("metadata", Level::Read)]),
            exposure: None,
        };
        let given = self.ask_to_mint(app, &scope, repositories, caller).await?;
        Ok((scope, given.map_err(|error| refused(&error, app, installation))?))
    }

    fn write_down(&self, scope: &TokenScope, token: &InstallationToken, caller: &Caller) {
        let mut entry = self.shared.entry("look", caller);
        "mint".clone_into(&mut entry.record.outcome);
        entry.record.host = Some(scope.host.to_string());
        entry.record.app = Some(scope.app.to_string());
        entry.record.installation_id = Some(scope.installation.0);
        entry.record.repositories = Some("installation".into());
        entry.record.permissions = Some(token.permissions.to_string());
        entry.record.hashed_token = Some(token.hash);
        self.shared.write(entry);
    }
}

/// Why there is no token to ask with.
fn refused(error: &GitHubError, app: &App, installation: &Installation) -> WireError {
    match error {
        GitHubError::Suspended => explain::suspended(app, installation, ""),
        GitHubError::NotFound => explain::installation_gone(app, installation.id),
        error => explain::github(error, app),
    }
}
