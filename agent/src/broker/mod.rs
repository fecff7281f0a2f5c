//! The use case: a question comes in, a token or a clear cause goes out. The only place where rules and edges meet.
//!
//! One `get`: [`crate::policy`] decides, [`mint`] finds the installation and mints unless [`crate::token`] has a token,
//! [`explain`] makes a cause of every failure, and [`crate::audit`] writes down what happened.

mod explain;
mod listing;
mod login;
mod mint;
mod scope;

pub use listing::Listening;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ghapp_protocol::TOKEN_USERNAME;
use ghapp_protocol::error::{ErrorCode, GitNext, WireError};
use ghapp_protocol::message::{Erase, Get, Lease, Reply, TokenCall, TokenReply};
use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};
use tracing::info;

use crate::audit::{Audit, Record};
use crate::clock::{Clock, Moment};
use crate::config::{self, Config};
use crate::github::GitHub;
use crate::installation::Installations;
use crate::keystore::KeyStores;
use crate::model::{App, AppName, Caller, Installation, OnFailure, Permissions, Reach, RepositorySet, TokenScope};
use crate::policy::{self, Decision, Grant};
use crate::signer::AppJwt;
use crate::token::{Flights, Role, TokenCache, TokenLease};

use mint::{Absence, MintKey};
use scope::{asked_permissions, asked_set, granted, only_host};

/// What the agent knows and can do. Shared by all connections.
pub struct Broker {
    clock: Arc<dyn Clock>,
    github: GitHub,
    stores: KeyStores,
    audit: Audit,
    config_file: PathBuf,
    state: Mutex<State>,
    jwts: Flights<AppName, Result<AppJwt, WireError>>,
    lookups: Flights<(AppName, Owner), Result<Option<Installation>, WireError>>,
    mints: Flights<MintKey, Result<TokenLease, WireError>>,
}

/// What changes. Locked for moments only, never across an await.
struct State {
    config: Arc<Config>,
    /// Why the file could not be read when the agent started; nothing is served until it can.
    config_error: Option<String>,
    installations: Installations,
    tokens: TokenCache,
    jwts: HashMap<AppName, AppJwt>,
    /// GitHub's clock minus ours, in seconds, per App: learned when GitHub refused a JWT because of the time.
    skew: HashMap<AppName, i64>,
    /// Repositories that GitHub just said are not part of an installation.
    refused: HashMap<TokenScope, Absence>,
}

/// A token and how it was come by.
struct Served {
    lease: TokenLease,
    source: &'static str,
}

impl Broker {
    /// Reads the configuration and opens the audit log. A broken configuration is not fatal: the agent says what is wrong
    /// with it to everybody who asks, and serves as soon as it is mended and reloaded.
    pub fn new(config_file: PathBuf, audit: Audit, clock: Arc<dyn Clock>) -> Self {
        let (config, config_error) = match config::load(&config_file) {
            Ok(config) => (config, None),
            Err(error) => (Config::default(), Some(error.to_string())),
        };
        let state = State {
            config: Arc::new(config),
            config_error,
            installations: Installations::default(),
            tokens: TokenCache::default(),
            jwts: HashMap::new(),
            skew: HashMap::new(),
            refused: HashMap::new(),
        };
        Self {
            clock,
            github: GitHub::default(),
            stores: KeyStores::default(),
            audit,
            config_file,
            state: Mutex::new(state),
            jwts: Flights::default(),
            lookups: Flights::default(),
            mints: Flights::default(),
        }
    }

    /// A token for git.
    pub async fn get(self: &Arc<Self>, get: Get, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = new_record("get", caller, started);
        record.host = Some(get.host.to_string());
        record.repository = get.repository.as_ref().map(ToString::to_string);
        let outcome = self.serve(&get, caller, &mut record).await;
        let reply = match outcome {
            Ok(Some(served)) => {
                note(&mut record, &served);
                let token = &served.lease.minted.token;
                Reply::Lease(Lease {
                    username: TOKEN_USERNAME.to_owned(),
                    token: token.secret.clone(),
                    expires_at: token.expires_at,
                })
            }
            Ok(None) => Reply::NoMatch {},
            Err(error) => Reply::Error(error),
        };
        self.finish(record, started, &reply);
        reply
    }

    /// A token for a person or a script.
    pub async fn token(self: &Arc<Self>, call: TokenCall, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = new_record("token", caller, started);
        record.repository = Some(call.repository.to_string());
        let reply = match self.serve_person(&call, caller, &mut record).await {
            Ok(Some(served)) => {
                note(&mut record, &served);
                let TokenLease { id, scope, minted, .. } = served.lease;
                Reply::Token(Box::new(TokenReply {
                    lease: Lease {
                        username: TOKEN_USERNAME.to_owned(),
                        token: minted.token.secret,
                        expires_at: minted.token.expires_at,
                    },
                    id,
                    permissions: minted.token.permissions.to_map(),
                    repositories: scope.repositories.names().map(<[_]>::to_vec),
                }))
            }
            Ok(None) => Reply::NoMatch {},
            Err(error) => Reply::Error(error),
        };
        self.finish(record, started, &reply);
        reply
    }

    /// Drops exactly the token that a server refused. It is not killed at GitHub: other git commands may be using it.
    pub fn erase(&self, erase: &Erase, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = new_record("erase", caller, started);
        record.host = Some(erase.host.to_string());
        let dropped = self.state().tokens.erase(&erase.hashed_token);
        // A password of another helper comes here too; its hash stays out of the log.
        record.hashed_token = dropped.as_ref().map(|lease| lease.minted.token.hash);
        record.lease = dropped.as_ref().map(|lease| lease.id);
        let reply = Reply::Erased { dropped: dropped.is_some() };
        self.finish(record, started, &reply);
        reply
    }

    /// Reads the configuration file again. A file with an error changes nothing.
    pub fn reload(&self) -> Reply {
        match config::load(&self.config_file) {
            Ok(config) => {
                self.adopt(config);
                // Widened grants and new certificates are what people reload for.
                self.github.reconnect();
                let mut state = self.state();
                state.refused.clear();
                let names: Vec<_> = state.config.apps.iter().map(|app| app.name.clone()).collect();
                for name in &names {
                    state.installations.forget_app(name);
                }
                info!("configuration read again");
                Reply::Reloaded {}
            }
            Err(error) => Reply::Error(explain::config(&error.to_string())),
        }
    }

    /// Finds out who may serve a remote and gets the token. `None`: not ours.
    async fn serve(
        self: &Arc<Self>,
        get: &Get,
        caller: &Caller,
        record: &mut Record,
    ) -> Result<Option<Served>, WireError> {
        let config = self.config()?;
        if !config.knows(&get.host) {
            return Ok(None);
        }
        let Get { host, repository, owners } = get;
        let (decision, owner, name) = match (repository, owners.as_slice()) {
            (Some(name), _) => {
                let decision = policy::decide(&config.apps, &config.rules, host, name);
                (decision, &name.owner, Some(&name.repository))
            }
            // The owner may come from elsewhere, but then only for rules that do not need the repository (decision 2).
            (None, [owner]) => {
                let decision = policy::decide_for_owner(&config.apps, &config.rules, host, owner);
                (decision, owner, None)
            }
            (None, _) => return Err(explain::path_missing(host)),
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
            (Reach::Requested, None) => return Err(explain::path_missing(host)),
            (Reach::Installation, _) => RepositorySet::Installation,
            (Reach::Named(names), Some(name)) if !names.contains(name) => {
                return Err(ours(explain::outside_named_set(owner, name, grant.rule.as_deref())));
            }
            (Reach::Named(names), _) => RepositorySet::Named(names.clone()),
        };
        let app = configured(&config, &grant.app)?;
        let permissions = granted(&grant.permissions, &installation, app).map_err(&ours)?;
        let wanted = Wanted { app, owner, installation, repositories, permissions };
        let min_ttl = config.agent.min_ttl;
        self.lease(wanted, min_ttl, caller).await.map(Some).map_err(ours)
    }

    /// The same for `ghapp token`, which may ask for less than the rules allow, never for more.
    async fn serve_person(
        self: &Arc<Self>,
        call: &TokenCall,
        caller: &Caller,
        record: &mut Record,
    ) -> Result<Option<Served>, WireError> {
        let config = self.config()?;
        let host = match &call.host {
            Some(host) => host.clone(),
            None => only_host(&config)?,
        };
        record.host = Some(host.to_string());
        let FullName { owner, repository } = &call.repository;
        let decision = policy::decide(&config.apps, &config.rules, &host, &call.repository);
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
            granted(&grant.permissions, &installation, app)?
        } else {
            asked_permissions(call, &grant, &installation, app)?
        };
        let min_ttl = call.min_ttl.map_or(config.agent.min_ttl, Duration::from_secs);
        let wanted = Wanted { app, owner, installation, repositories, permissions: allowed };
        self.lease(wanted, min_ttl, caller).await.map(Some)
    }

    /// Picks the App that is installed on the owner. Never the first of several, and never one when a lookup failed: an error
    /// is ignorance, not absence.
    async fn choose(
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
            let rule = |error| match grant.rule {
                Some(_) => with_rule(error, grant.on_failure),
                None => error,
            };
            match self.installation(app, owner).await.map_err(rule)? {
                Some(installation) => installed.push((grant, installation)),
                None => missing.push(rule(explain::not_installed(app, owner))),
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
    async fn lease(
        self: &Arc<Self>,
        wanted: Wanted<'_>,
        min_ttl: Duration,
        caller: &Caller,
    ) -> Result<Served, WireError> {
        let Wanted { app, owner, installation, repositories, permissions } = wanted;
        let scope = TokenScope {
            app: app.name.clone(),
            host: app.host.clone(),
            installation: installation.id,
            repositories,
            permissions,
        };
        let now = self.clock.now();
        {
            let mut state = self.state();
            if let Some(lease) = state.tokens.use_token(&scope, min_ttl, now) {
                return Ok(Served { lease: lease.clone(), source: "hit" });
            }
            if let Some(error) = Absence::still(&mut state.refused, &scope, now) {
                return Err(error);
            }
        }
        if let Some(since) = &installation.suspended_at {
            return Err(explain::suspended(app, &installation, since));
        }
        let mint = mint::Mint { app: app.clone(), owner: owner.clone(), installation, scope, min_ttl };
        self.mint_once(mint, caller).await.map(|(lease, role)| Served {
            lease,
            source: match role {
                Role::Led => "mint",
                Role::Joined => "joined",
            },
        })
    }

    fn config(&self) -> Result<Arc<Config>, WireError> {
        let state = self.state();
        match &state.config_error {
            Some(error) => Err(explain::config(error)),
            None => Ok(Arc::clone(&state.config)),
        }
    }

    /// Makes a configuration the running one.
    fn adopt(&self, config: Config) {
        let mut state = self.state();
        state.config = Arc::new(config);
        state.config_error = None;
        state.jwts.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic half-way runs with the lock held; a poisoned state is a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, mut record: Record, started: Moment, reply: &Reply) {
        if record.outcome.is_empty() {
            record.outcome = match reply {
                Reply::Error(error) => format!("error {}", error.code.id()),
                Reply::NoMatch {} => "no_match".to_owned(),
                Reply::Erased { dropped: true } => "dropped".to_owned(),
                Reply::Erased { dropped: false } => "not_ours".to_owned(),
                _ => "ok".to_owned(),
            };
        }
        let elapsed = self.clock.now().boot.saturating_sub(started.boot);
        record.us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        info!(call = record.call, outcome = %record.outcome, us = record.us, "answered");
        self.audit.record(record);
    }
}

/// A token that is needed.
struct Wanted<'a> {
    app: &'a App,
    owner: &'a Owner,
    installation: Installation,
    repositories: RepositorySet,
    permissions: Permissions,
}

fn new_record(call: &'static str, caller: &Caller, now: Moment) -> Record {
    Record {
        ts: jiff::Timestamp::from_second(now.wall).map(|ts| ts.to_string()).unwrap_or_default(),
        call,
        uid: caller.uid,
        pid: caller.pid,
        ..Record::default()
    }
}

fn note(record: &mut Record, served: &Served) {
    let Served { lease, source } = served;
    (*source).clone_into(&mut record.outcome);
    record.program = (*source == "mint").then(|| lease.minted.requested_by.exe.clone()).flatten();
    record.installation_id = Some(lease.scope.installation.0);
    record.repositories = Some(match lease.scope.repositories.names() {
        Some(names) => names.iter().map(RepositoryName::as_str).collect(),
        None => "installation".into(),
    });
    record.permissions = Some(lease.minted.token.permissions.to_string());
    record.lease = Some(lease.id);
    record.hashed_token = Some(lease.minted.token.hash);
}

fn configured<'a>(config: &'a Config, name: &AppName) -> Result<&'a App, WireError> {
    // The configuration guarantees it for rules; candidates come from the same snapshot.
    config.app(name).ok_or_else(|| WireError::new(ErrorCode::Internal, format!("the App {name} is gone")))
}

/// Makes a failure's next step the rule's: stop, or let the next helper try.
fn with_rule(error: WireError, on_failure: OnFailure) -> WireError {
    let git_next = on_failure.git_next().unwrap_or(GitNext::Stop);
    WireError { git_next: Some(git_next), ..error }
}
