//! What the user configured: which Apps there are and which rules apply. Owns the file format.

mod dotted;
mod edit;
mod example;
mod keys;
mod load;
mod paths;
mod position;

use std::time::Duration;

pub use dotted::{Dotted, Place, UnknownKey};
pub use edit::{Edit, EditError, Found, add_app, change_keys, remove_app, set_value, value_of};
pub use example::example;
pub use keys::{Form, KEYS, Key, Section};
pub use load::{ConfigError, MAX_MIN_TTL, load, parse};
pub use paths::{PathsError, audit_file, config_file, credentials_directory, downloads, home, key_directory};

pub use position::nearest;

use crate::model::{App, AppName, Rule};
use ghapp_protocol::remote::Host;

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
    /// Kill all tokens at GitHub when the agent stops.
    pub revoke_on_stop: bool,
    /// Lock when nobody has needed a token for that long; `None` is never.
    pub lock_after: Option<Duration>,
    /// Lock when the session's screen is locked (Linux with logind).
    pub lock_with_screen: bool,
    /// End when nobody has asked for so long; nothing means never.
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
