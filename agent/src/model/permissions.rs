//! What a token may do: GitHub's names, each with a level.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How far a permission goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Read.
    Read,
    /// Read and change.
    Write,
    /// Everything.
    Admin,
}

impl Level {
    /// GitHub's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// Permission names with their levels. New names appear at GitHub all the time, so any name is passed through.
///
/// Shared, not copied: rules, installations, scopes and tokens all have some, mostly the same, and there may be thousands of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Permissions(Arc<[(Box<str>, Level)]>); // in the order of the names

/// Why a set of permissions makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermissionsError {
    /// A level that GitHub does not have.
    #[error("the permission {name} must be \"read\", \"write\" or \"admin\"")]
    Level {
        /// The permission.
        name: String,
    },
    /// A name that cannot be one of GitHub's; the usual slip is a hyphen.
    #[error("permission names have lower-case letters and underscores only, such as pull_requests")]
    Name,
    /// Nothing at all. GitHub would read that as everything.
    #[error("name at least one permission")]
    Empty,
}

impl Permissions {
    /// What git needs: to read and write contents, and to push changes to workflow files, which GitHub guards separately.
    pub fn for_git() -> Self {
        Self::of([("contents", Level::Write), ("workflows", Level::Write)])
    }

    /// Makes a set of known names.
    pub fn of<'a>(entries: impl IntoIterator<Item = (&'a str, Level)>) -> Self {
        Self::sorted(entries.into_iter().map(|(name, level)| (name.to_owned(), level)).collect())
    }

    /// A map is sorted, and has each name once.
    fn sorted(map: BTreeMap<String, Level>) -> Self {
        Self(map.into_iter().map(|(name, level)| (name.into_boxed_str(), level)).collect())
    }

    /// Takes permissions from a person.
    pub fn parse<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, PermissionsError> {
        let mut map = BTreeMap::new();
        for (name, level) in entries {
            let in_alphabet =
                name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
            if name.is_empty() || name.len() > 100 || !in_alphabet {
                return Err(PermissionsError::Name);
            }
            let level = Level::parse(level).ok_or_else(|| PermissionsError::Level { name: name.to_owned() })?;
            map.insert(name.to_owned(), level);
        }
        if map.is_empty() { Err(PermissionsError::Empty) } else { Ok(Self::sorted(map)) }
    }

    /// Takes permissions from GitHub's JSON. A level of a future GitHub is left out: what cannot be compared cannot be used.
    pub fn from_github(entries: BTreeMap<String, String>) -> Self {
        let known = |(name, level): (String, String)| Level::parse(&level).map(|level| (name, level));
        Self::sorted(entries.into_iter().filter_map(known).collect())
    }

    /// The level of one permission.
    pub fn level(&self, name: &str) -> Option<Level> {
        let at = self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(self.0[at].1)
    }

    /// These permissions, each no higher than `granted` has it; what is not granted at all is left out.
    #[must_use]
    pub fn lowered_to(&self, granted: &Self) -> Self {
        if self.iter().all(|(name, level)| granted.level(name).is_some_and(|limit| limit >= level)) {
            return self.clone(); // the usual case, and nothing is copied
        }
        let lower = |(name, level): (&str, Level)| granted.level(name).map(|limit| (name.into(), limit.min(level)));
        Self(self.iter().filter_map(lower).collect())
    }

    /// These permissions, lowered to read. `workflows` has no such level and nothing to read: git reads with `contents`.
    #[must_use]
    pub fn read_only(&self) -> Self {
        Self::of(self.iter().map(|(name, _)| (name, Level::Read)).filter(|(name, _)| *name != "workflows"))
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and levels, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Level)> {
        self.0.iter().map(|(name, level)| (&**name, *level))
    }

    /// As text, for messages and JSON.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.iter().map(|(name, level)| (name.to_owned(), level.as_str().to_owned())).collect()
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, level)) in self.iter().enumerate() {
            let separator = if index == 0 { "" } else { " " };
            write!(formatter, "{separator}{name}:{}", level.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, Permissions, PermissionsError};

    #[test]
    fn gits_permissions_are_lowered_to_the_grant_and_never_raised() {
        let granted = Permissions::of([("contents", Level::Read), ("metadata", Level::Read)]);
        let lowered = Permissions::for_git().lowered_to(&granted);
        assert_eq!(lowered, Permissions::of([("contents", Level::Read)]));

        let granted = Permissions::of([("contents", Level::Admin), ("workflows", Level::Write)]);
        assert_eq!(Permissions::for_git().lowered_to(&granted), Permissions::for_git());
    }

    #[test]
    fn a_persons_permissions_are_checked_and_githubs_are_not() {
        assert_eq!(Permissions::parse([]), Err(PermissionsError::Empty));
        assert_eq!(Permissions::parse([("pull-requests", "read")]), Err(PermissionsError::Name));
        assert!(matches!(Permissions::parse([("contents", "rw")]), Err(PermissionsError::Level { .. })));
        assert!(Permissions::parse([("brand_new", "admin")]).is_ok());
        let map = [("a".to_owned(), "read".to_owned()), ("b".to_owned(), "future".to_owned())];
        assert_eq!(Permissions::from_github(map.into()), Permissions::of([("a", Level::Read)]));
    }
}
