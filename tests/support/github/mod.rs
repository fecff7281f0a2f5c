//! A GitHub that runs in the test's own process: one TLS origin with the API under `/api/v3` and git under
//! `/OWNER/REPO.git`, as on GitHub Enterprise Server.
//!
//! git-lfs finds its batch API and a store beside git.
//!
//! It is as strict as the real one where strictness finds bugs: app JWTs are verified against the App's live keys
//! and the simulator's own clock, a mint may only ask for a subset of what its installation has, and git is served by
//! the real `git http-backend` to live tokens only. Refusals carry GitHub's own words.
//!
//! ```no_run
//! use ghapp_tests::github::{GitHub, Selection};
//!
//! let github = GitHub::start();
//! github.create_repository("acme/web");
//! let app = github.create_app("Build Bot", "acme");
//! let installation = github.install(&app, "acme", Selection::All, &[("contents", "write")]);
//! ```

mod answer;
mod app;
mod auth;
mod calls;
mod fault;
mod json;
mod lfs;
mod manifest;
mod mint;
mod model;
mod permissions;
mod repository;
mod rest;
mod route;
mod server;
mod smart_http;
mod token;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

pub use app::{App, fingerprint_of};
pub use calls::{Call, Calls, Endpoint};
pub use fault::{Fault, Hold};
pub use mint::Mint;
pub use model::{AccountKind, Selection};
pub use permissions::Permissions;
pub use token::TokenShape;

use self::model::{Coverage, Installation};
use self::server::{Server, Simulator};
use crate::process::DEADLINE;

/// A running simulator. It stops when it is dropped.
pub struct GitHub {
    simulator: Arc<Simulator>,
    _server: Server,
}

impl GitHub {
    /// Starts an empty GitHub on a free port of 127.0.0.1; its name is `localhost`.
    ///
    /// # Panics
    ///
    /// When the machine has no loopback network, no writable temporary directory or no git.
    pub fn start() -> GitHub {
        let (simulator, server) = Server::start().expect("a simulator needs loopback and git");
        GitHub { simulator, _server: server }
    }

    /// The host as git names it: `localhost:PORT`.
    pub fn host(&self) -> &str {
        &self.simulator.host
    }

    /// The base of all API paths, without a trailing slash.
    pub fn api_url(&self) -> String {
        self.simulator.lock().api_url()
    }

    /// The clone URL of a repository.
    pub fn clone_url(&self, repository: &str) -> String {
        format!("https://{}/{repository}.git", self.host())
    }

    /// The certificate of the throw-away CA, as PEM.
    pub fn ca_file(&self) -> &Path {
        &self.simulator.ca_file
    }
}

/// Accounts, Apps and repositories.
impl GitHub {
    /// Declares what kind of account a login is. Accounts that are not declared are organisations.
    pub fn create_account(&self, login: &str, kind: AccountKind) {
        self.simulator.lock().declare_account(login, kind);
    }

    /// Registers an App with one private key.
    pub fn create_app(&self, name: &str, owner: &str) -> App {
        self.simulator.lock().register_app(name, owner)
    }

    /// The Apps that were registered from manifests so far, oldest first. Nothing has been installed for them.
    pub fn registered_apps(&self) -> Vec<App> {
        self.simulator.lock().manifests.registered.clone()
    }

    /// Generates one more private key for an App and returns it as PEM. All its keys are good until removed.
    pub fn add_key(&self, app: &App) -> String {
        let key = app::Key::generate();
        let pem = key.pem();
        self.simulator.lock().app_mut(app.app_id).public_keys.push(key.public_key());
        pem
    }

    /// Deletes a private key of an App: what it signs is refused from now on.
    pub fn remove_key(&self, app: &App, pem: &str) {
        let public_key = app::public_key_of(pem);
        let mut state = self.simulator.lock();
        let keys = &mut state.app_mut(app.app_id).public_keys;
        let before = keys.len();
        keys.retain(|key| *key != public_key);
        assert!(keys.len() < before, "the App has no such key");
    }

    /// Creates a private repository with one commit on `main`, and its owner if that is new. Returns its id.
    pub fn create_repository(&self, name: &str) -> u64 {
        self.new_repository(name, false)
    }

    /// Creates a repository that everybody may read.
    pub fn create_public_repository(&self, name: &str) -> u64 {
        self.new_repository(name, true)
    }

    /// Creates private repositories `OWNER/r0`, `OWNER/r1`, ... for listings. They have one commit between them.
    pub fn create_repositories(&self, owner: &str, count: usize) {
        let directory = self.simulator.directory().join(format!("{owner}.many"));
        repository::create(&directory);
        let mut state = self.simulator.lock();
        for number in 0..count {
            let id = state.next_id();
            state.add_repository(id, &format!("{owner}/r{number}"), false, directory.clone());
        }
    }

    fn new_repository(&self, name: &str, public: bool) -> u64 {
        let id = self.simulator.lock().next_id();
        let directory = self.simulator.directory().join(format!("{id}.git"));
        repository::create(&directory);
        self.simulator.lock().add_repository(id, name, public, directory);
        id
    }

    /// Renames or transfers a repository. The old name redirects until another repository takes it.
    pub fn rename_repository(&self, old: &str, new: &str) {
        self.simulator.lock().rename_repository(old, new);
    }

    /// The commit a branch of a repository points at.
    pub fn head(&self, repository: &str, branch: &str) -> Option<String> {
        let directory = {
            let state = self.simulator.lock();
            state.repository_named(repository).directory.clone()
        };
        repository::head(&directory, branch)
    }
}

/// Installations.
impl GitHub {
    /// Installs an App on an account and returns the installation's id.
    ///
    /// `metadata: read` is granted to every installation and need not be named.
    pub fn install(&self, app: &App, account: &str, selection: Selection, permissions: &[(&str, &str)]) -> u64 {
        let mut state = self.simulator.lock();
        let account = state.account(account);
        let coverage = state.coverage(&account.login, selection);
        let id = state.next_id();
        let installation = Installation {
            id,
            app_id: app.app_id,
            account,
            coverage,
            permissions: Permissions::granted(permissions),
            suspended_at: None,
        };
        state.installations.insert(id, installation);
        id
    }

    /// Deletes an installation and with it all of its tokens.
    pub fn uninstall(&self, installation: u64) {
        let mut state = self.simulator.lock();
        state.installations.remove(&installation).expect("the installation exists");
        state.tokens.retain(|_, token| token.installation_id != installation);
    }

    /// Suspends an installation: its tokens die and no new ones are minted.
    pub fn suspend(&self, installation: u64) {
        let mut state = self.simulator.lock();
        let now = state.now();
        state.installation_mut(installation).suspended_at = Some(now);
        state.tokens.retain(|_, token| token.installation_id != installation);
    }

    /// Ends a suspension. Tokens from before it stay dead.
    pub fn unsuspend(&self, installation: u64) {
        self.simulator.lock().installation_mut(installation).suspended_at = None;
    }

    /// Replaces the permissions of an installation.
    ///
    /// A live token gains nothing that is added, and loses what is taken away.
    pub fn grant(&self, installation: u64, permissions: &[(&str, &str)]) {
        self.simulator.lock().installation_mut(installation).permissions = Permissions::granted(permissions);
    }

    /// Replaces the repositories of an installation.
    pub fn select(&self, installation: u64, selection: Selection) {
        let mut state = self.simulator.lock();
        let login = state.installation_mut(installation).account.login.clone();
        let coverage: Coverage = state.coverage(&login, selection);
        state.installation_mut(installation).coverage = coverage;
    }
}

/// Tokens and time.
impl GitHub {
    /// Kills one token, as a revocation by another client does.
    pub fn revoke_token(&self, token: &str) {
        self.simulator.lock().tokens.remove(token).expect("the token is known");
    }

    /// The tokens that are alive, in the order of their minting.
    pub fn live_tokens(&self) -> Vec<String> {
        let state = self.simulator.lock();
        let mints = state.mints.iter().map(|mint| mint.token.clone());
        mints.filter(|token| state.live_token(token).is_some()).collect()
    }

    /// Whether mints are narrowed to what they ask for. A server that is old, or behind a proxy that drops what it does not know,
    /// gives the whole installation.
    pub fn narrow_mints(&self, narrow: bool) {
        self.simulator.lock().narrows = narrow;
    }

    /// Kills every token there is.
    pub fn kill_all_tokens(&self) {
        self.simulator.lock().tokens.clear();
    }

    /// How long tokens minted from now on live. GitHub's answer is one hour.
    pub fn token_lifetime(&self, lifetime: Duration) {
        self.simulator.lock().token_lifetime = SignedDuration::try_from(lifetime).expect("a lifetime is not that long");
    }

    /// What tokens minted from now on look like.
    pub fn token_shape(&self, shape: TokenShape) {
        self.simulator.lock().token_shape = shape;
    }

    /// Sets this GitHub's clock ahead of the machine's, or behind it with a negative duration.
    ///
    /// It decides about app JWTs and expiry, and is in every `Date` header.
    pub fn clock_ahead(&self, offset: SignedDuration) {
        self.simulator.lock().clock_offset = offset;
    }

    /// This GitHub's time.
    pub fn now(&self) -> Timestamp {
        self.simulator.lock().now()
    }

    /// Whether strangers are told nothing, as by a server in private mode or a tenant of GHE.com.
    pub fn private_mode(&self, private: bool) {
        self.simulator.lock().private_mode = private;
    }

    /// Renames an App: its slug changes, its bot's number does not. The bot's former name has no user.
    pub fn rename_app(&self, app: &App, name: &str) {
        self.simulator.lock().app_mut(app.app_id).rename(name);
    }

    /// The number of the user who is the author of an App's commits.
    pub fn bot_user_id(&self, app: &App) -> u64 {
        self.simulator.lock().app_mut(app.app_id).bot_user_id
    }

    /// Whether a client ID may be the issuer of an app JWT: GHES before 3.14 knows only App IDs.
    pub fn accept_client_id(&self, accept: bool) {
        self.simulator.lock().accepts_client_id = accept;
    }
}

/// What happened, and what shall go wrong.
impl GitHub {
    /// All calls so far.
    pub fn calls(&self) -> Calls {
        self.simulator.lock().calls.clone()
    }

    /// All successful mints so far, oldest first.
    pub fn mints(&self) -> Vec<Mint> {
        self.simulator.lock().mints.clone()
    }

    /// All app JWTs that were sent so far, accepted or refused.
    pub fn jwts(&self) -> Vec<String> {
        self.simulator.lock().jwts.iter().cloned().collect()
    }

    /// How many TLS connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.simulator.lock().connections
    }

    /// Waits until the calls so far satisfy a condition. A call counts when it arrives, before it is answered.
    ///
    /// # Panics
    ///
    /// At the deadline, with the list of calls.
    #[track_caller]
    pub fn wait_until(&self, condition: impl Fn(&Calls) -> bool) {
        self.wait_at_most(DEADLINE, condition);
    }

    /// The same with a deadline of the caller's own, for what takes its time by design.
    #[track_caller]
    pub fn wait_at_most(&self, limit: Duration, condition: impl Fn(&Calls) -> bool) {
        let deadline = Instant::now() + limit;
        let mut state = self.simulator.lock();
        loop {
            let calls = state.calls.clone();
            drop(state);
            // Outside of the lock, so that a condition may ask the simulator for more.
            if condition(&calls) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the condition was never met; {calls:#?}");
            state = self.simulator.wait_for_change(&calls, left);
        }
    }

    /// Lets the next `times` calls of an endpoint go wrong. Faults of one endpoint are used up in order.
    pub fn fault(&self, endpoint: Endpoint, fault: Fault, times: usize) {
        self.simulator.lock().faults.script(endpoint, fault, times);
    }

    /// Keeps every call of an endpoint waiting until the returned [`Hold`] is released or dropped.
    pub fn hold(&self, endpoint: Endpoint) -> Hold {
        self.simulator.lock().faults.hold(endpoint)
    }
}
