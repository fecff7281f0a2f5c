//! An app JWT: the one at hand, or a new one, signed with a key that is read for it and dropped again.

use std::sync::Arc;

use ghapp_protocol::error::{ErrorCode, WireError};
use tracing::warn;

use super::AppApi;
use crate::broker::explain::{self, stores};
use crate::broker::shared::panicked;
use crate::keystore::Found;
use crate::model::{App, AppJwt, AppName, Fingerprint};
use crate::signer;

/// A JWT with less life than this, in seconds, is not used: the call that it is for may take its time.
const JWT_MARGIN: i64 = 120;

impl AppApi {
    /// An App's keys in the order in which they are tried, as they are now: `app` may be from before a rotation.
    pub(in crate::broker) fn order(&self, app: &App) -> Vec<Fingerprint> {
        let state = self.shared.state();
        let same = |now: &&App| now.host == app.host && now.issuer() == app.issuer() && now.store == app.store;
        state.signing.order(state.config.app(&app.name).filter(same).unwrap_or(app))
    }

    /// An app JWT of that key: the one at hand, or one that is signed once for all questions that wait.
    pub(super) async fn jwt(self: &Arc<Self>, app: &App, key: &Fingerprint) -> Result<AppJwt, WireError> {
        let server_now = self.server_now(app);
        let which = (app.name.clone(), key.clone());
        let at_hand = self.shared.state().signing.jwt(&which).cloned();
        if let Some(jwt) = at_hand.filter(|jwt| jwt.expires_at - server_now > JWT_MARGIN) {
            return Ok(jwt);
        }
        let (outcome, _) = self
            .jwts
            .join(which, || {
                let (api, app, key) = (Arc::clone(self), app.clone(), key.clone());
                async move { api.sign(&app, &key).await }
            })
            .await;
        outcome.unwrap_or_else(|| Err(panicked()))
    }

    /// Reads the key, signs, and drops the key.
    pub(in crate::broker) async fn sign(&self, app: &App, fingerprint: &Fingerprint) -> Result<AppJwt, WireError> {
        let place = app.place_of(fingerprint);
        let key = match self.shared.stores.load(&place).await.map_err(|error| stores::explain(&error, app))? {
            Found::Key(key) => key,
            Found::File(file) => signer::from_file(&file).map_err(|_| explain::damaged_key(app))?,
        };
        if signer::fingerprint(&key).map_err(|_| explain::damaged_key(app))? != *fingerprint {
            return Err(explain::damaged_key(app)); // another key was put under our name
        }
        let jwt = signer::sign(&key, &app.issuer(), self.server_now(app));
        let jwt = jwt.map_err(|_| explain::damaged_key(app))?;
        let mut state = self.shared.state();
        state.unlocked()?; // it may have been locked while the keyring was asked
        if state.config.has_key(app, fingerprint) {
            state.signing.keep_jwt((app.name.clone(), fingerprint.clone()), jwt.clone());
        }
        Ok(jwt)
    }

    fn server_now(&self, app: &App) -> i64 {
        self.shared.now().wall.saturating_add(self.skew(app))
    }

    /// GitHub's clock minus ours, in seconds, as far as it is known.
    pub(in crate::broker) fn skew(&self, app: &App) -> i64 {
        self.shared.state().signing.skew(&app.name)
    }

    /// Remembers how far this machine's clock is from GitHub's, so that this costs one call and not one each time.
    pub(super) fn learn_time(&self, app: &App, server_time: i64) {
        let skew = server_time - self.shared.now().wall;
        warn!(app = %app.name, skew, "this machine's clock differs from GitHub's");
        self.learn_skew(&app.name, skew);
    }

    /// Remembers GitHub's clock minus ours, in seconds.
    pub(in crate::broker) fn learn_skew(&self, app: &AppName, skew: i64) {
        self.shared.state().signing.learn_skew(app, skew);
    }
}

/// Whether a key's store answered and does not have it. Every other failure says nothing about that.
pub(in crate::broker) fn is_absence(error: &WireError) -> bool {
    matches!(error.code, ErrorCode::KeyMissing | ErrorCode::LoginNeeded)
}
