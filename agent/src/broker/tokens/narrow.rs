//! One token for exactly one set of repositories: by their ids if those are known, else by their names, even after a rename.

use std::sync::Arc;

use ghapp_protocol::error::WireError;
use ghapp_protocol::remote::{FullName, RepositoryName};
use tracing::info;

use super::Tokens;
use super::wanted::Mint;
use crate::broker::app_api::pending;
use crate::broker::explain;
use crate::github::{GitHubError, MintAnswer, MintRepositories, RepositoryInstallation};
use crate::model::{App, Caller, InstallationToken, Level, RepositorySet, TokenScope};

/// A token for exactly the set that was asked for.
pub(super) struct Narrowed {
    pub(super) token: InstallationToken,
    /// One of the repositories has another name now. A different repository may take its old name at any time.
    pub(super) renamed: bool,
}

impl Narrowed {
    fn of(answer: MintAnswer) -> Self {
        Self { token: answer.token, renamed: false }
    }
}

/// The outer error is ours; the inner one is GitHub's last word.
type Outcome<T> = Result<Result<T, GitHubError>, WireError>;

impl Tokens {
    /// Asks GitHub for a token for the mint's set.
    pub(super) async fn ask_for_token(self: &Arc<Self>, mint: &Mint, caller: &Caller) -> Outcome<Narrowed> {
        let Some(names) = mint.scope.repositories.names() else {
            return Ok(self.mint_for(mint, MintRepositories::Installation).await?.map(Narrowed::of));
        };
        let ids = self.shared.state().known.repository_ids_of(&mint.scope);
        if let Some(ids) = ids {
            match self.mint_for(mint, MintRepositories::Ids(&ids)).await? {
                Ok(answer) if is_called(&answer, names) => return Ok(Ok(Narrowed::of(answer))),
                Ok(answer) => return self.settle_names(mint, names, answer, caller).await,
                // The App lost one of them, or it was deleted and made anew.
                Err(GitHubError::RepositoryNotIncluded) => self.shared.state().known.forget_repository_ids(&mint.scope),
                Err(error) => return Ok(Err(error)),
            }
        }
        match self.mint_for(mint, MintRepositories::Names(names)).await? {
            Ok(answer) => {
                self.shared.state().known.learn_repository_ids(&mint.scope, &answer.repositories);
                Ok(Ok(Narrowed::of(answer)))
            }
            Err(GitHubError::RepositoryNotIncluded) => self.follow_rename(mint).await,
            Err(error) => Ok(Err(error)),
        }
    }

    /// Settles a token by ids whose repositories have other names now. Repositories that now have the old names come first, for
    /// names are what git and the rules mean; if there are none, the renamed ones are meant.
    async fn settle_names(
        self: &Arc<Self>,
        mint: &Mint,
        names: &[RepositoryName],
        by_id: MintAnswer,
        caller: &Caller,
    ) -> Outcome<Narrowed> {
        match self.mint_for(mint, MintRepositories::Names(names)).await? {
            Ok(answer) => {
                info!("an old name belongs to another repository now");
                {
                    let mut state = self.shared.state();
                    state.known.forget_repository_ids(&mint.scope);
                    state.known.learn_repository_ids(&mint.scope, &answer.repositories);
                }
                self.kill_unlisted(&mint.app, &mint.scope, &by_id.token, caller).await;
                Ok(Ok(Narrowed::of(answer)))
            }
            Err(_) => Ok(Ok(Narrowed { token: by_id.token, renamed: true })),
        }
    }

    async fn mint_for(self: &Arc<Self>, mint: &Mint, repositories: MintRepositories<'_>) -> Outcome<MintAnswer> {
        let Mint { app, scope, .. } = mint;
        let outcome = self.ask_to_mint(app, scope, repositories).await?;
        if let Ok(answer) = &outcome
            && scope.exposure.is_some()
            && is_wider(answer, scope)
        {
            self.kill_unlisted(app, scope, &answer.token, &Caller::default()).await;
            return Err(explain::exposed::wider(&app.host));
        }
        Ok(outcome)
    }

    /// The one place where a token is asked for.
    pub(super) async fn ask_to_mint(
        self: &Arc<Self>,
        app: &App,
        scope: &TokenScope,
        repositories: MintRepositories<'_>,
    ) -> Outcome<MintAnswer> {
        let call = self.app_api.call(app, |github, jwt| {
            pending(async move {
                let outcome = github.mint(app, &jwt, scope.installation, repositories, &scope.permissions).await;
                if let Err(error) = &outcome
                    && error.may_have_happened()
                {
                    self.admit_lost_answer(scope, error);
                }
                outcome
            })
        });
        call.await
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
    async fn follow_rename(self: &Arc<Self>, mint: &Mint) -> Outcome<Narrowed> {
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
                let answer = self.mint_for(mint, MintRepositories::Ids(&[repository_id])).await?;
                if answer.is_ok() {
                    self.shared.state().known.learn_repository_ids(&mint.scope, &[(repository.clone(), repository_id)]);
                }
                Ok(answer.map(|answer| Narrowed { token: answer.token, renamed: true }))
            }
            Ok(_) => Ok(Err(GitHubError::RepositoryNotIncluded)),
            Err(error) => Ok(Err(error)),
        }
    }
}

/// Whether GitHub gave more than it was asked for. Every token may read metadata.
fn is_wider(answer: &MintAnswer, scope: &TokenScope) -> bool {
    let asked = scope.repositories.names().map_or(0, <[_]>::len);
    let mut permissions = answer.token.permissions.iter();
    answer.repositories.len() != asked
        || permissions.any(|(name, level)| {
            (name, level) != ("metadata", Level::Read)
                && scope.permissions.level(name).is_none_or(|limit| limit < level)
        })
}

/// Whether the repositories that GitHub names in its answer are those, each under its name.
fn is_called(answer: &MintAnswer, names: &[RepositoryName]) -> bool {
    answer.repositories.len() == names.len()
        && names.iter().all(|name| answer.repositories.iter().any(|(it, _)| it == name))
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::{Host, RepositoryName};
    use ghapp_protocol::secret::Secret;

    use super::is_wider;
    use crate::github::MintAnswer;
    use crate::model::{AppName, InstallationId, InstallationToken, Level, Permissions, RepositorySet, TokenScope};

    #[test]
    fn a_token_that_reaches_more_or_may_do_more_than_was_asked_for_is_wider() {
        let name = |name| RepositoryName::parse(name).unwrap();
        let scope = TokenScope {
            app: AppName::parse("bot").unwrap(),
            host: Host::parse("github.com").unwrap(),
            installation: InstallationId(1),
            repositories: RepositorySet::One(name("web")),
            permissions: Permissions::of([("contents", Level::Read)]),
            exposure: None,
        };
        let wider = |names: &[&'static str], permissions: &[(&'static str, Level)]| {
            let permissions = Permissions::of(permissions.iter().copied());
            let repositories = names.iter().map(|&it| (name(it), 1)).collect();
            let token = InstallationToken::new(Secret::new("t".to_owned()), 0, permissions);
            is_wider(&MintAnswer { token, repositories }, &scope)
        };
        assert!(!wider(&["web"], &[("contents", Level::Read), ("metadata", Level::Read)]));
        assert!(!wider(&["renamed"], &[("contents", Level::Read)]), "it is still one");
        assert!(wider(&[], &[("contents", Level::Read)]), "GitHub lists none for the whole installation");
        assert!(wider(&["web", "api"], &[("contents", Level::Read)]));
        assert!(wider(&["web"], &[("contents", Level::Write)]));
        assert!(wider(&["web"], &[("contents", Level::Read), ("issues", Level::Read)]));
        assert!(wider(&["web"], &[("contents", Level::Read), ("metadata", Level::Admin)]));
    }
}
