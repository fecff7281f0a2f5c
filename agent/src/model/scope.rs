//! What one token reaches and may do: the key of the token cache.

use ghapp_protocol::remote::{Host, Owner, RepositoryName};

use super::{AppName, ExposureId, InstallationId, Permissions};

/// The repositories of one installation that a token reaches.
///
/// There is no empty set: GitHub reads an empty list as every repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RepositorySet {
    /// One.
    One(RepositoryName),
    /// Several, sorted, none twice.
    Named(Box<[RepositoryName]>),
    /// All of the installation, because a rule says so.
    Installation,
}

/// Most repositories that one token can name. Source: GitHub docs, "Create an installation access token for an app".
pub const MAX_NAMED: usize = 500;

impl RepositorySet {
    /// The part of a sorted list that has the repository in it, no larger than one token can name. The parts are always the
    /// same, so that all their members share a token. `None` when the repository is not listed.
    pub fn part_of(listed: &[RepositoryName], repository: &RepositoryName) -> Option<Self> {
        let at = listed.binary_search(repository).ok()?;
        listed.chunks(MAX_NAMED).nth(at / MAX_NAMED).map(|part| Self::Named(part.into()))
    }

    /// The names to ask GitHub for; `None` for the whole installation.
    pub fn names(&self) -> Option<&[RepositoryName]> {
        match self {
            Self::One(name) => Some(std::slice::from_ref(name)),
            Self::Named(names) => Some(names),
            Self::Installation => None,
        }
    }
}

/// Everything that makes one token different from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenScope {
    /// As which App.
    pub app: AppName,
    /// On which host.
    pub host: Host,
    /// Through which installation.
    pub installation: InstallationId,
    /// Which repositories.
    pub repositories: RepositorySet,
    /// What it may do.
    pub permissions: Permissions,
    /// Over which exposed socket; `None` is the agent's own. They share no token, so that each is distinct in the audit log and
    /// can be revoked alone, and no client can drop what others use.
    pub exposure: Option<ExposureId>,
}

/// What a token was asked for: some repository of an owner, or this one.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The owner.
    pub owner: &'a Owner,
    /// The repository, if one was named.
    pub repository: Option<&'a RepositoryName>,
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::RepositoryName;

    use super::RepositorySet;

    #[test]
    fn a_long_list_is_split_into_parts_that_are_always_the_same() {
        let name = |number: usize| RepositoryName::parse(&format!("r{number:04}")).unwrap();
        let listed: Vec<_> = (0..1200).map(name).collect();
        let part = |number| RepositorySet::part_of(&listed, &name(number)).unwrap();
        assert_eq!(part(0), part(499));
        assert_ne!(part(499), part(500));
        assert_eq!(part(1000).names().unwrap().len(), 200);
        assert_eq!(RepositorySet::part_of(&listed, &name(1200)), None);
    }
}
