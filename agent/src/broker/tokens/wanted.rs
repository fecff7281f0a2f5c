//! A token that is needed, and the mint that follows from it.

use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::remote::{Owner, RepositoryName};

use crate::broker::gate::Claim;
use crate::config::Config;
use crate::model::{
    App, Asked, Caller, ExposureId, Installation, InstallationId, Permissions, RepositorySet, TokenScope,
};
use crate::token::{Reached, Successor};

/// A token that is needed.
pub(in crate::broker) struct Wanted<'a> {
    pub(in crate::broker) app: &'a App,
    pub(in crate::broker) owner: &'a Owner,
    pub(in crate::broker) installation: Installation,
    pub(in crate::broker) pinned: Option<InstallationId>,
    pub(in crate::broker) repositories: RepositorySet,
    pub(in crate::broker) permissions: Permissions,
    /// The exposed socket that it is given out over.
    pub(in crate::broker) exposure: Option<ExposureId>,
    /// The repository that was asked for, if one was named.
    pub(in crate::broker) repository: Option<&'a RepositoryName>,
    /// Whether git is about to use the token.
    pub(in crate::broker) for_git: bool,
    pub(in crate::broker) min_ttl: Duration,
    /// The configuration by which this was decided.
    pub(in crate::broker) decided: &'a Arc<Config>,
}

impl Wanted<'_> {
    /// What the token reaches and may do.
    pub(super) fn scope(&self) -> TokenScope {
        TokenScope {
            app: self.app.name.clone(),
            host: self.app.host.clone(),
            installation: self.installation.id,
            repositories: self.repositories.clone(),
            permissions: self.permissions.clone(),
            exposure: self.exposure.clone(),
        }
    }

    /// The mint for it; `ahead` if it is to replace a token that is still good.
    pub(super) fn mint(&self, scope: TokenScope, ahead: bool) -> Mint {
        let Self { pinned, for_git, min_ttl, .. } = *self;
        let (app, owner, decided) = (self.app.clone(), self.owner.clone(), Arc::clone(self.decided));
        let (installation, repository) = (self.installation.clone(), self.repository.cloned());
        Mint { app, owner, installation, pinned, scope, min_ttl, repository, for_git, ahead, decided }
    }

    /// What the gate is asked about a token for it.
    pub(super) fn claim<'a>(&'a self, scope: &'a TokenScope, reached: &'a Reached) -> Claim<'a> {
        let asked = Asked { owner: self.owner, repository: self.repository };
        Claim { app: self.app, scope, asked, decided: self.decided, reached }
    }
}

/// What makes two mints the same mint. A client that needs a longer life cannot share a mint with one that needs less.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct MintKey {
    scope: TokenScope,
    min_ttl: Duration,
}

/// A mint that is needed.
pub(super) struct Mint {
    pub(super) app: App,
    pub(super) owner: Owner,
    pub(super) installation: Installation,
    /// The one installation that the configuration names, if it names one.
    pub(super) pinned: Option<InstallationId>,
    pub(super) scope: TokenScope,
    pub(super) min_ttl: Duration,
    /// The repository that was asked for, if one was named.
    pub(super) repository: Option<RepositoryName>,
    /// Whether git is about to use the token.
    pub(super) for_git: bool,
    /// Mint although there is a token: it is replaced before it expires.
    pub(super) ahead: bool,
    /// The configuration by which it was decided on.
    pub(super) decided: Arc<Config>,
}

impl Mint {
    /// By which mints are the same.
    pub(super) fn key(&self) -> MintKey {
        MintKey { scope: self.scope.clone(), min_ttl: self.min_ttl }
    }

    /// What the gate is asked about its token.
    pub(super) fn claim<'a>(&'a self, reached: &'a Reached) -> Claim<'a> {
        let asked = Asked { owner: &self.owner, repository: self.repository.as_ref() };
        Claim { app: &self.app, scope: &self.scope, asked, decided: &self.decided, reached }
    }

    /// What the next mint for the same scope needs, with the caller that this one is for.
    pub(super) fn successor(&self, caller: &Caller) -> Successor {
        // Both names are equal, and all tokens of the installation share its copy.
        let account = self.installation.account.as_ref();
        let owner = account.filter(|account| account.as_str() == self.owner.as_str()).unwrap_or(&self.owner).clone();
        let Self { pinned, min_ttl, for_git, .. } = *self;
        Successor { owner, pinned, min_ttl, repository: self.repository.clone(), for_git, caller: caller.clone() }
    }
}
