//! `ghapp agent`, `ghapp lock` and `ghapp unlock`: what is done to the agent itself.

pub(crate) mod control;
mod expose;
pub(crate) mod lock;
mod private_agent;
mod shell_exports;
