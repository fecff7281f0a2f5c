//! One mint for all questions that wait for it: GitHub's token, proved, and kept or revoked; and what to do when GitHub says no.

use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::{ErrorCode, WireError};
use tracing::info;

use super::Tokens;
use super::narrow::Narrowed;
use super::wanted::Mint;
use crate::broker::app_api::chance;
use crate::broker::explain;
use crate::broker::shared::panicked;
use crate::github::GitHubError;
use crate::model::Caller;
use crate::process::ancestry;
use crate::token::{Minted, Refresh, Role, TokenLease};

impl Tokens {
    /// Mints, or waits for the mint of the same scope that is under way.
    pub(super) async fn mint_once(
        self: &Arc<Self>,
        mint: Mint,
        caller: &Caller,
    ) -> Result<(TokenLease, Role), WireError> {
        let (outcome, role) = self
            .mints
            .join(mint.key(), || {
                let (tokens, caller) = (Arc::clone(self), caller.clone());
                async move { tokens.mint(mint, &caller).await }
            })
            .await;
        Ok((outcome.unwrap_or_else(|| Err(panicked()))?, role))
    }

    async fn mint(self: Arc<Self>, mut mint: Mint, caller: &Caller) -> Result<TokenLease, WireError> {
        let now = self.shared.now();
        {
            let state = self.shared.state();
            state.open()?;
            // Another mint may have finished since the cache was looked at first.
            if let Some(lease) = state.live.peek(&mint.scope, mint.min_ttl, now).filter(|_| !mint.ahead) {
                return Ok(lease.clone());
            }
        }
        let program = ancestry::describe(caller);
        let narrowed = match self.ask_for_token(&mint, caller).await? {
            // The App was uninstalled, perhaps installed anew under another id: look up once more, mint once more.
            Err(GitHubError::NotFound) => {
                self.shared.state().known.forget_owner(&mint.app.name, &mint.owner);
                let found = self.installation_of(&mint.app, &mint.owner, mint.pinned).await?;
                let found = found.ok_or_else(|| explain::not_installed(&mint.app, &mint.owner))?;
                info!(installation = %found.id, "the App was reinstalled");
                mint.scope.installation = found.id;
                mint.installation = found;
                self.ask_for_token(&mint, caller).await?
            }
            outcome => outcome,
        };
        let Narrowed { fresh, reached } = narrowed.map_err(|error| self.refused(&mint, &error))?;
        let is_admitted = self.shared.state().admits(&mint.claim(&reached)).is_ok();
        if is_admitted {
            self.prove(&mint, fresh.token()).await;
        }
        let at = self.shared.now();
        let life = fresh.token().expires_at.saturating_sub(at.wall);
        let refresh = Refresh::plan(Duration::from_secs(life.unsigned_abs()), at, chance());
        let kept = {
            let mut state = self.shared.state();
            match state.admits(&mint.claim(&reached)) {
                Ok(()) => Ok(fresh.keep(&mut state.live, mint.scope.clone(), |token| {
                    let (account, program) = (mint.installation.account.clone(), program.map(Into::into));
                    let successor = mint.successor(caller);
                    Minted { token, account, program, successor, at, refresh, reached }
                })),
                Err(closed) => {
                    if closed.code == ErrorCode::Denied && !reached.is_as_asked() {
                        // GitHub would only be asked for the same again.
                        state.known.remember_refusal(&mint.scope, closed.clone(), at);
                    }
                    Err((fresh, closed))
                }
            }
        };
        let minted = match kept {
            Ok(minted) => minted,
            Err((fresh, closed)) => {
                fresh.kill().await;
                return Err(closed);
            }
        };
        let least = i64::try_from(mint.min_ttl.as_secs()).unwrap_or(i64::MAX);
        if life < least {
            // It is listed, since it is alive and may do for a client that asks for less.
            return Err(explain::too_short(&mint.app, life, least));
        }
        self.refresh_in_time(minted.id);
        Ok(minted)
    }

    /// Explains why there is no token, and remembers for some seconds what would only be refused again.
    fn refused(&self, mint: &Mint, error: &GitHubError) -> WireError {
        let Mint { app, installation, scope, owner, .. } = mint;
        let forget_owner = || self.shared.state().known.forget_owner(&app.name, owner);
        match error {
            GitHubError::RepositoryNotIncluded => {
                let explained = explain::not_covered(app, owner, scope, installation);
                let now = self.shared.now();
                self.shared.state().known.remember_refusal(scope, explained.clone(), now);
                explained
            }
            GitHubError::NotFound => explain::not_installed(app, owner),
            GitHubError::Suspended => {
                forget_owner();
                explain::suspended(app, installation, "")
            }
            GitHubError::PermissionNotGranted => {
                // The grant has changed since it was looked up: the next question looks again.
                forget_owner();
                explain::grant_changed(app, installation, &scope.permissions)
            }
            // GitHub's other refusals of a mint are about too much at once. Its documentation has no limit; its message does.
            GitHubError::Refused { status: 422, message } => explain::too_much(app, scope, message),
            error => explain::github(error, app),
        }
    }
}
