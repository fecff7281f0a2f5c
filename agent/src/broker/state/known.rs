//! What GitHub said about installations and repositories, for as long as it is believed.

use ghapp_protocol::error::WireError;
use ghapp_protocol::remote::{Owner, RepositoryName};

use super::refusals::Refusals;
use crate::clock::Moment;
use crate::installation::RepositoryIds;
use crate::installation::{Installations, Remembered};
use crate::model::{AppName, Installation, TokenScope};

/// What GitHub said about installations and repositories.
#[derive(Default)]
pub(in crate::broker) struct Known {
    installations: Installations,
    /// The ids of repositories.
    repository_ids: RepositoryIds,
    /// Repositories that GitHub just said are not part of an installation.
    refusals: Refusals,
}

impl Known {
    /// What is believed about the installation on an owner.
    pub(in crate::broker) fn installation(&self, app: &AppName, owner: &Owner, now: Moment) -> Option<&Remembered> {
        self.installations.get(app, owner, now)
    }

    /// The last installation on an owner that GitHub told of, however long ago.
    pub(in crate::broker) fn last_installation(&self, app: &AppName, owner: &Owner) -> Option<Installation> {
        self.installations.last_known(app, owner).cloned()
    }

    /// GitHub said which installation is on an owner, or that there is none.
    pub(in crate::broker) fn learn_installation(
        &mut self,
        app: &AppName,
        owner: &Owner,
        found: Option<Installation>,
        now: Moment,
    ) {
        self.installations.put(app, owner, found, now);
    }

    /// GitHub listed all installations of an App. What was refused may be granted now.
    pub(in crate::broker) fn learn_all(&mut self, app: &AppName, installations: Vec<Installation>, now: Moment) {
        self.installations.replace(app, installations, now);
        self.refusals.forget_app(app);
    }

    /// All installations of an App, if GitHub listed them lately.
    pub(in crate::broker) fn all_installations(&self, app: &AppName, now: Moment) -> Option<Vec<&Installation>> {
        self.installations.all(app, now)
    }

    /// The installations of an App that GitHub told of, in the order of their ids.
    pub(in crate::broker) fn seen_installations(&self, app: &AppName) -> impl Iterator<Item = &Installation> {
        self.installations.seen(app)
    }

    /// What was believed about an owner has turned out wrong.
    pub(in crate::broker) fn forget_owner(&mut self, app: &AppName, owner: &Owner) {
        self.installations.forget_owner(app, owner);
    }

    /// What was believed about an App has to be learned anew.
    pub(in crate::broker) fn forget_app(&mut self, app: &AppName) {
        self.installations.forget_app(app);
    }

    pub(super) fn ask_anew<'a>(&mut self, apps: impl Iterator<Item = &'a AppName>) {
        self.refusals.clear();
        for app in apps {
            self.installations.forget_app(app);
        }
    }

    /// The ids of a scope's repositories, if all are known.
    pub(in crate::broker) fn repository_ids_of(&self, scope: &TokenScope) -> Option<Vec<u64>> {
        self.repository_ids.of(scope)
    }

    /// GitHub told the ids of a scope's repositories.
    pub(in crate::broker) fn learn_repository_ids(
        &mut self,
        scope: &TokenScope,
        repositories: &[(RepositoryName, u64)],
    ) {
        self.repository_ids.learn(scope, repositories);
    }

    /// The ids of a scope's repositories lead elsewhere now.
    pub(in crate::broker) fn forget_repository_ids(&mut self, scope: &TokenScope) {
        self.repository_ids.forget(scope);
    }

    /// Why GitHub refused a scope just now.
    pub(in crate::broker) fn recent_refusal(&mut self, scope: &TokenScope, now: Moment) -> Option<WireError> {
        self.refusals.recent(scope, now)
    }

    /// GitHub refused a scope; the next client that asks within seconds gets the same answer.
    pub(in crate::broker) fn remember_refusal(&mut self, scope: &TokenScope, error: WireError, now: Moment) {
        self.refusals.remember(scope, error, now);
    }

    /// GitHub has just said otherwise.
    pub(in crate::broker) fn forget_refusal(&mut self, scope: &TokenScope) {
        self.refusals.forget(scope);
    }
}
