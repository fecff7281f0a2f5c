//! The use case: a question comes in, a token or a clear cause goes out. The only place where rules and edges meet.
//!
//! One `get`: [`crate::policy`] decides, `mint` finds the installation and mints unless [`crate::token`] has a token,
//! `explain` makes a cause of every failure, and [`crate::audit`] writes down what happened.

mod activity;
mod app_api;
mod apps;
mod explain;
mod git;
mod lock;
mod state;
mod telling;
mod tokens;

pub use activity::Need;
pub use telling::status::Listening;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ghapp_protocol::TOKEN_USERNAME;
use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Erase, Get, Lease, Reply, TokenCall, TokenReply};
use ghapp_protocol::remote::{Owner, RepositoryName};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tracing::{debug, info};

use crate::attempts::Attempts;
use crate::audit::{Audit, Record};
use crate::clock::{Clock, Moment};
use crate::config::{self, Config};
use crate::failed_keys::FailedKeys;
use crate::github::{GitHub, User};
use crate::installation::Installations;
use crate::keystore::KeyStores;
use crate::model::{App, AppJwt, AppName, Caller, ExposureId, Fingerprint, Installation, InstallationId, TokenScope};
use crate::numbers::Numbers;
use crate::patience::Breakers;
use crate::token::{Cooling, Flights, TokenCache, TokenLease};

use activity::Activity;
use state::exposures::Exposures;
use telling::repositories::Reached;
use tokens::mint::{Absence, MintKey};

/// What the agent knows and can do. Shared by all connections.
pub struct Broker {
    clock: Arc<dyn Clock>,
    github: GitHub,
    stores: KeyStores,
    audit: Audit,
    config_file: PathBuf,
    state: Mutex<State>,
    activity: Activity,
    /// Whose turn it is to change which Apps there are.
    turns: Semaphore,
    jwts: Flights<(AppName, Fingerprint), Result<AppJwt, WireError>>,
    lookups: Flights<(AppName, Owner), Result<Option<Installation>, WireError>>,
    mints: Flights<MintKey, Result<TokenLease, WireError>>,
    listings: Flights<(AppName, InstallationId), Result<Reached, WireError>>,
    introductions: Flights<AppName, Result<User, WireError>>,
    /// A token is to be replaced before all others that wait for that.
    renewal_comes_first: Notify,
}

/// What changes. Locked for moments only, never across an await.
struct State {
    config: Arc<Config>,
    /// Why the file could not be read when the agent started; nothing is served until it can.
    config_error: Option<String>,
    installations: Installations,
    tokens: TokenCache,
    /// The last JWT that each key signed.
    jwts: HashMap<(AppName, Fingerprint), AppJwt>,
    /// Keys in whose place another one signs.
    failed_keys: FailedKeys,
    /// GitHub's clock minus ours, in seconds, per App: learned when GitHub refused a JWT because of the time.
    skew: HashMap<AppName, i64>,
    /// Apps that GitHub asked to wait.
    breakers: Breakers,
    /// Scopes whose tokens servers refused lately.
    cooling: Cooling,
    /// The numbers of repositories.
    numbers: Numbers,
    /// Repositories that GitHub just said are not part of an installation.
    refused: HashMap<TokenScope, Absence>,
    /// The repositories that installations reach, as GitHub told last, in the order of their ids.
    reached: HashMap<(AppName, InstallationId), Reached>,
    /// The users that Apps commit as.
    bots: HashMap<AppName, User>,
    /// The sockets that are exposed.
    exposures: Exposures,
    /// The agent ends and kills all tokens: none is handed out or kept any more.
    ending: bool,
    /// The agent was locked: no key is used, and no token is handed out or kept.
    locked: bool,
    /// How often that happened.
    locks: u64,
    /// Wrong passphrases.
    attempts: Attempts,
    /// When a token or a key was last needed.
    last_needed: Moment,
}

impl State {
    /// Why no token is handed out or kept, if there is a reason.
    fn closed(&self) -> Option<WireError> {
        if self.ending { Some(explain::ending()) } else { self.locked.then(explain::locked) }
    }

    /// Whether a token of an App may be kept. The App may have been removed while GitHub was asked, or the exposed socket closed
    /// that the token is for.
    fn keeps_token(&self, app: &App, scope: &TokenScope) -> bool {
        let now = self.config.app(&app.name);
        let same_app = now.is_some_and(|now| now.host == app.host && now.issuer() == app.issuer());
        self.closed().is_none() && same_app && scope.exposure.as_ref().is_none_or(|id| self.exposures.has(id))
    }

    /// Whether JWTs that a key of an App signed may be kept: only as long as it has that key.
    fn keeps_jwts_of(&self, app: &App, key: &Fingerprint) -> bool {
        let id = app.place_of(key).id;
        !self.locked && self.config.app(&app.name).is_some_and(|now| now.key_places().any(|place| place.id == id))
    }

    /// Forgets the JWTs of an App.
    fn forget_jwts(&mut self, app: &AppName) {
        self.jwts.retain(|(name, _), _| name != app);
    }
}

/// A token and how it was come by.
struct Served {
    lease: TokenLease,
    source: &'static str,
}

impl Broker {
    /// Reads the configuration and opens the audit log. A broken configuration is not fatal: the agent says what is wrong
    /// with it to everybody who asks, and serves as soon as it is mended and reloaded.
    pub fn new(config_file: PathBuf, stores: KeyStores, audit: Audit, clock: Arc<dyn Clock>) -> Self {
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
            failed_keys: FailedKeys::default(),
            skew: HashMap::new(),
            breakers: Breakers::default(),
            cooling: Cooling::default(),
            numbers: Numbers::default(),
            refused: HashMap::new(),
            reached: HashMap::new(),
            bots: HashMap::new(),
            exposures: Exposures::default(),
            ending: false,
            locked: false,
            locks: 0,
            attempts: Attempts::default(),
            last_needed: clock.now(),
        };
        Self {
            activity: Activity::since(clock.now()),
            clock,
            github: GitHub::default(),
            stores,
            audit,
            config_file,
            state: Mutex::new(state),
            turns: Semaphore::new(1),
            jwts: Flights::default(),
            lookups: Flights::default(),
            mints: Flights::default(),
            listings: Flights::default(),
            introductions: Flights::default(),
            renewal_comes_first: Notify::new(),
        }
    }

    /// A token for git.
    pub async fn get(self: &Arc<Self>, get: Get, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = new_record("get", caller, started);
        record.host = Some(get.host.to_string());
        record.repository = get.repository.as_ref().map(ToString::to_string);
        let outcome = self.serve(&get, caller, &mut record).await;
        self.answer_git(outcome, record, started)
    }

    /// What git gets, and the line about it.
    fn answer_git(&self, outcome: Result<Option<Served>, WireError>, mut record: Record, started: Moment) -> Reply {
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
                let app = Some(scope.app.to_string());
                Reply::Token(Box::new(TokenReply {
                    lease: Lease {
                        username: TOKEN_USERNAME.to_owned(),
                        token: minted.token.secret.clone(),
                        expires_at: minted.token.expires_at,
                    },
                    id,
                    permissions: minted.token.permissions.to_map(),
                    repositories: scope.repositories.names().map(<[_]>::to_vec),
                    app,
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
        self.drop_token(erase, None, new_record("erase", caller, self.clock.now()))
    }

    /// Drops a token for whoever may: behind an exposed socket only what was given out over it.
    fn drop_token(&self, erase: &Erase, guest: Option<&ExposureId>, mut record: Record) -> Reply {
        let started = self.clock.now();
        record.host = Some(erase.host.to_string());
        let dropped = {
            let mut state = self.state();
            let dropped = state.tokens.erase(&erase.host, &erase.hashed_token, guest);
            if let Some(lease) = &dropped {
                state.cooling.refused(&lease.scope, started);
            }
            dropped
        };
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
                state.failed_keys = FailedKeys::default();
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

    fn config(&self) -> Result<Arc<Config>, WireError> {
        let state = self.state();
        match &state.config_error {
            Some(error) => Err(explain::config(error)),
            None => Ok(Arc::clone(&state.config)),
        }
    }

    /// Makes a configuration the running one.
    fn adopt(&self, config: Config) {
        {
            let mut state = self.state();
            state.config = Arc::new(config);
            state.config_error = None;
            state.jwts.clear();
            let config = Arc::clone(&state.config);
            state.failed_keys.keep_only(&config.apps);
            state.reached.clear();
            state.bots.clear();
        }
        self.close_what_has_no_app();
    }

    /// Waits until no other login, logout or unlock is under way. Each has several steps with waiting between them, and would otherwise
    /// undo what the other does.
    async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("the semaphore is never closed")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic half-way runs with the lock held; a poisoned state is a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down how a question ended.
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
        self.write(record, started);
    }

    /// Writes down a decision and how long it took.
    fn write(&self, mut record: Record, started: Moment) {
        let elapsed = self.clock.now().boot.saturating_sub(started.boot);
        record.us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        // The usual answer is not worth a line of the journal for each git command, and nobody waits for its line in the log (`InUse`).
        if record.outcome == HIT {
            debug!(call = record.call, outcome = HIT, us = record.us, "decided");
            return self.audit.record_later(record);
        }
        info!(call = record.call, outcome = %record.outcome, us = record.us, "decided");
        self.audit.record(record);
    }
}

/// The outcome of a question that was answered from the cache.
const HIT: &str = "hit";

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
    record.program = lease.minted.program.as_deref().filter(|_| *source == "mint").map(str::to_owned);
    record.installation_id = Some(lease.scope.installation.0);
    record.repositories = Some(match lease.scope.repositories.names() {
        Some(names) => names.iter().map(RepositoryName::as_str).collect(),
        None => "installation".into(),
    });
    record.permissions = Some(lease.minted.token.permissions.to_string());
    record.lease = Some(lease.id);
    record.hashed_token = Some(lease.minted.token.hash);
}

/// What to say when a task of our own panicked.
fn panicked() -> WireError {
    WireError::new(ErrorCode::Internal, "the agent met an error of its own; its log says more")
}
