//! What the agent itself asks GitHub with a token: one that may only read metadata, for one question, and that is killed right behind
//! it.

use std::sync::Arc;

use ghapp_protocol::error::WireError;

use super::Tokens;
use crate::broker::app_api::Pending;
use crate::broker::explain;
use crate::github::{GitHub, GitHubError, MintAnswer, MintRepositories};
use crate::model::{App, Caller, Installation, InstallationToken, Level, Permissions, RepositorySet, TokenScope};

impl Tokens {
    /// Asks something with a token of an installation that has the least permission there is. Nobody is given that token, and it is
    /// no lease; that it was there is written down. Must run in a flight, so that no caller who goes away leaves it alive.
    pub(in crate::broker) async fn with_metadata_token<'a, T>(
        self: &'a Arc<Self>,
        app: &'a App,
        installation: &'a Installation,
        caller: &Caller,
        question: impl Fn(&'a GitHub, InstallationToken) -> Pending<'a, T> + Send + Sync,
    ) -> Result<Result<T, GitHubError>, WireError> {
        self.shared.state().locking.open()?;
        let scope = TokenScope {
            app: app.name.clone(),
            host: app.host.clone(),
            installation: installation.id,
            repositories: RepositorySet::Installation,
            permissions: Permissions::of([("metadata", Level::Read)]),
            exposure: None,
        };
        let token = match self.ask_to_mint(app, &scope, MintRepositories::Installation).await? {
            Ok(MintAnswer { token, .. }) => token,
            Err(error) => return Err(refused(&error, app, installation)),
        };
        self.write_down(&scope, &token, caller);
        // The JWT of the mint is at hand; what is needed of the call is its patience.
        let outcome = self.app_api.call(app, |github, _| question(github, token.clone())).await;
        self.kill_unlisted(app, &scope, &token, caller).await;
        outcome
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

/// Why there is no token to look with.
fn refused(error: &GitHubError, app: &App, installation: &Installation) -> WireError {
    match error {
        GitHubError::Suspended => explain::suspended(app, installation, ""),
        GitHubError::NotFound => explain::installation_gone(app, installation.id),
        error => explain::github(error, app),
    }
}
