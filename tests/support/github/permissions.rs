//! Maps such as `contents: write`, and which of them another one contains.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Permission names with their levels, as GitHub's JSON has them. Names are not checked: GitHub adds new ones often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Permissions(BTreeMap<String, String>);

impl Permissions {
    /// Makes a map from pairs.
    pub fn new(pairs: &[(&str, &str)]) -> Permissions {
        let owned = pairs.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned()));
        Permissions(owned.collect())
    }

    /// What an installation has when its owner granted `pairs`: every installation may read metadata.
    pub(super) fn granted(pairs: &[(&str, &str)]) -> Permissions {
        for (name, level) in pairs {
            assert!(rank(level).is_some(), "{name}: {level} is not a level");
        }
        Permissions::new(pairs).with_metadata()
    }

    /// `metadata: read` is in a token's permissions even if it was not asked for.
    pub(super) fn with_metadata(mut self) -> Permissions {
        self.0.entry("metadata".to_owned()).or_insert_with(|| "read".to_owned());
        self
    }

    /// The level of one permission, if it is there.
    pub fn level(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether these permissions include `name` at `level` or above.
    pub fn allow(&self, name: &str, level: &str) -> bool {
        match (self.0.get(name).and_then(|granted| rank(granted)), rank(level)) {
            (Some(granted), Some(wanted)) => granted >= wanted,
            _ => false,
        }
    }

    /// Whether everything in here is included in `other`; an unknown name or level never is.
    pub(super) fn is_subset_of(&self, other: &Permissions) -> bool {
        self.0.iter().all(|(name, level)| other.allow(name, level))
    }

    /// Whether nothing is named, which GitHub reads as everything.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Levels contain the ones before them.
fn rank(level: &str) -> Option<usize> {
    ["read", "write", "admin"].iter().position(|known| *known == level)
}
