//! From an owner to a token: the installation, the app JWT, the mint, and what to do when GitHub says no.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::remote::{FullName, Owner};
use tracing::{info, warn};

use super::{Broker, explain};
use crate::clock::Moment;
use crate::github::{GitHubError, MintRepositories, RepositoryInstallation};
use crate::installation::Remembered;
use crate::lineage;
use crate::model::{App, Caller, Installation, InstallationToken, RepositorySet, TokenScope};
use crate::signer::{self, AppJwt};
use crate::token::{Minted, Role, TokenLease};

/// A JWT with less life than this is not used: the call it is for may take its time.
const JWT_MARGIN: i64 = 120;
/// How long a repository is believed not to be part of an installation. Short, as for owners.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// Most refusals that are remembered; they are short-lived, so the map is simply emptied.
const MAX_REFUSED: usize = 1000;

/// What makes two mints the same mint. A caller that needs a longer life cannot share a flight with one that needs less.
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
    pub(super) scope: TokenScope,
    pub(super) min_ttl: Duration,
}

/// GitHub's recent word that a repository is not part of an installation.
pub(super) struct Absence {
    error: WireError,
    since: Moment,
}

impl Absence {
    /// The refusal, if it is recent.
    pub(super) fn still(refused: &mut HashMap<TokenScope, Self>, scope: &TokenScope, now: Moment) -> Option<WireError> {
        let absence = refused.get(scope)?;
        if now.boot.saturating_sub(absence.since.boot) < REFUSED_FOR {
            return Some(absence.error.clone());
        }
        refused.remove(scope);
        None
    }
}

impl Broker {
    /// The installation on an owner: remembered, or looked up once for all who ask.
    pub(super) async fn installation(
        self: &Arc<Self>,
        app: &App,
        owner: &Owner,
    ) -> Result<Option<Installation>, WireError> {
        let now = self.clock.now();
        if let Some(remembered) = self.state().installations.get(&app.name, owner, now) {
            return Ok(match remembered {
                Remembered::Installed(installation) => Some(installation.clone()),
                Remembered::Absent => None,
            });
        }
        let key = (app.name.clone(), owner.clone());
        let (outcome, _) = self
            .lookups
            .join(key, || {
                let (broker, app, owner) = (Arc::clone(self), app.clone(), owner.clone());
                async move { broker.look_up(&app, &owner).await }
            })
            .await;
        outcome.unwrap_or_else(|| Err(panicked()))
    }

    async fn look_up(self: &Arc<Self>, app: &App, owner: &Owner) -> Result<Option<Installation>, WireError> {
        let jwt = self.jwt(app).await?;
        let mut found = self.github.installation_of_owner(app, &jwt, owner).await;
        if let Some(jwt) = self.signed_anew(app, found.as_ref().err()).await? {
            found = self.github.installation_of_owner(app, &jwt, owner).await;
        }
        let found = found.map_err(|error| explain::github(&error, app))?;
        // An enterprise installation reaches no repository of an organization.
        let found = found.filter(|installation| installation.account.is_some());
        let now = self.clock.now();
        self.state().installations.put(&app.name, owner, found.clone(), now);
        Ok(found)
    }

    /// Mints, or waits for the mint of the same scope that is under way.
    pub(super) async fn mint_once(
        self: &Arc<Self>,
        mint: Mint,
        caller: &Caller,
    ) -> Result<(TokenLease, Role), WireError> {
        let key = MintKey { scope: mint.scope.clone(), min_ttl: mint.min_ttl };
        let (outcome, role) = self
            .mints
            .join(key, || {
                let (broker, caller) = (Arc::clone(self), caller.clone());
                async move { broker.mint(mint, &caller).await }
            })
            .await;
        let lease = outcome.unwrap_or_else(|| Err(panicked()))?;
        // Each who waited counts as a use; the first one too.
        let now = self.clock.now();
        let used = self.state().tokens.use_token(&lease.scope, Duration::ZERO, now).cloned();
        Ok((used.filter(|used| used.id == lease.id).unwrap_or(lease), role))
    }

    async fn mint(self: Arc<Self>, mut mint: Mint, caller: &Caller) -> Result<TokenLease, WireError> {
        let requested_by = lineage::describe(caller);
        let token = match self.ask_for_token(&mint).await? {
            // The App was uninstalled, perhaps installed anew under another number: look once more, mint once more.
            Err(GitHubError::NotFound) => {
                self.state().installations.forget_owner(&mint.app.name, &mint.owner);
                let found = self.installation(&mint.app, &mint.owner).await?;
                let found = found.ok_or_else(|| explain::not_installed(&mint.app, &mint.owner))?;
                info!(installation = %found.id, "the App was reinstalled");
                mint.scope.installation = found.id;
                mint.installation = found;
                self.ask_for_token(&mint).await?
            }
            Err(GitHubError::RepositoryNotIncluded) => self.follow_rename(&mint).await?,
            outcome => outcome,
        };
        let mut token = token.map_err(|error| self.refused(&mint, &error))?;
        // GitHub's clock said when it dies; ours is the one that everybody here compares with.
        token.expires_at -= self.skew(&mint.app);
        let at = self.clock.now();
        let least = i64::try_from(mint.min_ttl.as_secs()).unwrap_or(i64::MAX);
        if token.expires_at.saturating_sub(at.wall) < least {
            return Err(explain::too_short(&mint.app, token.expires_at - at.wall, least));
        }
        let account = mint.installation.account_name();
        let mut state = self.state();
        let minted = Minted { token, account, requested_by, at };
        let id = state.tokens.put(mint.scope.clone(), minted.clone());
        drop(state);
        Ok(TokenLease { id, scope: mint.scope, minted, last_used: at, uses: 1 })
    }

    async fn ask_for_token(self: &Arc<Self>, mint: &Mint) -> Result<Result<InstallationToken, GitHubError>, WireError> {
        let repositories = match mint.scope.repositories.names() {
            Some(names) => MintRepositories::Names(names),
            None => MintRepositories::Installation,
        };
        self.mint_for(mint, repositories).await
    }

    async fn mint_for(
        self: &Arc<Self>,
        mint: &Mint,
        repositories: MintRepositories<'_>,
    ) -> Result<Result<InstallationToken, GitHubError>, WireError> {
        let Mint { app, installation, scope, .. } = mint;
        let jwt = self.jwt(app).await?;
        let mut token = self.github.mint(app, &jwt, installation.id, repositories, &scope.permissions).await;
        if let Some(jwt) = self.signed_anew(app, token.as_ref().err()).await? {
            token = self.github.mint(app, &jwt, installation.id, repositories, &scope.permissions).await;
        }
        Ok(token)
    }

    /// A repository that the installation does not include may only be called differently now. GitHub answers a lookup by its
    /// old name with its number, and the number can be minted for.
    async fn follow_rename(self: &Arc<Self>, mint: &Mint) -> Result<Result<InstallationToken, GitHubError>, WireError> {
        let RepositorySet::One(repository) = &mint.scope.repositories else {
            return Ok(Err(GitHubError::RepositoryNotIncluded));
        };
        let name = FullName { owner: mint.owner.clone(), repository: repository.clone() };
        let app = &mint.app;
        let jwt = self.jwt(app).await?;
        let found = self.github.installation_of_repository(app, &jwt, &name).await;
        match found {
            Ok(RepositoryInstallation::Moved { repository_id }) => {
                info!(%name, repository_id, "the repository was renamed");
                self.mint_for(mint, MintRepositories::Id(repository_id)).await
            }
            Ok(_) => Ok(Err(GitHubError::RepositoryNotIncluded)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Explains why there is no token, and remembers for a moment what would only be refused again.
    fn refused(&self, mint: &Mint, error: &GitHubError) -> WireError {
        let Mint { app, installation, scope, owner, .. } = mint;
        let explained = match error {
            GitHubError::RepositoryNotIncluded => explain::not_covered(app, owner, scope, installation),
            GitHubError::NotFound => explain::not_installed(app, owner),
            GitHubError::Suspended => {
                self.state().installations.forget_owner(&app.name, owner);
                explain::suspended(app, installation, "")
            }
            GitHubError::PermissionNotGranted => {
                // The grant has changed since it was looked up: the next question looks again.
                self.state().installations.forget_owner(&app.name, owner);
                explain::grant_changed(app, installation, &scope.permissions)
            }
            error => explain::github(error, app),
        };
        if *error == GitHubError::RepositoryNotIncluded {
            let since = self.clock.now();
            let mut state = self.state();
            if state.refused.len() >= MAX_REFUSED {
                state.refused.clear();
            }
            state.refused.insert(scope.clone(), Absence { error: explained.clone(), since });
        }
        explained
    }

    /// After a call that failed: a new app JWT if GitHub refused the old one because of the clock and told its own time.
    ///
    /// The difference is remembered, so that it costs one call and not one per call. A second refusal is final.
    pub(super) async fn signed_anew(
        self: &Arc<Self>,
        app: &App,
        error: Option<&GitHubError>,
    ) -> Result<Option<AppJwt>, WireError> {
        let Some(GitHubError::Clock { server_time: Some(server_time) }) = error else {
            return Ok(None);
        };
        let skew = server_time - self.clock.now().wall;
        warn!(app = %app.name, skew, "this machine's clock differs from GitHub's");
        {
            let mut state = self.state();
            state.skew.insert(app.name.clone(), skew);
            state.jwts.remove(&app.name);
        }
        self.jwt(app).await.map(Some)
    }

    /// An app JWT: the one at hand, or signed once for all who ask.
    pub(super) async fn jwt(self: &Arc<Self>, app: &App) -> Result<AppJwt, WireError> {
        let server_now = self.server_now(app);
        let at_hand = self.state().jwts.get(&app.name).cloned();
        if let Some(jwt) = at_hand.filter(|jwt| jwt.expires_at - server_now > JWT_MARGIN) {
            return Ok(jwt);
        }
        let (outcome, _) = self
            .jwts
            .join(app.name.clone(), || {
                let (broker, app) = (Arc::clone(self), app.clone());
                async move { broker.sign(&app).await }
            })
            .await;
        outcome.unwrap_or_else(|| Err(panicked()))
    }

    /// Reads the key, signs, and lets go of the key.
    async fn sign(&self, app: &App) -> Result<AppJwt, WireError> {
        let id = app.key_id().ok_or_else(|| explain::no_key(app))?;
        let key = self.stores.load(app.store, &id).await;
        let key = key.map_err(|error| explain::store(&error, app))?;
        let fingerprint = signer::fingerprint(&key).map_err(|_| explain::damaged_key(app))?;
        if fingerprint != id.fingerprint {
            return Err(explain::damaged_key(app)); // somebody put another key under our name
        }
        let jwt = signer::sign(&key, &app.issuer(), self.server_now(app));
        let jwt = jwt.map_err(|_| explain::damaged_key(app))?;
        self.state().jwts.insert(app.name.clone(), jwt.clone());
        Ok(jwt)
    }

    fn server_now(&self, app: &App) -> i64 {
        self.clock.now().wall.saturating_add(self.skew(app))
    }

    /// GitHub's clock minus ours, as far as we know.
    fn skew(&self, app: &App) -> i64 {
        self.state().skew.get(&app.name).copied().unwrap_or(0)
    }
}

pub(super) fn panicked() -> WireError {
    WireError::new(ErrorCode::Internal, "the agent met an error of its own; its log says more")
}
