//! What signing as an App taught: JWTs at hand, keys that failed, how far GitHub's clock is from ours, and which Apps have to wait.

use std::collections::HashMap;

use crate::clock::Moment;
use crate::failures::Breakers;
use crate::failures::{FailedKeys, Failure};
use crate::model::{App, AppJwt, AppName, Fingerprint};

/// A key of an App.
pub(in crate::broker) type KeyOf = (AppName, Fingerprint);

/// What signing as an App taught.
#[derive(Default)]
pub(in crate::broker) struct Signing {
    /// The last JWT that each key signed.
    jwts: HashMap<KeyOf, AppJwt>,
    /// Keys that failed, so that another one signs.
    failed_keys: FailedKeys,
    /// GitHub's clock minus ours, in seconds, per App: learned when GitHub refused a JWT because of the time.
    skew: HashMap<AppName, i64>,
    /// Apps that GitHub asked to wait.
    breakers: Breakers,
}

impl Signing {
    /// The last JWT of a key.
    pub(in crate::broker) fn jwt(&self, key: &KeyOf) -> Option<&AppJwt> {
        self.jwts.get(key)
    }

    /// Keeps a JWT for the next call.
    pub(in crate::broker) fn keep_jwt(&mut self, key: KeyOf, jwt: AppJwt) {
        self.jwts.insert(key, jwt);
    }

    pub(super) fn forget_jwts(&mut self) {
        self.jwts.clear();
    }

    /// An App's keys in the order in which they are tried.
    pub(in crate::broker) fn order(&self, app: &App) -> Vec<Fingerprint> {
        self.failed_keys.order(app)
    }

    /// The key of an App that signs.
    pub(in crate::broker) fn signing_key(&self, app: &App) -> Option<Fingerprint> {
        self.failed_keys.signing(app)
    }

    /// How a key failed, if it did.
    pub(in crate::broker) fn failure(&self, app: &AppName, key: &Fingerprint) -> Option<Failure> {
        self.failed_keys.failure(app, key)
    }

    /// The keys of an App that failed in that way while another one was accepted.
    pub(in crate::broker) fn failed(&self, app: &AppName, failure: Failure) -> Vec<String> {
        self.failed_keys.of(app, failure).map(ToString::to_string).collect()
    }

    /// GitHub accepted a key, or it is a new one.
    pub(in crate::broker) fn accept(&mut self, app: &AppName, key: &Fingerprint) {
        self.failed_keys.accept(app, key);
    }

    /// A key failed, and another one was accepted. Returns whether that is news.
    pub(in crate::broker) fn fail(&mut self, app: &AppName, key: &Fingerprint, failure: Failure) -> bool {
        let is_news = self.failed_keys.fail(app, key, failure);
        if is_news {
            self.jwts.remove(&(app.clone(), key.clone()));
        }
        is_news
    }

    pub(super) fn forget_failed_keys(&mut self) {
        self.failed_keys = FailedKeys::default();
    }

    pub(super) fn keep_only(&mut self, apps: &[App]) {
        self.jwts.clear();
        self.failed_keys.keep_only(apps);
    }

    /// GitHub's clock minus ours, in seconds, as far as it is known.
    pub(in crate::broker) fn skew(&self, app: &AppName) -> i64 {
        self.skew.get(app).copied().unwrap_or(0)
    }

    /// Keeps GitHub's clock minus ours, in seconds. A JWT that was signed with another difference is worth nothing.
    pub(in crate::broker) fn learn_skew(&mut self, app: &AppName, skew: i64) {
        self.skew.insert(app.clone(), skew);
        self.jwts.retain(|(name, _), _| name != app);
    }

    pub(super) fn forget_app(&mut self, app: &AppName) {
        self.jwts.retain(|(name, _), _| name != app);
        self.skew.remove(app);
    }

    /// Until when GitHub asked an App to wait, if it still has to.
    pub(in crate::broker) fn waits_until(&mut self, app: &AppName, now: Moment) -> Option<i64> {
        self.breakers.waits_until(app, now)
    }

    /// GitHub asked an App to wait, until a time that it may have told. Returns until when the App waits.
    pub(in crate::broker) fn limited(&mut self, app: &AppName, told: Option<i64>, now: Moment, chance: f64) -> i64 {
        self.breakers.limited(app, told, now, chance)
    }
}
