//! Which App may serve a remote, and how far: the rules of the configuration, first match wins. Pure, and outside every cache.

use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};

use crate::model::{Access, App, AppName, Asked, InstallationId, OnFailure, Permissions, Reach, Rule, TokenScope};

/// What a remote may get from one App, before GitHub is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// As which App.
    pub app: AppName,
    /// How far a token reaches.
    pub reach: Reach,
    /// What it may do, before it is lowered to what the installation grants.
    pub permissions: Permissions,
    /// Whether it may change anything.
    pub access: Access,
    /// The one installation to use, when the rule names one.
    pub installation: Option<InstallationId>,
    /// The rule that says so, as its `match` text; none for the default.
    pub rule: Option<String>,
    /// What git does on a failure. Without a rule the remote is ours only once an installation covers it.
    pub on_failure: OnFailure,
}

/// What the rules say about a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// No App is configured for the host. Not an error.
    NoMatch,
    /// A rule refuses it.
    Deny {
        /// The rule's `match` text.
        rule: String,
        /// What git does then.
        on_failure: OnFailure,
    },
    /// One App serves it because a rule says so.
    Serve(Grant),
    /// No rule says anything: any of these Apps may, if it is installed on the owner. Never empty.
    Candidates(Vec<Grant>),
}

/// Why the rules give nothing for a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No rule and no App is for its host or owner.
    NoMatch,
    /// A rule denies it.
    Denied {
        /// The name of the rule.
        rule: String,
        /// What git is to do then.
        on_failure: OnFailure,
    },
}

/// The grants that come into question for a remote, before GitHub is asked.
pub(crate) type Given = Result<Vec<Grant>, Refusal>;

impl Decision {
    /// The one place where a decision of the rules is taken apart.
    pub(crate) fn given(self) -> Given {
        match self {
            Self::NoMatch => Err(Refusal::NoMatch),
            Self::Deny { rule, on_failure } => Err(Refusal::Denied { rule, on_failure }),
            Self::Serve(grant) => Ok(vec![grant]),
            Self::Candidates(grants) => Ok(grants),
        }
    }
}

/// What the rules do not give to a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Withheld {
    /// The repository; none when some repository of the owner was meant.
    pub name: Option<FullName>,
    /// The rule that says so; none when no rule says anything.
    pub rule: Option<String>,
}

/// Whether the rules give a token of that scope for what was asked, and also for the repositories that it reaches under other names
/// than the ones that were asked for: as the same App, with no more permissions, each within the reach of its own rule.
pub(crate) fn gives(
    apps: &[App],
    rules: &[Rule],
    scope: &TokenScope,
    asked: Asked<'_>,
    renamed: &[FullName],
) -> Result<(), Withheld> {
    let Asked { owner, repository } = asked;
    let full_name_of = |repository: &RepositoryName| FullName { owner: owner.clone(), repository: repository.clone() };
    let name = repository.map(full_name_of);
    let decision = match &name {
        Some(name) => decide(apps, rules, &scope.host, name),
        None => decide_for_owner(apps, rules, &scope.host, owner),
    };
    let grant = grant_for(decision, scope, name.as_ref())?;
    let is_within = match (&grant.reach, scope.repositories.names()) {
        (Reach::Installation, None) => true,
        (Reach::Requested | Reach::Named(_), None) => false,
        (Reach::Named(listed), Some(names)) => names.iter().all(|name| listed.contains(name)),
        // Each by itself, as if it had been asked for alone.
        (Reach::Requested | Reach::Installation, Some(names)) => {
            names.iter().try_for_each(|name| gives_repository(apps, rules, scope, &full_name_of(name)))?;
            true
        }
    };
    if !is_within {
        return Err(Withheld { name, rule: grant.rule });
    }
    renamed.iter().try_for_each(|name| gives_repository(apps, rules, scope, name))
}

fn gives_repository(apps: &[App], rules: &[Rule], scope: &TokenScope, name: &FullName) -> Result<(), Withheld> {
    let grant = grant_for(decide(apps, rules, &scope.host, name), scope, Some(name))?;
    match &grant.reach {
        Reach::Named(listed) if !listed.contains(&name.repository) => {
            Err(Withheld { name: Some(name.clone()), rule: grant.rule })
        }
        _ => Ok(()),
    }
}

/// The grant that a token of that scope may come from.
fn grant_for(decision: Decision, scope: &TokenScope, name: Option<&FullName>) -> Result<Grant, Withheld> {
    let withheld = |rule| Withheld { name: name.cloned(), rule };
    let grants = decision.given().map_err(|refusal| match refusal {
        Refusal::NoMatch => withheld(None),
        Refusal::Denied { rule, .. } => withheld(Some(rule)),
    })?;
    let rule = grants.first().and_then(|grant| grant.rule.clone());
    let grant = grants.into_iter().find(|grant| grant.app == scope.app);
    grant.filter(|grant| grant.allows(scope)).ok_or_else(|| withheld(rule))
}

impl Grant {
    /// Whether a token of that scope has no more permissions, and is of the installation that the rule names if it names one. Without
    /// a rule the bound is what the installation grants.
    fn allows(&self, scope: &TokenScope) -> bool {
        let limits = self.access.limit(&self.permissions, false);
        let is_within = |(name, level)| limits.level(name).is_some_and(|limit| limit >= level);
        let is_pinned_elsewhere = self.installation.is_some_and(|id| id != scope.installation);
        !is_pinned_elsewhere && (self.rule.is_none() || scope.permissions.iter().all(is_within))
    }
}

/// Decides for a repository.
pub(crate) fn decide(apps: &[App], rules: &[Rule], host: &Host, name: &FullName) -> Decision {
    let rule = rules.iter().find(|rule| rule.pattern().matches(host, name));
    apply(apps, host, rule)
}

/// Decides for an owner, when git did not name the repository: only a rule about all of the owner's repositories counts.
pub(crate) fn decide_for_owner(apps: &[App], rules: &[Rule], host: &Host, owner: &Owner) -> Decision {
    let rule = rules.iter().find(|rule| rule.pattern().matches_all_of(host, owner));
    apply(apps, host, rule)
}

/// Whether any rule of a host could answer for an owner without knowing the repository.
pub(crate) fn serves_whole_owners(rules: &[Rule], host: &Host) -> bool {
    rules.iter().any(|rule| match rule {
        Rule::Deny { .. } => false,
        Rule::Serve { pattern, reach, .. } => pattern.host() == host && *reach != Reach::Requested,
    })
}

fn apply(apps: &[App], host: &Host, rule: Option<&Rule>) -> Decision {
    match rule {
        Some(Rule::Deny { pattern, on_failure }) => {
            Decision::Deny { rule: pattern.to_string(), on_failure: *on_failure }
        }
        Some(Rule::Serve { pattern, app, reach, permissions, access, installation, on_failure }) => {
            Decision::Serve(Grant {
                app: app.clone(),
                reach: reach.clone(),
                permissions: permissions.clone(),
                access: *access,
                installation: *installation,
                rule: Some(pattern.to_string()),
                on_failure: *on_failure,
            })
        }
        None => {
            let apps = apps.iter().filter(|app| app.host == *host);
            let grants: Vec<_> = apps.map(|app| default_grant(&app.name)).collect();
            if grants.is_empty() { Decision::NoMatch } else { Decision::Candidates(grants) }
        }
    }
}

fn default_grant(app: &AppName) -> Grant {
    Grant {
        app: app.clone(),
        reach: Reach::Requested,
        permissions: Permissions::for_git(),
        access: Access::Write,
        installation: None,
        rule: None,
        on_failure: OnFailure::Quit,
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::{FullName, Host, Owner};

    use super::{Decision, decide, decide_for_owner, serves_whole_owners};
    use crate::model::{Access, ApiUrl, App, AppName, OnFailure, Pattern, Permissions, Reach, Rule, StoreKind};

    fn github() -> Host {
        Host::parse("github.com").unwrap()
    }

    fn apps() -> Vec<App> {
        let app = |(name, id)| App {
            name: AppName::parse(name).unwrap(),
            host: github(),
            api_url: ApiUrl::of(&github()),
            ca_file: None,
            app_id: Some(id),
            client_id: None,
            slug: None,
            installation: None,
            store: StoreKind::Memory,
            key: None,
            more_keys: Vec::new(),
        };
        [("acme-bot", 1), ("ci-bot", 2)].map(app).into()
    }

    fn rules() -> Vec<Rule> {
        let serve = |pattern, app, reach| Rule::Serve {
            pattern: Pattern::parse(pattern).unwrap(),
            app: AppName::parse(app).unwrap(),
            reach,
            permissions: Permissions::for_git(),
            access: Access::Write,
            installation: None,
            on_failure: OnFailure::Quit,
        };
        let pattern = Pattern::parse("github.com/acme/secret*").unwrap();
        vec![
            Rule::Deny { pattern, on_failure: OnFailure::Quit },
            serve("github.com/acme/*", "acme-bot", Reach::Installation),
            serve("github.com/acme/web", "ci-bot", Reach::Requested),
        ]
    }

    fn decided(host: &str, name: &str) -> Decision {
        let (host, name) = (Host::parse(host).unwrap(), FullName::parse(name).unwrap());
        decide(&apps(), &rules(), &host, &name)
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let Decision::Serve(grant) = decided("github.com", "Acme/Web") else { panic!("not served") };
        assert_eq!(grant.app.as_str(), "acme-bot");
        assert_eq!(grant.reach, Reach::Installation);
        assert_eq!(grant.rule.as_deref(), Some("github.com/acme/*"));
    }

    #[test]
    fn a_deny_rule_needs_no_app_and_wins_when_it_comes_first() {
        assert!(matches!(decided("github.com", "acme/secrets"), Decision::Deny { .. }));
    }

    #[test]
    fn without_a_rule_every_app_of_the_host_may_serve_the_requested_repository() {
        let Decision::Candidates(grants) = decided("github.com", "octo/web") else { panic!() };
        assert_eq!(grants.len(), 2);
        assert!(grants.iter().all(|grant| grant.reach == Reach::Requested));
    }

    #[test]
    fn another_host_is_not_ours() {
        assert_eq!(decided("github.com:8443", "acme/web"), Decision::NoMatch);
        assert_eq!(decided("gitlab.com", "acme/web"), Decision::NoMatch);
    }

    #[test]
    fn without_a_repository_only_rules_about_a_whole_owner_count() {
        let owner = Owner::parse("acme").unwrap();
        let decision = decide_for_owner(&apps(), &rules(), &github(), &owner);
        assert!(matches!(decision, Decision::Serve(grant) if grant.reach == Reach::Installation));
        assert!(serves_whole_owners(&rules(), &github()));
        assert!(!serves_whole_owners(&rules(), &Host::parse("ghes.corp").unwrap()));
        assert!(
            !serves_whole_owners(&rules()[2..], &github()),
            "a rule about the requested repository needs to know it"
        );
    }
}
