//! The way from a remote to a token, explained: rule, App, installation, permissions, and what stands in the way. Mints nothing that
//! reaches contents: the current name of a repository is only told by a token for it, which may read metadata and is revoked at once.

use std::collections::BTreeMap;
use std::time::Duration;

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{Reply, Route, Which};
use ghapp_protocol::remote::FullName;

use super::choose::{choose, only, rules_for};
use super::scope::{granted, only_host};
use crate::broker::app_api::pending;
use crate::broker::{Broker, explain};
use crate::config::Config;
use crate::github::{GitHubError, RepositoryInstallation};
use crate::model::{Access, App, Asked, Caller, Installation, Reach, RepositorySet, TokenScope};
use crate::policy::{self, Grant, Refusal};

/// The way from a remote to a token. What keeps git from a token is part of the answer and not an error.
pub(crate) async fn which(broker: &Broker, call: Which, caller: &Caller) -> Reply {
    let mut entry = broker.shared.entry("which", caller);
    let record = &mut entry.record;
    record.repository = Some(call.repository.to_string());
    let reply = match route(broker, call, caller).await {
        Ok(route) => {
            record.host = Some(route.host.to_string());
            record.rule.clone_from(&route.rule);
            record.app.clone_from(&route.app);
            record.installation_id = route.installation_id;
            record.outcome = match route.code {
                None => "covered".to_owned(),
                Some(code) => format!("error {}", code.id()),
            };
            Reply::Route(Box::new(route))
        }
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

async fn route(broker: &Broker, call: Which, caller: &Caller) -> Result<Route, WireError> {
    let config = broker.shared.config()?;
    broker.shared.needed();
    let Which { host, repository, app } = call;
    let host = host.map_or_else(|| only_host(&config), Ok)?;
    let mut route = Route {
        host,
        repository,
        rule: None,
        app: None,
        installation_id: None,
        account: None,
        repository_selection: None,
        permissions: BTreeMap::new(),
        lowered: Vec::new(),
        covered: false,
        reason: String::new(),
        code: None,
        hint: None,
    };
    match follow(broker, &config, app.as_deref(), &mut route, caller).await {
        Ok(reason) => {
            route.covered = true;
            route.reason = reason;
        }
        Err(WireError { code, message, hint, .. }) => {
            route.reason = message;
            route.code = Some(code);
            route.hint = hint;
        }
    }
    Ok(route)
}

/// Goes the way that `get` goes, and notes each step. Returns what git gets in the end.
async fn follow(
    broker: &Broker,
    config: &Config,
    as_app: Option<&str>,
    route: &mut Route,
    caller: &Caller,
) -> Result<String, WireError> {
    let (host, name) = (route.host.clone(), route.repository.clone());
    let given = rules_for(config, &host, &name).map_err(|refusal| {
        if let Refusal::Denied { rule, .. } = &refusal {
            route.rule = Some(rule.clone());
        }
        refusal.explain(&host)
    });
    let grants = only(given?, as_app, &host, &name.owner)?;
    if let [grant] = grants.as_slice() {
        note_grant(route, grant);
    }
    let chosen = choose(broker, config, &host, &name.owner, grants).await?;
    let (app, grant, pinned, remembered) = (chosen.app, &chosen.grant, chosen.pinned(), &chosen.installation);
    note_grant(route, grant);
    let Some(repositories) = reached(&grant.reach, &name) else {
        return Err(explain::outside_named_set(&name.owner, &name.repository, grant.rule.as_deref()));
    };
    let step = Step { app, grant, name: &name, repositories };

    let as_remembered = step.examine(route, remembered);
    let found = match covering(broker, &step, remembered).await {
        Ok(found) => found,
        // git would not wait for GitHub either: it gets the token at hand.
        Err(error) => {
            let at_hand = as_remembered.ok().and_then(|scope| lasts_until(broker, &scope, config.agent.min_ttl));
            let Some(until) = at_hand else { return Err(error) };
            return Ok(format!("git gets the token at hand until {}, although {error}", explain::time(until)));
        }
    };
    let installation = match &found {
        Found { installation: Some(found), .. } if found.id == remembered.id => {
            // The next git command is to go the way that was explained.
            if found.account.as_ref() == Some(&name.owner) {
                broker.tokens.believe(app, &name.owner, found);
            }
            found.clone()
        }
        // Uninstalled, reinstalled, or installed and without this repository: GitHub's word about the owner tells.
        _ => {
            broker.tokens.forget_owner(app, &name.owner);
            forget_installation(route);
            let now = broker.tokens.installation_of(app, &name.owner, pinned).await?;
            now.ok_or_else(|| explain::not_installed(app, &name.owner))?
        }
    };
    let scope = step.examine(route, &installation)?;
    if let Some(since) = &installation.suspended_at {
        return Err(explain::suspended(app, &installation, since));
    }
    let includes = found.installation.is_some_and(|found| found.id == installation.id);
    // A mint can name a renamed repository by its id; a list of several has only their names.
    if !includes || (found.moved.is_some() && matches!(scope.repositories, RepositorySet::Named(_))) {
        let scope = TokenScope { repositories: RepositorySet::One(name.repository.clone()), ..scope };
        return Err(explain::not_covered(app, &name.owner, &scope, &installation));
    }
    let mut now = None;
    if let Some(id) = found.moved.filter(|_| matches!(scope.repositories, RepositorySet::One(_))) {
        now = broker.tokens.name_now(app, &installation, id, caller).await?;
        let asked = Asked { owner: &name.owner, repository: Some(&name.repository) };
        policy::gives(&config.apps, &config.rules, &scope, asked, now.as_slice())
            .map_err(|withheld| explain::reached::withheld(&scope, asked, &withheld))?;
    }
    broker.tokens.would_mint(app, &scope)?;
    Ok(step.promise(&scope, found.moved.is_some(), now.as_ref()))
}

/// What GitHub says now about the installation that covers the repository.
async fn covering(broker: &Broker, step: &Step<'_>, remembered: &Installation) -> Result<Found, WireError> {
    let Step { app, name, .. } = *step;
    let refused = |error| match error {
        GitHubError::Suspended => explain::suspended(app, remembered, ""),
        error => explain::github(&error, app),
    };
    let call = broker
        .app_api
        .call(app, |github, jwt| pending(async move { github.installation_of_repository(app, &jwt, name).await }));
    match call.await?.map_err(refused)? {
        RepositoryInstallation::Covered(found) => Ok(Found { installation: Some(*found), moved: None }),
        RepositoryInstallation::NotFound => Ok(Found { installation: None, moved: None }),
        RepositoryInstallation::Moved { repository_id } => {
            let call = broker.app_api.call(app, |github, jwt| {
                pending(async move { github.installation_of_repository_id(app, &jwt, repository_id).await })
            });
            Ok(Found { installation: call.await?.map_err(refused)?, moved: Some(repository_id) })
        }
    }
}

/// Until when the token at hand for a scope lives, if git would get it.
fn lasts_until(broker: &Broker, scope: &TokenScope, min_ttl: Duration) -> Option<i64> {
    broker.tokens.at_hand(scope, min_ttl).map(|lease| lease.minted.token.expires_at)
}

/// GitHub's answer about a repository.
struct Found {
    /// The installation that covers it.
    installation: Option<Installation>,
    /// Its id, if the repository has another name now.
    moved: Option<u64>,
}

/// What is known of a route before GitHub is asked about the repository.
struct Step<'a> {
    app: &'a App,
    grant: &'a Grant,
    name: &'a FullName,
    repositories: RepositorySet,
}

impl Step<'_> {
    /// Notes an installation and what it grants. Returns the scope of git's token.
    fn examine(&self, route: &mut Route, installation: &Installation) -> Result<TokenScope, WireError> {
        route.installation_id = Some(installation.id.0);
        route.account = Some(installation.account_name());
        route.repository_selection = Some(installation.selection.as_str().to_owned());
        let wished = self.grant.access.limit(&self.grant.permissions, false);
        let lowered = wished.lowered_to(&installation.permissions);
        route.permissions = lowered.to_map();
        let less = wished.iter().filter(|(name, level)| lowered.level(name) != Some(*level));
        route.lowered = less.map(|(name, _)| name.to_owned()).collect();
        Ok(TokenScope {
            app: self.app.name.clone(),
            host: self.app.host.clone(),
            installation: installation.id,
            repositories: self.repositories.clone(),
            permissions: granted(&wished, installation, self.app)?,
            exposure: None,
        })
    }

    /// What git gets, in words for people.
    fn promise(&self, scope: &TokenScope, renamed: bool, now: Option<&FullName>) -> String {
        let reach = match &scope.repositories {
            RepositorySet::One(_) => now.unwrap_or(self.name).to_string(),
            RepositorySet::Named(names) => {
                format!("{} repositories of the rule, if the installation includes all of them,", names.len())
            }
            RepositorySet::Installation => "all repositories of the installation".to_owned(),
        };
        let renamed = if renamed { "; the repository has another name now" } else { "" };
        let fetches = if self.grant.access == Access::Auto { "; fetches get less" } else { "" };
        format!("git gets a token for {reach} with {}{fetches}{renamed}", scope.permissions)
    }
}

fn note_grant(route: &mut Route, grant: &Grant) {
    route.rule.clone_from(&grant.rule);
    route.app = Some(grant.app.to_string());
}

fn forget_installation(route: &mut Route) {
    (route.installation_id, route.account, route.repository_selection) = (None, None, None);
    route.permissions.clear();
    route.lowered.clear();
}

/// What a token for that repository reaches; `None` when the rule does not list it.
fn reached(reach: &Reach, name: &FullName) -> Option<RepositorySet> {
    match reach {
        Reach::Requested => Some(RepositorySet::One(name.repository.clone())),
        Reach::Installation => Some(RepositorySet::Installation),
        Reach::Named(names) => RepositorySet::part_of(names, &name.repository),
    }
}
