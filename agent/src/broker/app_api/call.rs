//! One call of GitHub's API, made with patience: signed, signed anew when the clock is wrong or with the next key when this one is
//! refused or gone, repeated when GitHub stumbles, and not made at all while GitHub asks us to wait.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ghapp_protocol::error::WireError;
use tokio::time::sleep;
use tracing::{info, warn};

use super::AppApi;
use super::signing::is_absence;
use crate::broker::explain;
use crate::failures::Failure;
use crate::failures::pause_after;
use crate::github::{GitHub, GitHubError};
use crate::model::{App, AppJwt, Fingerprint};

/// A call under way.
pub(in crate::broker) type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, GitHubError>> + Send + 'a>>;

impl AppApi {
    /// Makes a call that needs an app JWT. The outer error is ours (no key, no patience); the inner one is GitHub's last word.
    ///
    /// If GitHub refuses the key, or its store does not have it, the App's other keys are tried once each. The one that is accepted
    /// signs from then on.
    pub(in crate::broker) async fn call<'a, T>(
        self: &'a Arc<Self>,
        app: &'a App,
        call: impl Fn(&'a GitHub, AppJwt) -> Pending<'a, T> + Send + Sync,
    ) -> Result<Result<T, GitHubError>, WireError> {
        let order = self.order(app);
        let outcome = self.try_keys(app, &order, &call).await;
        if matches!(outcome, Err(_) | Ok(Err(GitHubError::KeyRefused))) {
            // The App's keys may have been changed meanwhile: those that it has now get one round.
            let now = self.order(app);
            if now != order {
                return self.try_keys(app, &now, &call).await;
            }
        }
        outcome
    }

    /// The same where GitHub's refusal says nothing about an installation or a repository.
    pub(in crate::broker) async fn ask<'a, T>(
        self: &'a Arc<Self>,
        app: &'a App,
        call: impl Fn(&'a GitHub, AppJwt) -> Pending<'a, T> + Send + Sync,
    ) -> Result<T, WireError> {
        self.call(app, call).await?.map_err(|error| explain::github(&error, app))
    }

    /// Makes a call with one key after the other, until GitHub accepts one.
    async fn try_keys<'a, T>(
        self: &'a Arc<Self>,
        app: &'a App,
        order: &[Fingerprint],
        call: &(impl Fn(&'a GitHub, AppJwt) -> Pending<'a, T> + Send + Sync),
    ) -> Result<Result<T, GitHubError>, WireError> {
        let mut verdict = Err(explain::no_key(app));
        let mut failed = Vec::new();
        for key in order {
            self.shared.unlocked()?;
            match self.call_with(app, key, call).await {
                Ok(Err(GitHubError::KeyRefused)) => {
                    verdict = Ok(Err(GitHubError::KeyRefused));
                    failed.push((key, Failure::Refused));
                }
                Ok(outcome) => {
                    if is_accepted(&outcome) {
                        self.note_accepted(app, key, &failed);
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
                // This key cannot be had; the refusal of another one says more.
                Err(error) if verdict.is_ok() => info!(app = %app.name, %key, %error, "the next key cannot sign"),
                // It is not known whether this key is there, so no other takes its place.
                Err(error) => return Err(error),
            }
        }
        verdict
    }

    /// Takes note of which key GitHub accepts, and says so when another one was to sign.
    pub(super) fn note_accepted(&self, app: &App, accepted: &Fingerprint, failed: &[(&Fingerprint, Failure)]) {
        let news: Vec<_> = {
            let mut state = self.shared.state();
            state.signing.accept(&app.name, accepted);
            // A key that was removed while it was tried is no news any more.
            let config = Arc::clone(state.config.current());
            let is_kept = |key: &Fingerprint| config.app(&app.name).is_some_and(|now| now.keys().any(|it| it == key));
            let mut is_news = |key: &Fingerprint, why| is_kept(key) && state.signing.fail(&app.name, key, why);
            failed.iter().copied().filter(|(key, why)| is_news(key, *why)).collect()
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
            let mut entry = self.shared.own_entry(call);
            outcome.clone_into(&mut entry.record.outcome);
            entry.record.host = Some(app.host.to_string());
            entry.record.app = Some(app.name.to_string());
            entry.record.key = Some(key.to_string());
            entry.record.next_key = Some(accepted.to_string());
            self.shared.write(entry);
        }
    }

    /// Makes a call with one of an App's keys.
    pub(super) async fn call_with<'a, T>(
        self: &'a Arc<Self>,
        app: &'a App,
        key: &Fingerprint,
        call: &(impl Fn(&'a GitHub, AppJwt) -> Pending<'a, T> + Send + Sync),
    ) -> Result<Result<T, GitHubError>, WireError> {
        let mut attempts = 0;
        let mut corrected = false;
        loop {
            // Before all that is asked of the state: how long this takes is others' to say.
            let turn = self.calls.acquire().await.expect("the semaphore is never closed");
            self.shared.unlocked()?;
            if self.shared.audit.is_behind() {
                return Err(explain::audit_is_behind());
            }
            let now = self.shared.now();
            if let Some(until) = self.shared.state().signing.waits_until(&app.name, now) {
                return Err(explain::github(&GitHubError::RateLimited { until: Some(until) }, app));
            }
            let outcome = call(&self.shared.github, self.jwt(app, key).await?).await;
            drop(turn);
            match &outcome {
                // The clock is wrong: try once more, and only if GitHub told the time. A second refusal is final.
                Err(GitHubError::Clock { server_time: Some(server_time) }) if !corrected => {
                    corrected = true;
                    self.learn_time(app, *server_time);
                }
                Err(GitHubError::RateLimited { until }) => {
                    let now = self.shared.now();
                    let until = self.shared.state().signing.limited(&app.name, *until, now, chance());
                    warn!(app = %app.name, until, "GitHub asks to wait");
                    return Ok(Err(GitHubError::RateLimited { until: Some(until) }));
                }
                Err(error) if error.is_passing() => {
                    attempts += 1;
                    let Some(pause) = pause_after(attempts, chance()) else { return Ok(outcome) };
                    info!(app = %app.name, %error, "trying again");
                    sleep(pause).await;
                }
                _ => return Ok(outcome),
            }
        }
    }
}

/// Whether GitHub accepted the key, whatever it said to the question.
fn is_accepted<T>(outcome: &Result<T, GitHubError>) -> bool {
    outcome.as_ref().err().is_none_or(GitHubError::is_behind_the_key)
}

/// Makes a future a call under way.
pub(in crate::broker) fn pending<'a, T>(
    call: impl Future<Output = Result<T, GitHubError>> + Send + 'a,
) -> Pending<'a, T> {
    Box::pin(call)
}

/// A number from 0 to 1, for jitter.
pub(in crate::broker) fn chance() -> f64 {
    fastrand::f64()
}
