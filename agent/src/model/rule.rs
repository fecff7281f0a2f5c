//! A rule: what the configuration may say about some repositories, and what the policy reads.

use std::fmt;

use ghapp_protocol::error::GitNext;
use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};

use super::{AppName, InstallationId, Permissions};

/// Most repositories that a rule can list: ten tokens' worth. A longer list means the whole installation.
const MAX_LISTED: usize = 5000;

/// Which remotes a rule is about: `HOST[:PORT]/OWNER/REPO`, with `*` for an owner or a repository, or at a repository's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    host: Host,
    owner: Option<Owner>,
    repository: RepositoryPattern,
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum RepositoryPattern {
    Any,
    /// Lower-case.
    Prefix(String),
    Exact(RepositoryName),
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("match must look like github.com/OWNER/REPO, where OWNER or REPO may be * and REPO may end in *")]
pub struct PatternError;

impl Pattern {
    /// Takes a pattern from a person. `HOST/*` means every owner, `HOST/OWNER/*` every repository of one.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let mut parts = text.split('/');
        let host = parts.next().and_then(|host| Host::parse(host).ok()).ok_or(PatternError)?;
        let owner = match parts.next() {
            Some("*") => None,
            Some(owner) => Some(Owner::parse(owner).map_err(|_| PatternError)?),
            None => return Err(PatternError),
        };
        let repository = match parts.next() {
            Some("*") => RepositoryPattern::Any,
            None if owner.is_none() => RepositoryPattern::Any,
            Some(name) => match name.strip_suffix('*') {
                Some(prefix) => {
                    RepositoryName::parse(prefix).map_err(|_| PatternError)?;
                    RepositoryPattern::Prefix(prefix.to_ascii_lowercase())
                }
                None => RepositoryPattern::Exact(RepositoryName::parse(name).map_err(|_| PatternError)?),
            },
            None => return Err(PatternError),
        };
        if parts.next().is_some() {
            return Err(PatternError);
        }
        Ok(Self { host, owner, repository, text: text.to_owned() })
    }

    /// Whether the rule is about this repository. Whole segments only, without regard to case.
    pub fn matches(&self, host: &Host, full_name: &FullName) -> bool {
        self.matches_owner(host, &full_name.owner)
            && match &self.repository {
                RepositoryPattern::Any => true,
                RepositoryPattern::Exact(name) => *name == full_name.repository,
                RepositoryPattern::Prefix(prefix) => {
                    full_name.repository.as_str().to_ascii_lowercase().starts_with(prefix)
                }
            }
    }

    /// Whether the rule is about every repository of this owner, so that it can answer when git names none.
    pub fn matches_all_of(&self, host: &Host, owner: &Owner) -> bool {
        self.matches_owner(host, owner) && self.repository == RepositoryPattern::Any
    }

    fn matches_owner(&self, host: &Host, owner: &Owner) -> bool {
        self.host == *host && self.owner.as_ref().is_none_or(|mine| mine == owner)
    }

    /// The host that the rule is about.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The one owner that the rule is about, if it is one.
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// How far a token reaches.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reach {
    /// The repository that git asks for.
    #[default]
    Requested,
    /// Every repository of the installation.
    Installation,
    /// These repositories of the owner: at least one, sorted, none twice. More than 500 share several tokens.
    Named(Vec<RepositoryName>),
}

impl Reach {
    /// Makes a named set. `None` when it is empty, which GitHub would read as "all", or larger than makes sense.
    pub fn named(mut names: Vec<RepositoryName>) -> Option<Self> {
        names.sort();
        names.dedup();
        (1..=MAX_LISTED).contains(&names.len()).then_some(Self::Named(names))
    }
}

/// Whether a token may change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// As the permissions say.
    #[default]
    Write,
    /// Read only, whatever the permissions say.
    Read,
    /// Read only for what is certainly a fetch, as the permissions say for everything else.
    Auto,
}

impl Access {
    /// The permissions that are left; `is_fetch` is whether git certainly only fetches.
    pub fn limit(self, permissions: &Permissions, is_fetch: bool) -> Permissions {
        match self {
            Self::Read => permissions.read_only(),
            Self::Auto if is_fetch => permissions.read_only(),
            Self::Write | Self::Auto => permissions.clone(),
        }
    }
}

/// What git does when the agent fails for a repository that a rule claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Stop.
    #[default]
    Quit,
    /// Ask the next helper.
    Next,
}

impl OnFailure {
    /// The wire's word for it, when it differs from what each error says by itself.
    pub fn git_next(self) -> Option<GitNext> {
        match self {
            Self::Quit => None,
            Self::Next => Some(GitNext::NextHelper),
        }
    }
}

/// One rule of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// These repositories are served.
    Serve {
        /// Which.
        pattern: Pattern,
        /// As which App.
        app: AppName,
        /// How far a token reaches.
        reach: Reach,
        /// What it may do, before it is lowered to the grant.
        permissions: Permissions,
        /// Whether it may change anything.
        access: Access,
        /// The one installation to use, instead of the owner's.
        installation: Option<InstallationId>,
        /// What git does on a failure.
        on_failure: OnFailure,
    },
    /// These repositories are refused.
    Deny {
        /// Which.
        pattern: Pattern,
        /// What git does then.
        on_failure: OnFailure,
    },
}

impl Rule {
    /// What the rule is about.
    pub fn pattern(&self) -> &Pattern {
        match self {
            Self::Serve { pattern, .. } | Self::Deny { pattern, .. } => pattern,
        }
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::{FullName, Host, RepositoryName};
    use proptest::prelude::*;

    use super::{Pattern, Reach};

    fn matches(pattern: &str, host: &str, name: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(&Host::parse(host).unwrap(), &FullName::parse(name).unwrap())
    }

    #[test]
    fn segments_match_whole_and_without_case() {
        assert!(matches("github.com/acme/web", "GITHUB.com", "Acme/Web"));
        assert!(matches("github.com/acme/*", "github.com", "acme/web"));
        assert!(matches("github.com/*/web", "github.com", "octo/web"));
        assert!(matches("github.com/*", "github.com", "octo/web"));
        assert!(matches("github.com/acme/we*", "github.com", "acme/Web"));
        assert!(matches("ghes:8443/acme/*", "ghes:8443", "acme/web"));
        assert!(!matches("ghes:8443/acme/*", "ghes", "acme/web"));
        assert!(!matches("github.com/acme/*", "github.com", "acme-corp/web"));
        assert!(!matches("github.com/acme/web", "github.com", "acme/web2"));
        assert!(!matches("github.com/acme/web", "github.com.evil.example", "acme/web"));
    }

    #[test]
    fn stars_stand_only_where_they_have_one_meaning() {
        for text in [
            "*",
            "*/acme/web",
            "github.com",
            "github.com/acme",
            "github.com/ac*/x",
            "github.com/a/*b",
            "github.com/a/b/c",
            "github.com/a/",
        ] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_named_set_is_never_empty_and_has_no_name_twice() {
        assert_eq!(Reach::named(vec![]), None);
        let names = |count| (0..count).map(|n| RepositoryName::parse(&format!("r{n}")).unwrap()).collect();
        assert!(Reach::named(names(5000)).is_some());
        assert_eq!(Reach::named(names(5001)), None);
        let twice = ["web", "Web"].map(|name| RepositoryName::parse(name).unwrap());
        assert!(matches!(Reach::named(twice.into()), Some(Reach::Named(names)) if names.len() == 1));
    }

    /// Whether a pattern matches, by its plain meaning: segment by segment, as lower-case text.
    fn means(pattern: &str, host: &str, name: &str) -> bool {
        let (pattern, remote) = (pattern.to_lowercase(), format!("{host}/{name}").to_lowercase());
        let mut wanted = pattern.split('/');
        remote.split('/').all(|is| match wanted.next() {
            None | Some("*") => true,
            Some(wanted) => wanted.strip_suffix('*').map_or(is == wanted, |prefix| is.starts_with(prefix)),
        })
    }

    proptest! {
        // Few letters, so that names often are alike: equal, equal but for case, or one the beginning of the other.
        #[test]
        fn patterns_match_what_they_mean(
            pattern in "(h|H|hh)/([aAbB][aAbB-]{0,2}/([aAbB._-]{1,3}|[aAbB_-]{1,2}\\*|\\*)|\\*(/([aAbB_-]{1,3}|\\*))?)",
            host in "(h|H|hh)",
            name in "[aAbB][aAbB-]{0,2}/[aAbB_-]{1,3}",
        ) {
            prop_assume!(Pattern::parse(&pattern).is_ok()); // `.` and `..` are no repositories
            prop_assert_eq!(matches(&pattern, &host, &name), means(&pattern, &host, &name));
        }

        #[test]
        fn any_name_is_matched_in_any_case_and_no_longer_or_shorter_one(
            owner in "[A-Za-z0-9]{2}[A-Za-z0-9_-]{0,36}",
            repository in "[A-Za-z0-9_-]{2,99}",
            other in "[A-Za-z0-9]",
        ) {
            let shouted = format!("{owner}/{repository}").to_uppercase();
            let longer = [format!("{other}{owner}/{repository}"), format!("{owner}{other}/{repository}")];
            let shorter = [format!("{}/{repository}", &owner[1..]), format!("{}/{repository}", &owner[..owner.len() - 1])];
            for pattern in [format!("h/{owner}/{repository}"), format!("h/{owner}/*"), format!("h/{owner}/{}*", &repository[..1])] {
                prop_assert!(matches(&pattern, "H", &shouted), "{}", pattern);
                for name in longer.iter().chain(&shorter) {
                    prop_assert!(!matches(&pattern, "h", name), "{} and {}", pattern, name);
                }
                prop_assert!(!matches(&pattern, "h.h", &shouted));
            }
            let exact = format!("h/*/{repository}");
            prop_assert!(matches(&exact, "h", &shouted));
            for name in [format!("{owner}/{repository}{other}"), format!("{owner}/{}", &repository[1..])] {
                prop_assert!(!matches(&exact, "h", &name), "{} and {}", exact, name);
            }
        }

        #[test]
        fn no_character_that_names_do_not_have_makes_a_pattern(
            before in "[a-z]{0,5}",
            bad in "[\\x00-\\x1f\\x7f %:@?#\\\\\u{80}-\u{10ffff}]",
            after in "[a-z*]{0,5}",
        ) {
            for text in [format!("h/{before}{bad}{after}/web"), format!("h/acme/{before}{bad}{after}")] {
                prop_assert!(Pattern::parse(&text).is_err(), "{:?}", text);
            }
        }
    }
}
