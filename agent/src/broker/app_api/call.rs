//! One call of GitHub's API, made with patience: signed, signed anew when the clock is wrong or with the next key when this one is
//! refused or gone, repeated when GitHub stumbles, and not made at all while GitHub asks us to wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ghapp_protocol::error::{ErrorCode, WireError};
use tokio::time::sleep;
use tracing::{info, warn};

use crate::broker::{Broker, explain, explain::stores, new_record, panicked};
use crate::failed_keys::Failure;
use crate::github::GitHubError;
use crate::keystore::Found;
use crate::model::{App, AppJwt, Caller, Fingerprint};
use crate::patience;
use crate::signer;

/// A JWT with less life than this is not used: the call it is for may take its time.
const JWT_MARGIN: i64 = 120;

/// A call under way.
pub(in crate::broker) type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, GitHubError>> + Send + 'a>>;

impl Broker {
    /// Makes a call that needs an app JWT. The outer error is ours (no key, no patience); the inner one is GitHub's last word.
    ///
    /// When GitHub refuses the key, or its store does not have it, the App's others are tried once each. The one that is accepted signs
    /// from then on.
    pub(in crate::broker) async fn ask<'a, T>(
        self: &'a Arc<Self>,
        app: &'a App,
        call: impl Fn(AppJwt) -> Pending<'a, T> + Send + Sync,
    ) -> Result<Result<T, GitHubError>, WireError> {
        let order = self.order(app);
        let outcome = self.round(app, &order, &call).await;
        if matches!(outcome, Err(_) | Ok(Err(GitHubError::KeyRefused))) {
            // Somebody may have changed the App's keys meanwhile: the ones that it has now get one round.
            let now = self.order(app);
            if now != order {
                return self.round(app, &now, &call).await;
            }
        }
        outcome
    }

    /// An App's keys in the order in which they are tried, as they are now: `app` may be from before a rotation.
    pub(in crate::broker) fn order(&self, app: &App) -> Vec<Fingerprint> {
        let state = self.state();
        let same = |now: &&App| now.host == app.host && now.issuer() == app.issuer() && now.store == app.store;
        state.failed_keys.order(state.config.app(&app.name).filter(same).unwrap_or(app))
    }

    /// Makes a call with one key after the other, until GitHub accepts one.
    async fn round<'a, T>(
        self: &'a Arc<Self>,
        app: &'a App,
        order: &[Fingerprint],
        call: &(impl Fn(AppJwt) -> Pending<'a, T> + Send + Sync),
    ) -> Result<Result<T, GitHubError>, WireError> {
        let mut verdict = Err(explain::no_key(app));
        let mut failed = Vec::new();
        for key in order {
            self.unlocked()?;
            match self.ask_with(app, key, call).await {
                Ok(Err(GitHubError::KeyRefused)) => {
                    verdict = Ok(Err(GitHubError::KeyRefused));
                    failed.push((key, Failure::Refused));
                }
                Ok(outcome) => {
                    if is_accepted(&outcome) {
                        self.heard(app, key, &failed);
                    }
                    return Ok(outcome);
                }
                Err(error) if is_absence(&error) => {
                    info!(app = %app.name, %key, %error, "a key is missing");
                    if failed.is_empty() {
                        verdict = Err(error);
                    }
                    failed.push((key, Failure::Missing));
                }
                // It is not to be had; that another one was refused says more.
                Err(error) if verdict.is_ok() => info!(app = %app.name, %key, %error, "the next key cannot sign"),
                // Whether it is there is not known, and so nobody takes its place.
                Err(error) => return Err(error),
            }
        }
        verdict
    }

    /// Takes note of which key GitHub accepts, and says so when another one was to sign.
    pub(in crate::broker) fn heard(&self, app: &App, accepted: &Fingerprint, failed: &[(&Fingerprint, Failure)]) {
        let news: Vec<_> = {
            let mut state = self.state();
            state.failed_keys.accept(&app.name, accepted);
            // A key that was removed while it was tried is nobody's concern any more.
            let config = Arc::clone(&state.config);
            let is_kept = |key: &Fingerprint| config.app(&app.name).is_some_and(|now| now.keys().any(|it| it == key));
            let mut is_news = |key: &Fingerprint, why| is_kept(key) && state.failed_keys.fail(&app.name, key, why);
            let news: Vec<_> = failed.iter().copied().filter(|(key, why)| is_news(key, *why)).collect();
            for (key, _) in &news {
                state.jwts.remove(&(app.name.clone(), Fingerprint::clone(key)));
            }
            news
        };
        for (key, failure) in news {
            let (call, outcome) = match failure {
                Failure::Refused => ("key_refused", "refused"),
                Failure::Missing => ("key_missing", "missing"),
            };
            match failure {
                Failure::Refused => {
                    warn!(app = %app.name, %key, next = %accepted, "GitHub refuses a key, and accepts another one of the App");
                }
                Failure::Missing => {
                    warn!(app = %app.name, %key, next = %accepted, "a key is not in its store, and another one of the App is");
                }
            }
            let now = self.clock.now();
            let mut record = new_record(call, &Caller::default(), now);
            outcome.clone_into(&mut record.outcome);
            record.host = Some(app.host.to_string());
            record.app = Some(app.name.to_string());
            record.key = Some(key.to_string());
            record.next_key = Some(accepted.to_string());
            self.write(record, now);
        }
    }

    /// Makes a call with one of an App's keys.
    pub(in crate::broker) async fn ask_with<'a, T>(
        self: &'a Arc<Self>,
        app: &'a App,
        key: &Fingerprint,
        call: &(impl Fn(AppJwt) -> Pending<'a, T> + Send + Sync),
    ) -> Result<Result<T, GitHubError>, WireError> {
        let mut attempts = 0;
        let mut corrected = false;
        loop {
            self.unlocked()?;
            let now = self.clock.now();
            if let Some(until) = self.state().breakers.waits_until(&app.name, now) {
                return Err(explain::github(&GitHubError::RateLimited { until: Some(until) }, app));
            }
            let outcome = call(self.jwt(app, key).await?).await;
            match &outcome {
                // The clock is wrong: once, and only if GitHub told the time. A second refusal is final.
                Err(GitHubError::Clock { server_time: Some(server_time) }) if !corrected => {
                    corrected = true;
                    self.learn_time(app, *server_time);
                }
                Err(GitHubError::RateLimited { until }) => {
                    let now = self.clock.now();
                    let until = self.state().breakers.limited(&app.name, *until, now, chance());
                    warn!(app = %app.name, until, "GitHub asks to wait");
                    return Ok(Err(GitHubError::RateLimited { until: Some(until) }));
                }
                Err(error) if error.is_passing() => {
                    attempts += 1;
                    let Some(pause) = patience::pause_after(attempts, chance()) else { return Ok(outcome) };
                    info!(app = %app.name, %error, "trying again");
                    sleep(pause).await;
                }
                _ => return Ok(outcome),
            }
        }
    }

    /// Remembers how far this machine's clock is from GitHub's, so that it costs one call and not one per call.
    fn learn_time(&self, app: &App, server_time: i64) {
        let skew = server_time - self.clock.now().wall;
        warn!(app = %app.name, skew, "this machine's clock differs from GitHub's");
        let mut state = self.state();
        state.skew.insert(app.name.clone(), skew);
        state.forget_jwts(&app.name);
    }

    /// An app JWT of that key: the one at hand, or signed once for all who ask.
    async fn jwt(self: &Arc<Self>, app: &App, key: &Fingerprint) -> Result<AppJwt, WireError> {
        let server_now = self.server_now(app);
        let which = (app.name.clone(), key.clone());
        let at_hand = self.state().jwts.get(&which).cloned();
        if let Some(jwt) = at_hand.filter(|jwt| jwt.expires_at - server_now > JWT_MARGIN) {
            return Ok(jwt);
        }
        let (outcome, _) = self
            .jwts
            .join(which, || {
                let (broker, app, key) = (Arc::clone(self), app.clone(), key.clone());
                async move { broker.sign(&app, &key).await }
            })
            .await;
        outcome.unwrap_or_else(|| Err(panicked()))
    }

    /// Reads the key, signs, and lets go of the key.
    pub(in crate::broker) async fn sign(&self, app: &App, fingerprint: &Fingerprint) -> Result<AppJwt, WireError> {
        let place = app.place_of(fingerprint);
        let key = match self.stores.load(&place).await.map_err(|error| stores::explain(&error, app))? {
            Found::Key(key) => key,
            Found::File(file) => signer::from_file(&file).map_err(|_| explain::damaged_key(app))?,
        };
        if signer::fingerprint(&key).map_err(|_| explain::damaged_key(app))? != *fingerprint {
            return Err(explain::damaged_key(app)); // somebody put another key under our name
        }
        let jwt = signer::sign(&key, &app.issuer(), self.server_now(app));
        let jwt = jwt.map_err(|_| explain::damaged_key(app))?;
        let mut state = self.state();
        if state.locked {
            return Err(explain::locked()); // while the keyring was asked
        }
        if state.keeps_jwts_of(app, fingerprint) {
            state.jwts.insert((app.name.clone(), fingerprint.clone()), jwt.clone());
        }
        Ok(jwt)
    }

    fn server_now(&self, app: &App) -> i64 {
        self.clock.now().wall.saturating_add(self.skew(app))
    }

    /// GitHub's clock minus ours, in seconds, as far as we know.
    pub(in crate::broker) fn skew(&self, app: &App) -> i64 {
        self.state().skew.get(&app.name).copied().unwrap_or(0)
    }
}

/// Whether GitHub accepted the key, whatever it said to the question.
fn is_accepted<T>(outcome: &Result<T, GitHubError>) -> bool {
    outcome.as_ref().err().is_none_or(GitHubError::is_behind_the_key)
}

/// Whether a key's store answered and does not have it. Every other failure says nothing about that.
pub(in crate::broker) fn is_absence(error: &WireError) -> bool {
    matches!(error.code, ErrorCode::KeyMissing | ErrorCode::LoginNeeded)
}

/// Makes a call of a future.
pub(in crate::broker) fn pending<'a, T>(
    call: impl Future<Output = Result<T, GitHubError>> + Send + 'a,
) -> Pending<'a, T> {
    Box::pin(call)
}

/// A number from 0 to 1, for jitter.
pub(in crate::broker) fn chance() -> f64 {
    fastrand::f64()
}
