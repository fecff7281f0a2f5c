//! What one token reaches and may do: the key of the token cache.

use ghapp_protocol::remote::{Host, RepositoryName};

use super::{AppName, InstallationId, Permissions};

/// The repositories of one installation that a token reaches.
///
/// There is no empty set: GitHub reads an empty list as every repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RepositorySet {
    /// One.
    One(RepositoryName),
    /// Several, sorted, none twice.
    Named(Vec<RepositoryName>),
    /// All of the installation, because a rule says so.
    Installation,
}

impl RepositorySet {
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
}
