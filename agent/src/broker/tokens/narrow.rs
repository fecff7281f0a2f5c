//! One token for exactly one set of repositories: by their ids if those are known, else by their names, even after a rename.

use std::sync::Arc;

use ghapp_protocol::error::WireError;
use ghapp_protocol::remote::{FullName, RepositoryName};
use tracing::info;

use super::Tokens;
use super::fresh::Fresh;
use super::wanted::Mint;
use crate::broker::app_api::pending;
use crate::broker::explain;
use crate::github::{GitHubError, MintRepositories, MintedRepository, RepositoryInstallation};
use crate::model::{App, Caller, InstallationToken, Level, RepositorySet, TokenScope};
use crate::token::Reached;

/// A token, and what it reaches.
pub(super) struct Narrowed {
    pub(super) fresh: Fresh,
    pub(super) reached: Reached,
}

/// A token that GitHub gave, and the repositories that it says it is for. It is not wider than it was asked for.
pub(super) struct Given {
    pub(super) fresh: Fresh,
    pub(super) repositories: Vec<MintedRepository>,
}

impl Given {
    fn narrowed(self, mint: &Mint) -> Narrowed {
        let names = self.repositories.into_iter().map(|it| it.name);
        Narrowed { fresh: self.fresh, reached: Reached::of(&mint.owner, &mint.scope, names) }
    }

    /// The names and ids of its repositories.
    fn ids(&self) -> Vec<(RepositoryName, u64)> {
        self.repositories.iter().map(|it| (it.name.repository.clone(), it.id)).collect()
    }
}

/// The outer error is ours; the inner one is GitHub's last word.
type Outcome<T> = Result<Result<T, GitHubError>, WireError>;

impl Tokens {
    /// Asks GitHub for a token for the mint's set.
    pub(super) async fn ask_for_token(self: &Arc<Self>, mint: &Mint, caller: &Caller) -> Outcome<Narrowed> {
        let Mint { app, scope, .. } = mint;
        let Some(names) = mint.scope.repositories.names() else {
            return Ok(self
                .ask_to_mint(app, scope, MintRepositories::Installation, caller)
                .await?
                .map(|given| given.narrowed(mint)));
        };
        let ids = self.shared.state().known.repository_ids_of(&mint.scope);
        if let Some(ids) = ids {
            match self.ask_to_mint(app, scope, MintRepositories::Ids(&ids), caller).await? {
                Ok(given) => {
                    let narrowed = given.narrowed(mint);
                    if narrowed.reached.is_as_asked() {
                        return Ok(Ok(narrowed));
                    }
                    return self.settle_names(mint, names, narrowed, caller).await;
                }
                // The App lost one of them, or it was deleted and made anew.
                Err(GitHubError::RepositoryNotIncluded) => self.shared.state().known.forget_repository_ids(&mint.scope),
                Err(error) => return Ok(Err(error)),
            }
        }
        match self.ask_to_mint(app, scope, MintRepositories::Names(names), caller).await? {
            Ok(given) => {
                self.shared.state().known.learn_repository_ids(&mint.scope, &given.ids());
                Ok(Ok(given.narrowed(mint)))
            }
            Err(GitHubError::RepositoryNotIncluded) => self.follow_rename(mint, caller).await,
            Err(error) => Ok(Err(error)),
        }
    }

    /// Settles a token by ids whose repositories have other names now. Repositories that now have the old names come first, for
    /// names are what git and the rules mean; if there are none, the renamed ones are meant. Only GitHub's own word tells that: any
    /// other failure says nothing about the names.
    async fn settle_names(
        self: &Arc<Self>,
        mint: &Mint,
        names: &[RepositoryName],
        by_id: Narrowed,
        caller: &Caller,
    ) -> Outcome<Narrowed> {
        match self.ask_to_mint(&mint.app, &mint.scope, MintRepositories::Names(names), caller).await? {
            Ok(given) => {
                info!("an old name belongs to another repository now");
                {
                    let mut state = self.shared.state();
                    state.known.forget_repository_ids(&mint.scope);
                    state.known.learn_repository_ids(&mint.scope, &given.ids());
                }
                by_id.fresh.kill().await;
                Ok(Ok(given.narrowed(mint)))
            }
            Err(GitHubError::RepositoryNotIncluded) => Ok(Ok(by_id)),
            Err(error) => {
                by_id.fresh.kill().await;
                Ok(Err(error))
            }
        }
    }

    /// The one place where a token is asked for. It has an owner from GitHub's answer on; one that is wider than asked is revoked.
    pub(super) async fn ask_to_mint(
        self: &Arc<Self>,
        app: &App,
        scope: &TokenScope,
        repositories: MintRepositories<'_>,
        caller: &Caller,
    ) -> Outcome<Given> {
        let asked = repositories.count();
        let call = self.app_api.call(app, |github, jwt| {
            pending(async move {
                let outcome = github.mint(app, &jwt, scope.installation, repositories, &scope.permissions).await;
                if let Err(error) = &outcome
                    && error.may_have_happened()
                {
                    self.admit_lost_answer(scope, error);
                }
                let answer = outcome?;
                let token = answer.token.by_our_clock(self.shared.now().wall, self.app_api.skew(app));
                let fresh = Fresh::new(self, app, scope, token, caller);
                match answer.flaw {
                    None => Ok(Given { fresh, repositories: answer.repositories }),
                    Some(flaw) => {
                        fresh.kill().await;
                        Err(GitHubError::Garbled(flaw))
                    }
                }
            })
        });
        let Given { fresh, repositories } = match call.await? {
            Ok(given) => given,
            Err(error) => return Ok(Err(error)),
        };
        if is_wider(fresh.token(), asked, repositories.len(), scope) {
            fresh.kill().await;
            return Err(explain::reached::wider(&app.host));
        }
        Ok(Ok(Given { fresh, repositories }))
    }

    /// Admits in the audit log that GitHub may have minted a token that never arrived. No process has it; it expires in an hour.
    fn admit_lost_answer(&self, scope: &TokenScope, error: &GitHubError) {
        let mut entry = self.shared.own_entry("mint");
        entry.record.host = Some(scope.host.to_string());
        entry.record.app = Some(scope.app.to_string());
        entry.record.installation_id = Some(scope.installation.0);
        entry.record.outcome = format!("answer lost: {error}");
        self.shared.write(entry);
    }

    /// A repository that the installation seems not to include may only have another name now. GitHub answers a lookup by the old
    /// name with the id, and a token can be minted for the id.
    async fn follow_rename(self: &Arc<Self>, mint: &Mint, caller: &Caller) -> Outcome<Narrowed> {
        let RepositorySet::One(repository) = &mint.scope.repositories else {
            return Ok(Err(GitHubError::RepositoryNotIncluded));
        };
        let name = FullName { owner: mint.owner.clone(), repository: repository.clone() };
        let app = &mint.app;
        let name = &name;
        let call = self
            .app_api
            .call(app, |github, jwt| pending(async move { github.installation_of_repository(app, &jwt, name).await }));
        match call.await? {
            Ok(RepositoryInstallation::Moved { repository_id }) => {
                info!(%name, repository_id, "the repository was renamed");
                let by_id = MintRepositories::Ids(&[repository_id]);
                let given = self.ask_to_mint(app, &mint.scope, by_id, caller).await?;
                if given.is_ok() {
                    self.shared.state().known.learn_repository_ids(&mint.scope, &[(repository.clone(), repository_id)]);
                }
                Ok(given.map(|given| given.narrowed(mint)))
            }
            Ok(_) => Ok(Err(GitHubError::RepositoryNotIncluded)),
            Err(error) => Ok(Err(error)),
        }
    }
}

/// Whether GitHub gave more than it was asked for: other than `asked` repositories (none is a whole installation), or a permission.
/// Every token may read metadata. The rules judge which repositories they are.
fn is_wider(token: &InstallationToken, asked: Option<usize>, given: usize, scope: &TokenScope) -> bool {
    let mut permissions = token.permissions.iter();
    asked.is_some_and(|asked| asked != given)
        || permissions.any(|(name, level)| {
            (name, level) != ("metadata", Level::Read)
                && scope.permissions.level(name).is_none_or(|limit| limit < level)
        })
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::{Host, RepositoryName};
    use ghapp_protocol::secret::Secret;

    use super::is_wider;
    use crate::model::{AppName, InstallationId, InstallationToken, Level, Permissions, RepositorySet, TokenScope};

    #[test]
    fn a_token_that_reaches_more_or_may_do_more_than_was_asked_for_is_wider() {
        let scope = TokenScope {
            app: AppName::parse("bot").unwrap(),
            host: Host::parse("github.com").unwrap(),
            installation: InstallationId(1),
            repositories: RepositorySet::One(RepositoryName::parse("web").unwrap()),
            permissions: Permissions::of([("contents", Level::Read)]),
            exposure: None,
        };
        let wider = |given, permissions: &[(&'static str, Level)]| {
            let permissions = Permissions::of(permissions.iter().copied());
            is_wider(&InstallationToken::new(Secret::new("t".to_owned()), 0, permissions), Some(1), given, &scope)
        };
        assert!(!wider(1, &[("contents", Level::Read), ("metadata", Level::Read)]));
        assert!(!wider(1, &[("contents", Level::Read)]), "whatever its name is");
        assert!(wider(0, &[("contents", Level::Read)]), "GitHub lists none for the whole installation");
        assert!(wider(2, &[("contents", Level::Read)]));
        assert!(wider(1, &[("contents", Level::Write)]));
        assert!(wider(1, &[("contents", Level::Read), ("issues", Level::Read)]));
        assert!(wider(1, &[("contents", Level::Read), ("metadata", Level::Admin)]));
    }
}
