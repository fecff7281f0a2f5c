//! From a question to a token: the rule, the App, the scope, and then the cache or a mint.

use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::{ErrorCode, GitNext, WireError};
use ghapp_protocol::message::{Get, TokenCall};
use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};

use crate::audit::Record;
use crate::broker::git::discover::Meant;
use crate::broker::git::scope::{asked_permissions, asked_set, granted, only_host};
use crate::broker::tokens::mint::{Absence, Mint};
use crate::broker::{Broker, HIT, Served, explain};
use crate::config::{Config, MAX_MIN_TTL};
use crate::lineage;
use crate::model::{
    Access, App, AppName, Caller, ExposureId, Installation, InstallationId, MAX_NAMED, OnFailure, Permissions, Reach,
    RepositorySet, TokenScope,
};
use crate::policy::{self, Decision, Grant};
use crate::token::Role;

impl Broker {
    /// Finds out who may serve a remote and gets the token. `None`: not ours.
    pub(in crate::broker) async fn serve(
        self: &Arc<Self>,
        get: &Get,
        caller: &Caller,
        record: &mut Record,
    ) -> Result<Option<Served>, WireError> {
        let config = self.config()?;
        if !config.knows(&get.host) {
            return Ok(None);
        }
        self.needed();
        let host = &get.host;
        let meant = self.meant(&config, get, caller).await?;
        let (decision, owner, name) = match &meant {
            Meant::Repository(name) => {
                record.repository = Some(name.to_string());
                let decision = policy::decide(&config.apps, &config.rules, host, name);
                (decision, &name.owner, Some(&name.repository))
            }
            // Which repository is not known, so only rules that do not need it count (decision 2).
            Meant::Owner(owner) => {
                let decision = policy::decide_for_owner(&config.apps, &config.rules, host, owner);
                (decision, owner, None)
            }
        };
        let grants = match decision {
            Decision::NoMatch => return Ok(None),
            Decision::Deny { rule, on_failure } => {
                record.rule = Some(rule.clone());
                return Err(with_rule(explain::denied(host, &rule), on_failure));
            }
            Decision::Serve(grant) => vec![grant],
            Decision::Candidates(grants) => grants,
        };
        let (grant, installation) = self.choose(&config, host, owner, grants).await?;
        record.rule.clone_from(&grant.rule);
        record.app = Some(grant.app.to_string());
        let ours = |error: WireError| match grant.rule {
            // A rule makes the remote ours, whatever GitHub says about it.
            Some(_) => with_rule(error, grant.on_failure),
            None => error,
        };
        let repositories = match (&grant.reach, name) {
            (Reach::Requested, Some(name)) => RepositorySet::One(name.clone()),
            (Reach::Installation, _) => RepositorySet::Installation,
            (Reach::Named(names), Some(name)) => RepositorySet::part_of(names, name)
                .ok_or_else(|| ours(explain::outside_named_set(owner, name, grant.rule.as_deref())))?,
            (Reach::Named(names), None) if names.len() <= MAX_NAMED => RepositorySet::Named(names.as_slice().into()),
            // Which token is meant, only the repository could tell.
            (Reach::Requested | Reach::Named(_), None) => return Err(explain::path_missing(host)),
        };
        let app = configured(&config, &grant.app)?;
        // A hint of this user's own processes: it may narrow a token, never widen it.
        let is_fetch = grant.access == Access::Auto && lineage::is_fetch(caller);
        let wished = grant.access.limit(&grant.permissions, is_fetch);
        let permissions = granted(&wished, &installation, app).map_err(&ours)?;
        let for_git = name.cloned();
        let pinned = grant.installation.or(app.installation);
        let wanted = Wanted { app, owner, installation, pinned, repositories, permissions, exposure: None, for_git };
        let min_ttl = config.agent.min_ttl;
        self.lease(wanted, min_ttl, caller).await.map(Some).map_err(ours)
    }

    /// The same for `ghapp token`, which may ask for less than the rules allow, never for more.
    pub(in crate::broker) async fn serve_person(
        self: &Arc<Self>,
        call: &TokenCall,
        caller: &Caller,
        record: &mut Record,
    ) -> Result<Option<Served>, WireError> {
        let config = self.config()?;
        self.needed();
        let host = match &call.host {
            Some(host) => host.clone(),
            None => only_host(&config)?,
        };
        record.host = Some(host.to_string());
        let FullName { owner, repository } = &call.repository;
        let decision = policy::decide(&config.apps, &config.rules, &host, &call.repository);
        // One token for several repositories must be one that each of them would get by itself: a rule that denies one of them,
        // or serves it otherwise, is not passed by naming it second.
        for other in &call.repositories {
            let name = FullName { owner: owner.clone(), repository: other.clone() };
            match policy::decide(&config.apps, &config.rules, &host, &name) {
                Decision::Deny { rule, .. } => return Err(explain::denied(&host, &rule)),
                same if same == decision => {}
                _ => return Err(explain::served_otherwise(&call.repository, &name)),
            }
        }
        let mut grants = match decision {
            Decision::NoMatch => return Ok(None),
            Decision::Deny { rule, .. } => return Err(explain::denied(&host, &rule)),
            Decision::Serve(grant) => vec![grant],
            Decision::Candidates(grants) => grants,
        };
        if let Some(app) = &call.app {
            grants.retain(|grant| grant.app.as_str() == app);
            if grants.is_empty() {
                return Err(explain::app_not_for(app, &host, owner));
            }
        }
        let (grant, installation) = self.choose(&config, &host, owner, grants).await?;
        record.rule.clone_from(&grant.rule);
        record.app = Some(grant.app.to_string());
        let app = configured(&config, &grant.app)?;
        let repositories = asked_set(call, repository, &grant)?;
        let allowed = if call.permissions.is_empty() {
            granted(&grant.access.limit(&grant.permissions, false), &installation, app)?
        } else {
            asked_permissions(&call.permissions, &grant, &installation, app)?
        };
        let min_ttl = call.min_ttl.map_or(config.agent.min_ttl, Duration::from_secs);
        if min_ttl > MAX_MIN_TTL {
            return Err(explain::min_ttl_too_long());
        }
        let pinned = grant.installation.or(app.installation);
        let permissions = allowed;
        let wanted =
            Wanted { app, owner, installation, pinned, repositories, permissions, exposure: None, for_git: None };
        self.lease(wanted, min_ttl, caller).await.map(Some)
    }

    /// Picks the App that is installed on the owner. Never the first of several, and never one when a lookup failed: an error
    /// is ignorance, not absence.
    pub(in crate::broker) async fn choose(
        self: &Arc<Self>,
        config: &Arc<Config>,
        host: &Host,
        owner: &Owner,
        grants: Vec<Grant>,
    ) -> Result<(Grant, Installation), WireError> {
        let mut installed = Vec::new();
        let mut missing = Vec::new();
        for grant in grants {
            let app = configured(config, &grant.app)?;
            // Without a rule the remote is ours only if an installation covers it (decision 7). As long as that cannot be learned it
            // may be anybody's, and git may ask the next helper.
            let unlearned = |error: WireError| match grant.rule {
                Some(_) => with_rule(error, grant.on_failure),
                None => WireError { git_next: Some(GitNext::NextHelper), ..error },
            };
            let pinned = grant.installation.or(app.installation);
            match self.installation_of(app, owner, pinned).await.map_err(unlearned)? {
                Some(installation) => installed.push((grant, installation)),
                None => missing.push(unlearned(explain::not_installed(app, owner))),
            }
        }
        match installed.len() {
            1 => Ok(installed.remove(0)),
            0 if missing.len() == 1 => Err(missing.remove(0)),
            0 => Err(explain::none_installed(host, owner)),
            _ => {
                let names: Vec<_> = installed.iter().map(|(grant, _)| grant.app.as_str()).collect();
                Err(explain::ambiguous(host, owner, &names))
            }
        }
    }

    /// The token for a scope: from the cache, or minted, by us or by whoever asked first.
    pub(in crate::broker) async fn lease(
        self: &Arc<Self>,
        wanted: Wanted<'_>,
        min_ttl: Duration,
        caller: &Caller,
    ) -> Result<Served, WireError> {
        let Wanted { app, owner, installation, pinned, repositories, permissions, exposure, for_git } = wanted;
        let scope = TokenScope {
            app: app.name.clone(),
            host: app.host.clone(),
            installation: installation.id,
            repositories,
            permissions,
            exposure,
        };
        let mint = |scope, installation, ahead| {
            let (app, owner) = (app.clone(), owner.clone());
            Mint { app, owner, installation, pinned, scope, min_ttl, for_git, ahead }
        };
        let now = self.clock.now();
        {
            let mut state = self.state();
            if let Some(closed) = state.closed() {
                return Err(closed);
            }
            if let Some(lease) = state.tokens.use_token(&scope, min_ttl, now) {
                let lease = lease.clone();
                let is_due = state.tokens.refresh_is_due(lease.id, now);
                drop(state);
                if is_due {
                    self.refresh(mint(scope, installation, true), caller);
                }
                return Ok(Served { lease, source: HIT });
            }
            if let Some(left) = state.cooling.left(&scope, now) {
                let next = now.wall.saturating_add(i64::try_from(left.as_secs() + 1).unwrap_or(i64::MAX));
                return Err(explain::cooling(app, next));
            }
            if let Some(error) = Absence::still(&mut state.refused, &scope, now) {
                return Err(error);
            }
        }
        if let Some(since) = &installation.suspended_at {
            return Err(explain::suspended(app, &installation, since));
        }
        let (lease, role) = self.mint_once(mint(scope, installation, false), caller).await?;
        // Each who waited counts as a use. Somebody may have erased the token meanwhile; it was minted for us all the same.
        let now = self.clock.now();
        let used = self.state().tokens.use_token(&lease.scope, Duration::ZERO, now).cloned();
        let lease = used.filter(|used| used.id == lease.id).unwrap_or(lease);
        let source = if role == Role::Led { "mint" } else { "joined" };
        Ok(Served { lease, source })
    }
}

/// A token that is needed.
pub(in crate::broker) struct Wanted<'a> {
    pub(in crate::broker) app: &'a App,
    pub(in crate::broker) owner: &'a Owner,
    pub(in crate::broker) installation: Installation,
    pub(in crate::broker) pinned: Option<InstallationId>,
    pub(in crate::broker) repositories: RepositorySet,
    pub(in crate::broker) permissions: Permissions,
    /// The exposed socket that it is given out over.
    pub(in crate::broker) exposure: Option<ExposureId>,
    /// The repository that git is about to use the token for.
    pub(in crate::broker) for_git: Option<RepositoryName>,
}

pub(in crate::broker) fn configured<'a>(config: &'a Config, name: &AppName) -> Result<&'a App, WireError> {
    // The configuration guarantees it for rules; candidates come from the same snapshot.
    config.app(name).ok_or_else(|| WireError::new(ErrorCode::Internal, format!("the App {name} is gone")))
}

/// Makes a failure's next step the rule's: stop, or let the next helper try.
pub(in crate::broker) fn with_rule(error: WireError, on_failure: OnFailure) -> WireError {
    let git_next = on_failure.git_next().unwrap_or(GitNext::Stop);
    WireError { git_next: Some(git_next), ..error }
}
