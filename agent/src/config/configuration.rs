//! A configuration that has been read and checked, and what holds where nothing is configured.

use std::time::Duration;

use ghapp_protocol::remote::Host;

use crate::model::{App, AppName, Rule};

/// A configuration that has been checked: every rule's App exists, no name is used twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The `[agent]` table.
    pub agent: Settings,
    /// The `[[app]]` tables, in their order.
    pub apps: Vec<App>,
    /// The `[[rule]]` tables, in their order.
    pub rules: Vec<Rule>,
}

/// The `[agent]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Never hand out a token with less life than this.
    pub min_ttl: Duration,
    /// Revoke all tokens at GitHub when the agent stops.
    pub revoke_on_stop: bool,
    /// Lock when no token was needed for that long; `None` means never.
    pub lock_after: Option<Duration>,
    /// Lock when the session's screen is locked (Linux with logind).
    pub lock_with_screen: bool,
    /// Exit when no client has asked for that long; `None` means never.
    pub idle_exit: Option<Duration>,
}

impl Default for Settings {
    fn default() -> Self {
        // git-lfs keeps a token for as long as it runs, and a long clone sends several requests with one.
        Self {
            min_ttl: Duration::from_secs(600),
            revoke_on_stop: false,
            lock_after: None,
            lock_with_screen: false,
            idle_exit: None,
        }
    }
}

impl Config {
    /// The App with that nickname.
    pub fn app(&self, name: &AppName) -> Option<&App> {
        self.apps.iter().find(|app| app.name == *name)
    }

    /// Whether any App or rule is about that host.
    pub fn knows(&self, host: &Host) -> bool {
        self.apps.iter().any(|app| app.host == *host) || self.rules.iter().any(|rule| rule.pattern().host() == host)
    }
}
