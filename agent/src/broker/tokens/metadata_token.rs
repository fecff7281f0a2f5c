//! What the agent itself asks GitHub with a token: one that may only look, for one question, and that is killed right behind it.

use std::sync::Arc;

use ghapp_protocol::error::WireError;

use crate::broker::app_api::call::{Pending, pending};
use crate::broker::{Broker, explain, new_record};
use crate::github::{GitHubError, MintAnswer, MintRepositories};
use crate::model::{App, Caller, Installation, InstallationToken, Level, Permissions, RepositorySet, TokenScope};

impl Broker {
    /// Asks something with a token of an installation that has the least permission there is. Nobody is given that token, and it is
    /// no lease; that it was there is written down. Must run in a flight, so that no caller who goes away leaves it alive.
    pub(in crate::broker) async fn look<'a, T>(
        self: &'a Arc<Self>,
        app: &'a App,
        installation: &'a Installation,
        caller: &Caller,
        question: impl Fn(InstallationToken) -> Pending<'a, T> + Send + Sync,
    ) -> Result<Result<T, GitHubError>, WireError> {
        if let Some(closed) = self.state().closed() {
            return Err(closed);
        }
        let scope = TokenScope {
            app: app.name.clone(),
            host: app.host.clone(),
            installation: installation.id,
            repositories: RepositorySet::Installation,
            permissions: Permissions::of([("metadata", Level::Read)]),
            exposure: None,
        };
        let token = match self.mint_to_look(app, &scope).await? {
            Ok(MintAnswer { token, .. }) => token,
            Err(error) => return Err(refused(&error, app, installation)),
        };
        self.write_down(&scope, &token, caller);
        // The JWT of the mint is at hand; what is needed of `ask` is its patience.
        let outcome = self.ask(app, |_| question(token.clone())).await;
        self.kill_unlisted(app, &scope, &token, caller).await;
        outcome
    }

    async fn mint_to_look(
        self: &Arc<Self>,
        app: &App,
        scope: &TokenScope,
    ) -> Result<Result<MintAnswer, GitHubError>, WireError> {
        let call = |jwt| {
            pending(async move {
                let all = MintRepositories::Installation;
                let outcome = self.github.mint(app, &jwt, scope.installation, all, &scope.permissions).await;
                if let Err(error) = &outcome
                    && error.may_have_happened()
                {
                    self.admit_lost_answer(scope, error);
                }
                outcome
            })
        };
        self.ask(app, call).await
    }

    fn write_down(&self, scope: &TokenScope, token: &InstallationToken, caller: &Caller) {
        let now = self.clock.now();
        let mut record = new_record("look", caller, now);
        "mint".clone_into(&mut record.outcome);
        record.host = Some(scope.host.to_string());
        record.app = Some(scope.app.to_string());
        record.installation_id = Some(scope.installation.0);
        record.repositories = Some("installation".into());
        record.permissions = Some(token.permissions.to_string());
        record.hashed_token = Some(token.hash);
        self.write(record, now);
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
