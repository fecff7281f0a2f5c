//! The installation of an App on an owner: remembered, or looked up once for all clients that ask.

use std::sync::Arc;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::frame;
use ghapp_protocol::remote::Owner;
use serde::Serialize;

use super::Tokens;
use crate::broker::app_api::pending;
use crate::broker::explain;
use crate::broker::shared::panicked;
use crate::installation::Remembered;
use crate::model::{App, AppName, Installation, InstallationId};

impl Tokens {
    /// The installation to use for an owner: the pinned one if there is one, else the owner's.
    pub(in crate::broker) async fn installation_of(
        self: &Arc<Self>,
        app: &App,
        owner: &Owner,
        pinned: Option<InstallationId>,
    ) -> Result<Option<Installation>, WireError> {
        let Some(id) = pinned else { return self.installation(app, owner).await };
        let now = self.shared.now();
        if let Some(Remembered::Installed(installation)) = self.shared.state().known.installation(&app.name, owner, now)
            && installation.id == id
        {
            return Ok(Some(installation.clone()));
        }
        let call =
            self.app_api.ask(app, |github, jwt| pending(async move { github.installation(app, &jwt, id).await }));
        match call.await? {
            Some(found) if found.account.as_ref() == Some(owner) => {
                self.believe(app, owner, &found);
                Ok(Some(found))
            }
            Some(found) => Err(explain::pinned_elsewhere(app, &found, owner)),
            None => Err(explain::pinned_missing(app, id)),
        }
    }

    /// The installation on an owner: remembered, or looked up once for all clients that ask.
    async fn installation(self: &Arc<Self>, app: &App, owner: &Owner) -> Result<Option<Installation>, WireError> {
        let now = self.shared.now();
        if let Some(remembered) = self.shared.state().known.installation(&app.name, owner, now) {
            return Ok(match remembered {
                Remembered::Installed(installation) => Some(installation.clone()),
                Remembered::Absent => None,
            });
        }
        let key = (app.name.clone(), owner.clone());
        let (outcome, _) = self
            .lookups
            .join(key, || {
                let (tokens, app, owner) = (Arc::clone(self), app.clone(), owner.clone());
                async move { tokens.look_up(&app, &owner).await }
            })
            .await;
        match outcome.unwrap_or_else(|| Err(panicked())) {
            // While GitHub cannot be asked, its last answer still counts: tokens at hand go on being served.
            Err(error) if is_outage(&error) => {
                self.shared.state().known.last_installation(&app.name, owner).map(Some).ok_or(error)
            }
            outcome => outcome,
        }
    }

    async fn look_up(self: &Arc<Self>, app: &App, owner: &Owner) -> Result<Option<Installation>, WireError> {
        let call = self
            .app_api
            .ask(app, |github, jwt| pending(async move { github.installation_of_owner(app, &jwt, owner).await }));
        // An enterprise installation reaches no repository of an organization.
        let found = call.await?.filter(|installation| installation.account.is_some());
        if let Some(found) = found.as_ref().filter(|found| found.account.as_ref() != Some(owner)) {
            // Nothing is learned from it: neither that there is one, nor that there is none.
            return Err(explain::reached::another_account(app, owner, found));
        }
        let now = self.shared.now();
        self.shared.state().known.learn_installation(&app.name, owner, found.clone(), now);
        Ok(found)
    }

    /// Asks GitHub for all installations of an App and remembers them.
    pub(in crate::broker) async fn list_installations(self: &Arc<Self>, app: &App) -> Result<(), WireError> {
        let call = self.app_api.ask(app, |github, jwt| pending(async move { github.installations(app, &jwt).await }));
        let listed = call.await?;
        let now = self.shared.now();
        self.shared.state().known.learn_all(&app.name, listed, now);
        Ok(())
    }

    /// The accounts on which an App is installed, as GitHub lists them now or did lately.
    pub(in crate::broker) async fn accounts(self: &Arc<Self>, app: &App) -> Result<Vec<Option<Owner>>, WireError> {
        let is_listed = self.shared.state().known.all_installations(&app.name, self.shared.now()).is_some();
        if !is_listed {
            self.list_installations(app).await?;
        }
        let now = self.shared.now();
        let state = self.shared.state();
        let all = state.known.all_installations(&app.name, now).unwrap_or_default();
        Ok(all.into_iter().map(|installation| installation.account.clone()).collect())
    }

    /// The first installation of an App that GitHub told of and that is `wanted`.
    pub(in crate::broker) fn seen(
        &self,
        app: &AppName,
        wanted: impl Fn(&Installation) -> bool,
    ) -> Option<Installation> {
        self.shared.state().known.seen_installations(app).find(|installation| wanted(installation)).cloned()
    }

    /// The installations of an App that were heard of, behind an id and in the order of their ids: what `of` tells of as many as fit
    /// into an answer, and whether there are more.
    pub(in crate::broker) fn page_of_installations<T: Serialize>(
        &self,
        app: &AppName,
        after: Option<u64>,
        of: impl Fn(&Installation) -> T,
    ) -> (Vec<T>, bool) {
        let state = self.shared.state();
        let is_behind = |one: &&Installation| after.is_none_or(|after| one.id.0 > after);
        frame::page(state.known.seen_installations(app).filter(is_behind).map(of))
    }

    /// Believes what GitHub just said about an owner.
    pub(in crate::broker) fn believe(&self, app: &App, owner: &Owner, found: &Installation) {
        let now = self.shared.now();
        self.shared.state().known.learn_installation(&app.name, owner, Some(found.clone()), now);
    }

    /// Forgets what was believed about an owner, since it has turned out wrong: the next question looks again.
    pub(in crate::broker) fn forget_owner(&self, app: &App, owner: &Owner) {
        self.shared.state().known.forget_owner(&app.name, owner);
    }
}

/// Whether a failure only says that GitHub could not be asked, and nothing about the question.
fn is_outage(error: &WireError) -> bool {
    matches!(
        error.code,
        ErrorCode::Unreachable
            | ErrorCode::GitHubUnavailable
            | ErrorCode::RateLimited
            | ErrorCode::ProxyRefused
            | ErrorCode::Locked
    )
}
