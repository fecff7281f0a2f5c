//! From an owner to a token: the installation, the app JWT, the mint, and what to do when GitHub says no.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::remote::{Owner, RepositoryName};
use tracing::info;

use crate::broker::app_api::call::{chance, pending};
use crate::broker::tokens::narrow::Narrowed;
use crate::broker::{Broker, explain, panicked};
use crate::clock::Moment;
use crate::github::GitHubError;
use crate::installation::Remembered;
use crate::lineage;
use crate::model::{App, Caller, Installation, InstallationId, TokenScope};
use crate::token::{Minted, Refresh, Role, Successor, TokenLease};

/// How long a repository is believed not to be part of an installation. Short, as for owners.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// Most refusals that are remembered; they are short-lived, so the map is simply emptied.
const MAX_REFUSED: usize = 1000;

/// What makes two mints the same mint. A caller that needs a longer life cannot share a flight with one that needs less.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::broker) struct MintKey {
    scope: TokenScope,
    min_ttl: Duration,
}

/// A mint that is needed.
pub(in crate::broker) struct Mint {
    pub(in crate::broker) app: App,
    pub(in crate::broker) owner: Owner,
    pub(in crate::broker) installation: Installation,
    /// The one installation that the configuration names, if it names one.
    pub(in crate::broker) pinned: Option<InstallationId>,
    pub(in crate::broker) scope: TokenScope,
    pub(in crate::broker) min_ttl: Duration,
    /// The repository that git is about to use the token for; none when it is not for git.
    pub(in crate::broker) for_git: Option<RepositoryName>,
    /// Mint although there is a token: it is replaced ahead of its end.
    pub(in crate::broker) ahead: bool,
}

impl Mint {
    /// What the next mint for its scope needs, for whom this one is.
    fn successor(&self, caller: &Caller) -> Successor {
        // Both say the same, and the installation's name is there for all of its tokens.
        let account = self.installation.account.as_ref();
        let owner = account.filter(|account| account.as_str() == self.owner.as_str()).unwrap_or(&self.owner).clone();
        let (pinned, min_ttl, for_git) = (self.pinned, self.min_ttl, self.for_git.clone());
        Successor { owner, pinned, min_ttl, for_git, caller: caller.clone() }
    }
}

/// GitHub's recent word that a repository is not part of an installation.
pub(in crate::broker) struct Absence {
    error: WireError,
    since: Moment,
}

impl Absence {
    /// The refusal, if it is recent.
    pub(in crate::broker) fn still(
        refused: &mut HashMap<TokenScope, Self>,
        scope: &TokenScope,
        now: Moment,
    ) -> Option<WireError> {
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
    pub(in crate::broker) async fn installation(
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
        match outcome.unwrap_or_else(|| Err(panicked())) {
            // While GitHub cannot be asked, what it said last is still the best there is: tokens at hand go on being served.
            Err(error) if is_outage(&error) => {
                let last = self.state().installations.last_known(&app.name, owner).cloned();
                last.map(Some).ok_or(error)
            }
            outcome => outcome,
        }
    }

    /// The installation to use for an owner: the pinned one if there is one, else the owner's.
    pub(in crate::broker) async fn installation_of(
        self: &Arc<Self>,
        app: &App,
        owner: &Owner,
        pinned: Option<InstallationId>,
    ) -> Result<Option<Installation>, WireError> {
        let Some(id) = pinned else { return self.installation(app, owner).await };
        let now = self.clock.now();
        if let Some(Remembered::Installed(installation)) = self.state().installations.get(&app.name, owner, now)
            && installation.id == id
        {
            return Ok(Some(installation.clone()));
        }
        let call = |jwt| pending(async move { self.github.installation(app, &jwt, id).await });
        let found = self.ask(app, call).await?.map_err(|error| explain::github(&error, app))?;
        match found {
            Some(found) if found.account.as_ref() == Some(owner) => {
                self.state().installations.put(&app.name, owner, Some(found.clone()), now);
                Ok(Some(found))
            }
            Some(found) => Err(explain::pinned_elsewhere(app, &found, owner)),
            None => Err(explain::pinned_missing(app, id)),
        }
    }

    async fn look_up(self: &Arc<Self>, app: &App, owner: &Owner) -> Result<Option<Installation>, WireError> {
        let call = |jwt| pending(async move { self.github.installation_of_owner(app, &jwt, owner).await });
        let found = self.ask(app, call).await?.map_err(|error| explain::github(&error, app))?;
        // An enterprise installation reaches no repository of an organization.
        let found = found.filter(|installation| installation.account.is_some());
        let now = self.clock.now();
        self.state().installations.put(&app.name, owner, found.clone(), now);
        Ok(found)
    }

    /// Mints, or waits for the mint of the same scope that is under way.
    pub(in crate::broker) async fn mint_once(
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
        Ok((outcome.unwrap_or_else(|| Err(panicked()))?, role))
    }

    async fn mint(self: Arc<Self>, mut mint: Mint, caller: &Caller) -> Result<TokenLease, WireError> {
        if let Some(closed) = self.state().closed() {
            return Err(closed);
        }
        let now = self.clock.now();
        // Somebody's mint may have ended between our look at the cache and this one.
        let at_hand = self.state().tokens.peek(&mint.scope, mint.min_ttl, now).cloned();
        if let Some(lease) = at_hand.filter(|_| !mint.ahead) {
            return Ok(lease);
        }
        let program = lineage::describe(caller);
        let narrowed = match self.ask_for_token(&mint, caller).await? {
            // The App was uninstalled, perhaps installed anew under another number: look once more, mint once more.
            Err(GitHubError::NotFound) => {
                self.state().installations.forget_owner(&mint.app.name, &mint.owner);
                let found = self.installation_of(&mint.app, &mint.owner, mint.pinned).await?;
                let found = found.ok_or_else(|| explain::not_installed(&mint.app, &mint.owner))?;
                info!(installation = %found.id, "the App was reinstalled");
                mint.scope.installation = found.id;
                mint.installation = found;
                self.ask_for_token(&mint, caller).await?
            }
            outcome => outcome,
        };
        let Narrowed { token, renamed } = narrowed.map_err(|error| self.refused(&mint, &error))?;
        let token = token.by_our_clock(self.clock.now().wall, self.skew(&mint.app));
        if self.state().closed().is_none() {
            self.prove(&mint, &token).await;
        }
        let at = self.clock.now();
        let life = token.expires_at.saturating_sub(at.wall);
        let refresh = Refresh::plan(Duration::from_secs(life.unsigned_abs()), at, chance());
        let kept = {
            let mut state = self.state();
            // Nobody may have the token of an App that was removed meanwhile, or one that comes behind a lock.
            state.keeps_token(&mint.app, &mint.scope).then(|| {
                let (account, program) = (mint.installation.account.clone(), program.map(Into::into));
                let (token, successor) = (token.clone(), mint.successor(caller));
                let minted = Minted { token, account, program, successor, at, refresh, renamed };
                state.tokens.put(mint.scope.clone(), minted).clone()
            })
        };
        let Some(minted) = kept else {
            self.kill_unwanted(&mint, &token, caller).await;
            let closed = self.state().closed();
            return Err(closed.unwrap_or_else(|| match &mint.scope.exposure {
                Some(_) => explain::exposed::over(),
                None => explain::unknown_app(mint.app.name.as_str()),
            }));
        };
        let least = i64::try_from(mint.min_ttl.as_secs()).unwrap_or(i64::MAX);
        if life < least {
            // It is listed, for it lives, and may do for somebody who asks for less.
            return Err(explain::too_short(&mint.app, life, least));
        }
        self.refresh_in_time(minted.id);
        Ok(minted)
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
            // Its other refusals of a mint are about too much at once; there is no number in the documentation, but in its words.
            GitHubError::Refused { status: 422, message } => explain::too_much(app, scope, message),
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
}

/// Whether a failure says nothing about what was asked, only that GitHub could not be asked.
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
