//! What a token reaches, according to GitHub.

use std::sync::Arc;

use ghapp_protocol::remote::{FullName, Owner, RepositoryName};

use crate::model::TokenScope;

/// What a token reaches, according to GitHub's answer when it was minted. There may be thousands, so the usual case has no copy of the names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reached {
    /// What its scope says, each repository under the name that it has there.
    AsAsked,
    /// These repositories. At least one of them was asked for under an older name.
    Renamed(Arc<[FullName]>),
}

impl Reached {
    /// What GitHub's names for a token of that scope, asked for of that owner, come to.
    pub(crate) fn of(owner: &Owner, scope: &TokenScope, names: impl IntoIterator<Item = FullName>) -> Self {
        let Some(asked) = scope.repositories.names() else { return Self::AsAsked };
        let names: Arc<[FullName]> = names.into_iter().collect();
        let is_asked = |name: &FullName| name.owner == *owner && asked.contains(&name.repository);
        let is_named = |one: &RepositoryName| names.iter().any(|name| name.repository == *one);
        if names.len() == asked.len() && names.iter().all(is_asked) && asked.iter().all(is_named) {
            Self::AsAsked
        } else {
            Self::Renamed(names)
        }
    }

    /// The names, if they are not those that were asked for.
    pub(crate) fn renamed(&self) -> &[FullName] {
        match self {
            Self::AsAsked => &[],
            Self::Renamed(names) => names,
        }
    }

    /// Whether the names are those that were asked for.
    pub(crate) fn is_as_asked(&self) -> bool {
        *self == Self::AsAsked
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};

    use super::Reached;
    use crate::model::{AppName, InstallationId, Permissions, RepositorySet, TokenScope};

    #[test]
    fn names_are_as_asked_in_any_spelling_and_order_and_only_of_that_owner() {
        let name = |text| RepositoryName::parse(text).unwrap();
        let scope = |repositories| TokenScope {
            app: AppName::parse("bot").unwrap(),
            host: Host::parse("github.com").unwrap(),
            installation: InstallationId(1),
            repositories,
            permissions: Permissions::for_git(),
            exposure: None,
        };
        let owner = Owner::parse("acme").unwrap();
        let both = scope(RepositorySet::Named([name("api"), name("web")].into()));
        let reached = |names: &[&str]| Reached::of(&owner, &both, names.iter().map(|it| FullName::parse(it).unwrap()));
        assert_eq!(reached(&["Acme/Web", "acme/api"]), Reached::AsAsked);
        for names in [["acme/web", "acme/site"], ["acme/api", "acme/api"], ["acme/api", "octo/web"]] {
            assert_eq!(reached(&names).renamed().len(), 2, "{names:?}");
        }
        assert!(!reached(&["acme/api"]).is_as_asked());
        let whole = scope(RepositorySet::Installation);
        assert!(Reached::of(&owner, &whole, []).is_as_asked());
    }
}
