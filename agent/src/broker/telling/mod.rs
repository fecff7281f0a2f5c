//! What the agent tells about itself, its Apps and what they reach.

mod examine;
mod identity;
mod repositories;
mod shapes;
mod status;

pub(crate) use examine::examine;
pub(crate) use identity::identity;
pub(crate) use repositories::repositories;
pub(in crate::broker) use shapes::{app_status, key_state, key_statuses, proved_key_statuses};
pub(crate) use status::Listening;
pub(crate) use status::{installations, leases, status};
