//! The ids of repositories, as far as GitHub's answers have named them. An id stays when a repository is renamed.

use std::collections::HashMap;

use ghapp_protocol::remote::{Host, RepositoryName};

use crate::model::{InstallationId, TokenScope};

/// Most repositories whose ids are kept. They are learned again with the next mint, so the map is simply emptied.
const MAX_KNOWN: usize = 20_000;

/// The ids that are known.
#[derive(Default)]
pub(crate) struct RepositoryIds {
    known: HashMap<(Host, InstallationId, RepositoryName), u64>,
}

impl RepositoryIds {
    /// Remembers what repositories of a scope are called.
    pub(crate) fn learn<'a>(
        &mut self,
        scope: &TokenScope,
        repositories: impl IntoIterator<Item = &'a (RepositoryName, u64)>,
    ) {
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        for (name, id) in repositories {
            self.known.insert(key(scope, name), *id);
        }
    }

    /// The ids of all repositories that a scope names; `None` unless each is known, and for a whole installation.
    pub(crate) fn of(&self, scope: &TokenScope) -> Option<Vec<u64>> {
        let names = scope.repositories.names()?;
        names.iter().map(|name| self.known.get(&key(scope, name)).copied()).collect()
    }

    /// Forgets the ids of the repositories that a scope names.
    pub(crate) fn forget(&mut self, scope: &TokenScope) {
        for name in scope.repositories.names().unwrap_or_default() {
            self.known.remove(&key(scope, name));
        }
    }
}

fn key(scope: &TokenScope, name: &RepositoryName) -> (Host, InstallationId, RepositoryName) {
    (scope.host.clone(), scope.installation, name.clone())
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::{Host, RepositoryName};

    use super::RepositoryIds;
    use crate::model::{AppName, InstallationId, Permissions, RepositorySet, TokenScope};

    fn name(text: &str) -> RepositoryName {
        RepositoryName::parse(text).unwrap()
    }

    fn scope(installation: u64, repositories: RepositorySet) -> TokenScope {
        TokenScope {
            app: AppName::parse("bot").unwrap(),
            host: Host::parse("github.com").unwrap(),
            installation: InstallationId(installation),
            repositories,
            permissions: Permissions::for_git(),
            exposure: None,
        }
    }

    #[test]
    fn a_set_has_numbers_once_each_of_its_repositories_has_one() {
        let mut ids = RepositoryIds::default();
        let both = scope(1, RepositorySet::Named([name("api"), name("web")].into()));
        ids.learn(&both, &[(name("web"), 7)]);
        assert_eq!(ids.of(&both), None);
        assert_eq!(ids.of(&scope(1, RepositorySet::One(name("web")))), Some(vec![7]));
        ids.learn(&both, &[(name("api"), 5)]);
        assert_eq!(ids.of(&both), Some(vec![5, 7]));
        assert_eq!(ids.of(&scope(2, RepositorySet::One(name("web")))), None, "another installation");
        assert_eq!(ids.of(&scope(1, RepositorySet::Installation)), None);
        ids.forget(&scope(1, RepositorySet::One(name("web"))));
        assert_eq!(ids.of(&both), None);
    }
}
