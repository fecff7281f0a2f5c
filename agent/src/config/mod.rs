//! What the user configured: which Apps there are and which rules apply. Owns the file format.

mod configuration;
mod dotted;
mod edit;
mod example;
mod keys;
mod load;
mod paths;
mod position;

pub use configuration::{Config, Settings};
pub use dotted::{Dotted, Place, UnknownKey};
pub use edit::{Edit, EditError, Found, add_app, change_keys, remove_app, set_value, value_of};
pub use example::example;
pub use keys::{Form, KEYS, Key, Section};
pub use load::{ConfigError, MAX_MIN_TTL, load, parse};
pub use paths::{PathsError, audit_file, config_file, credentials_directory, downloads, home, key_directory};
pub use position::nearest;
