//! `ghapp login`, `ghapp logout` and `ghapp key`: Apps and their keys, on their way to the agent and out of it.

pub(crate) mod add_app;
mod create;
mod installing;
pub(crate) mod key;
pub(crate) mod logout;
pub(crate) mod passphrase;
mod pem;
mod wizard;
