//! One call of GitHub's API, made with patience: signed, signed anew when the clock is wrong, repeated when GitHub stumbles, and
//! not made at all while GitHub asks us to wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ghapp_protocol::error::WireError;
use tokio::time::sleep;
use tracing::{info, warn};

use super::{Broker, explain, panicked, stores};
use crate::github::GitHubError;
use crate::keystore::Found;
use crate::model::{App, AppJwt};
use crate::patience;
use crate::signer;

/// A JWT with less life than this is not used: the call it is for may take its time.
const JWT_MARGIN: i64 = 120;

/// A call under way.
pub(super) type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, GitHubError>> + Send + 'a>>;

impl Broker {
    /// Makes a call that needs an app JWT. The outer error is ours (no key, no patience); the inner one is GitHub's last word.
    pub(super) async fn ask<'a, T>(
        self: &'a Arc<Self>,
        app: &'a App,
        call: impl Fn(AppJwt) -> Pending<'a, T> + Send,
    ) -> Result<Result<T, GitHubError>, WireError> {
        let mut attempts = 0;
        let mut corrected = false;
        loop {
            self.unlocked()?;
            let now = self.clock.now();
            if let Some(until) = self.state().breakers.waits_until(&app.name, now) {
                return Err(explain::github(&GitHubError::RateLimited { until: Some(until) }, app));
            }
            let outcome = call(self.jwt(app).await?).await;
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
        state.jwts.remove(&app.name);
    }

    /// An app JWT: the one at hand, or signed once for all who ask.
    async fn jwt(self: &Arc<Self>, app: &App) -> Result<AppJwt, WireError> {
        let server_now = self.server_now(app);
        let at_hand = self.state().jwts.get(&app.name).cloned();
        if let Some(jwt) = at_hand.filter(|jwt| jwt.expires_at - server_now > JWT_MARGIN) {
            return Ok(jwt);
        }
        let (outcome, _) = self
            .jwts
            .join(app.name.clone(), || {
                let (broker, app) = (Arc::clone(self), app.clone());
                async move { broker.sign(&app).await }
            })
            .await;
        outcome.unwrap_or_else(|| Err(panicked()))
    }

    /// Reads the key, signs, and lets go of the key.
    pub(super) async fn sign(&self, app: &App) -> Result<AppJwt, WireError> {
        let place = app.key_place().ok_or_else(|| explain::no_key(app))?;
        let key = match self.stores.load(&place).await.map_err(|error| stores::explain(&error, app))? {
            Found::Key(key) => key,
            Found::File(file) => signer::from_file(&file).map_err(|_| explain::damaged_key(app))?,
        };
        let fingerprint = signer::fingerprint(&key).map_err(|_| explain::damaged_key(app))?;
        if fingerprint != place.id.fingerprint {
            return Err(explain::damaged_key(app)); // somebody put another key under our name
        }
        let jwt = signer::sign(&key, &app.issuer(), self.server_now(app));
        let jwt = jwt.map_err(|_| explain::damaged_key(app))?;
        let mut state = self.state();
        if state.locked {
            return Err(explain::locked()); // while the keyring was asked
        }
        if state.keeps_jwts_of(app) {
            state.jwts.insert(app.name.clone(), jwt.clone());
        }
        Ok(jwt)
    }

    fn server_now(&self, app: &App) -> i64 {
        self.clock.now().wall.saturating_add(self.skew(app))
    }

    /// GitHub's clock minus ours, in seconds, as far as we know.
    pub(super) fn skew(&self, app: &App) -> i64 {
        self.state().skew.get(&app.name).copied().unwrap_or(0)
    }
}

/// Makes a call of a future.
pub(super) fn pending<'a, T>(call: impl Future<Output = Result<T, GitHubError>> + Send + 'a) -> Pending<'a, T> {
    Box::pin(call)
}

/// A number from 0 to 1, for jitter.
pub(super) fn chance() -> f64 {
    fastrand::f64()
}
