//! Replaces an agent of another version, after an upgrade, by the installed one: only where nothing is lost by it.

use std::path::Path;
use std::time::Duration;

use super::{StartError, spawn, within};
use crate::BUILD_VERSION;
use crate::client::{self, ClientError, Deadline};
use crate::endpoint::{self, Endpoint};
use crate::message::{Call, Reply, Request, Status, Stop};

/// How long it may take: the old agent finishes what is under way (5 s at most), the new one starts.
const LIMIT: Duration = Duration::from_secs(10);
/// What started an agent that nothing else looks after.
const CLIENT: &str = "client";
/// The store that goes with its agent.
const MEMORY: &str = "memory";
/// The store that its agent can open only with a person's help.
const ENCRYPTED_FILE: &str = "encrypted-file";

/// Stops an agent that does not understand this build and starts the one beside this program. The caller does it once.
///
/// `status` and `stop` are frozen, so any version understands them.
pub fn replace_agent(endpoint: &Endpoint, config: Option<&Path>, deadline: Deadline) -> Result<(), StartError> {
    let deadline = deadline.at_most(LIMIT);
    endpoint.prepare().map_err(StartError::Endpoint)?;
    let lock = endpoint::open_lock(&endpoint.start_lock()).map_err(StartError::Spawn)?;
    let lock = within(deadline, move || endpoint::lock(&lock).map(|()| lock))?.map_err(StartError::Spawn)?;
    let ask = |call| client::ask(endpoint, &Request::new(call), deadline);
    match ask(Call::Status {}) {
        // The process that held the lock before us has done it.
        Ok(Reply::Status(status)) if status.version == BUILD_VERSION => return Ok(()),
        Ok(Reply::Status(status)) => may_end(&status)?,
        Err(ClientError::NotRunning | ClientError::Gone) => return spawn(endpoint, config, None, deadline),
        _ => return Err(StartError::NotReplaced("it does not say who started it")),
    }
    match ask(Call::Stop(Stop::default())) {
        Ok(Reply::Stopping { .. }) | Err(ClientError::NotRunning | ClientError::Gone) => {}
        _ => return Err(StartError::NotReplaced("it does not end")),
    }
    let run_lock = endpoint::open_lock(&endpoint.run_lock()).map_err(StartError::Spawn)?;
    within(deadline, move || endpoint::lock(&run_lock))?.map_err(StartError::Spawn)?;
    let outcome = spawn(endpoint, config, None, deadline);
    drop(lock); // and not earlier: the next client must find the new agent
    outcome
}

/// Whether an agent may be stopped without asking a person.
fn may_end(status: &Status) -> Result<(), StartError> {
    if status.started_by != CLIENT {
        return Err(StartError::NotReplaced("it was not started on demand"));
    }
    let holds = |store| status.apps.iter().any(|app| app.store == store && app.state == "ok");
    if holds(MEMORY) {
        return Err(StartError::NotReplaced("it holds a key that is nowhere else"));
    }
    if holds(ENCRYPTED_FILE) {
        return Err(StartError::NotReplaced("it holds a key whose passphrase somebody would have to give again"));
    }
    Ok(())
}
