//! The App on one account.

use std::fmt;

use ghapp_protocol::remote::Owner;

use super::Permissions;

/// GitHub's id for an installation. A reinstalled App gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstallationId(pub u64);

impl fmt::Display for InstallationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// Which repositories of the account an installation includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepositorySelection {
    /// All of them, also future ones.
    All,
    /// Those that the account's owner has chosen.
    Selected,
}

impl RepositorySelection {
    /// GitHub's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Selected => "selected",
        }
    }
}

/// The App installed on one account, as GitHub described it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Its id.
    pub id: InstallationId,
    /// The account; `None` for an enterprise, whose installations reach no repository.
    pub account: Option<Owner>,
    /// Whether the account is an organization; its settings are then elsewhere.
    pub is_organization: bool,
    /// Which repositories it includes.
    pub selection: RepositorySelection,
    /// What it grants.
    pub permissions: Permissions,
    /// Since when it is suspended, as GitHub wrote it.
    pub suspended_at: Option<String>,
    /// The page where the account's owner changes it.
    pub html_url: Option<String>,
}

impl Installation {
    /// The account's name, for people.
    pub fn account_name(&self) -> String {
        Self::name_of(self.account.as_ref())
    }

    /// What an installation's account is called, for people.
    pub fn name_of(account: Option<&Owner>) -> String {
        account.map_or_else(|| "an enterprise".to_owned(), ToString::to_string)
    }
}
