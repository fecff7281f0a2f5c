//! The configuration that is in force, or why its file could not be read.

use std::sync::Arc;

use ghapp_protocol::error::WireError;

use crate::broker::explain;
use crate::config::Config;
use crate::model::{App, AppName, Fingerprint};

/// The configuration that is in force.
pub(in crate::broker) struct RunningConfig {
    current: Arc<Config>,
    /// Why the file could not be read when the agent started; nothing is served until it can.
    error: Option<String>,
}

impl RunningConfig {
    pub(super) fn new(config: Result<Config, String>) -> Self {
        match config {
            Ok(config) => Self { current: Arc::new(config), error: None },
            Err(error) => Self { current: Arc::default(), error: Some(error) },
        }
    }

    pub(super) fn adopt(&mut self, config: Config) {
        self.current = Arc::new(config);
        self.error = None;
    }

    /// What is in force; without any App while the file cannot be read.
    pub(in crate::broker) fn current(&self) -> &Arc<Config> {
        &self.current
    }

    /// The same, or the error that tells a client why the file cannot be read.
    pub(in crate::broker) fn usable(&self) -> Result<Arc<Config>, WireError> {
        match &self.error {
            Some(error) => Err(explain::config(error)),
            None => Ok(Arc::clone(&self.current)),
        }
    }

    /// Why the file could not be read.
    pub(in crate::broker) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// The App of that name.
    pub(in crate::broker) fn app(&self, name: &AppName) -> Option<&App> {
        self.current.app(name)
    }

    /// Whether the App is configured exactly so, and was not removed or changed meanwhile.
    pub(in crate::broker) fn has(&self, app: &App) -> bool {
        self.app(&app.name).is_some_and(|now| now == app)
    }

    /// Whether an App of that name and identity is configured; its keys may have changed.
    pub(in crate::broker) fn knows(&self, app: &App) -> bool {
        self.app(&app.name).is_some_and(|now| now.host == app.host && now.issuer() == app.issuer())
    }

    /// Whether an App has that key, in the place where it was.
    pub(in crate::broker) fn has_key(&self, app: &App, key: &Fingerprint) -> bool {
        let id = app.place_of(key).id;
        self.app(&app.name).is_some_and(|now| now.key_places().any(|place| place.id == id))
    }
}
