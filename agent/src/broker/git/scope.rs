//! How much of what was asked may go into a token: permissions, repositories, host.

use std::collections::BTreeMap;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::TokenCall;
use ghapp_protocol::remote::{Host, RepositoryName};

use crate::broker::explain;
use crate::config::Config;
use crate::model::{App, Installation, Level, MAX_NAMED, Permissions, Reach, RepositorySet};
use crate::policy::Grant;

/// The permissions that git gets: as wished, lowered to what the installation grants. git can do nothing without `contents`.
pub(super) fn granted(wished: &Permissions, installation: &Installation, app: &App) -> Result<Permissions, WireError> {
    let lowered = wished.lowered_to(&installation.permissions);
    if lowered.level("contents").is_none() && wished.level("contents").is_some() {
        return Err(explain::permission_missing(app, installation, "contents", Level::Read));
    }
    if lowered.is_empty() {
        let (name, level) = wished.iter().next().unwrap_or(("contents", Level::Read));
        return Err(explain::permission_missing(app, installation, name, level));
    }
    Ok(lowered)
}

/// The permissions that a person asks for: exactly those, or an error; never more than the rule names.
pub(super) fn asked_permissions(
    asked: &BTreeMap<String, String>,
    grant: &Grant,
    installation: &Installation,
    app: &App,
) -> Result<Permissions, WireError> {
    let entries = asked.iter().map(|(name, level)| (name.as_str(), level.as_str()));
    let asked = Permissions::parse(entries).map_err(|error| WireError::new(ErrorCode::Usage, error.to_string()))?;
    within_bounds(&asked, grant, installation, app)?;
    Ok(asked)
}

/// Refuses what is more than the rule or the installation gives.
pub(super) fn within_bounds(
    asked: &Permissions,
    grant: &Grant,
    installation: &Installation,
    app: &App,
) -> Result<(), WireError> {
    let allowed = grant.access.limit(&grant.permissions, false);
    for (name, level) in asked.iter() {
        // A rule bounds what its tokens may do. Without a rule, the bound is what the installation grants.
        if let Some(rule) = &grant.rule
            && allowed.level(name).is_none_or(|limit| limit < level)
        {
            return Err(explain::beyond_rule(name, level, rule));
        }
        if installation.permissions.level(name).is_none_or(|limit| limit < level) {
            return Err(explain::permission_missing(app, installation, name, level));
        }
    }
    Ok(())
}

/// The repositories that a person asks for.
pub(super) fn asked_set(
    call: &TokenCall,
    repository: &RepositoryName,
    grant: &Grant,
) -> Result<RepositorySet, WireError> {
    let mut names = call.repositories.clone();
    names.push(repository.clone());
    names.sort();
    names.dedup();
    if let Reach::Named(allowed) = &grant.reach
        && let Some(outside) = names.iter().find(|name| !allowed.contains(name))
    {
        return Err(explain::outside_named_set(&call.repository.owner, outside, grant.rule.as_deref()));
    }
    match (names.len(), &grant.reach) {
        (1, Reach::Installation) if call.repositories.is_empty() => Ok(RepositorySet::Installation),
        (1, _) => Ok(RepositorySet::One(names.remove(0))),
        (2..=MAX_NAMED, _) => Ok(RepositorySet::Named(names.into())),
        _ => Err(WireError::new(ErrorCode::Usage, format!("one token can name at most {MAX_NAMED} repositories"))),
    }
}

/// The host that is meant when none was named.
pub(super) fn only_host(config: &Config) -> Result<Host, WireError> {
    let mut hosts: Vec<_> = config.apps.iter().map(|app| &app.host).collect();
    hosts.sort();
    hosts.dedup();
    match hosts.as_slice() {
        [host] => Ok((*host).clone()),
        [] => Err(explain::not_configured()),
        _ => Err(WireError::new(ErrorCode::Usage, "Apps of several hosts are configured")
            .hint("name the repository by its URL, such as https://github.com/OWNER/REPO")),
    }
}
