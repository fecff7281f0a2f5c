//! Which Apps there are, and their keys: added, replaced, removed.

mod add_key;
mod create;
mod keeping;
mod keys;
mod login;
mod logout;

pub(crate) use add_key::add_key;
pub(crate) use create::create_app;
pub(crate) use keeping::reload;
pub(crate) use keys::{keys, remove_key};
pub(crate) use login::login;
pub(crate) use logout::logout;
