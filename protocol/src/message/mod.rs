//! Wire messages, version 1: what a client may ask the agent, and what the agent may answer.
//!
//! One connection carries one request and one response. Every reader ignores fields that it does not know, and every
//! enumeration has an `Unknown` arm, so that an old and a new build can talk. [`Call::Get`], [`Call::Erase`],
//! [`Call::Status`] and [`Call::Stop`] are frozen. Times are seconds since 1970, UTC.

mod call;
mod exposed_call;
mod exposure;
mod git;
mod key;
mod reply;
mod request;
mod response;

pub use call::{
    CreateApp, Erase, Examine, Get, IdentityCall, InstallationsCall, LeaseId, Lock, Login, Logout, RepositoriesCall,
    Revoke, Stop, TokenCall, Unlock, Which,
};
pub use exposed_call::ExposedCall;
pub use exposure::{Expose, ExposureStatus, Label, Unexpose, Unexposed};
pub use git::{GitCall, GitReply, GitRequest, GitResponse};
pub use key::{AddKey, AddedKey, KeyStatus, KeysCall, RemoveKey, RemovedKey};
pub use reply::{
    AppStatus, Examined, Identity, InstallationStatus, Lease, LeaseStatus, Locked, LoggedOut, RepositoryStatus,
    RequestedBy, Revoked, Route, Status, StoreStatus, TokenReply, Unlocked,
};
pub use request::{Call, Request};
pub use response::{PERSON_ANSWER, Reply, Response};
