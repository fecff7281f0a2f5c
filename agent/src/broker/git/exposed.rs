//! Serving an exposed socket: what its rule says, as far as the rules of the configuration still say so, too.

use std::sync::Arc;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Erase, Get, Reply};
use ghapp_protocol::remote::FullName;

use crate::audit::Record;
use crate::broker::explain::exposed;
use crate::broker::git::scope::within_bounds;
use crate::broker::git::serve::{Wanted, configured, with_rule};
use crate::broker::{Broker, Served, explain, new_record};
use crate::config::Config;
use crate::model::{Caller, Exposure, OnFailure, Reach, RepositorySet};
use crate::policy::{self, Decision, Grant};

impl Broker {
    /// A token for git behind an exposed socket.
    pub async fn get_as_guest(self: &Arc<Self>, exposure: &Exposure, get: Get, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = guest_record("get", exposure, caller, self);
        record.host = Some(get.host.to_string());
        record.repository = get.repository.as_ref().map(ToString::to_string);
        let outcome = self.serve_guest(exposure, &get, caller, &mut record).await;
        self.answer_git(outcome, record, started)
    }

    /// Drops a token that a server refused, if it was given out over this socket. Whether there is such a token elsewhere is not told.
    pub fn erase_as_guest(&self, exposure: &Exposure, erase: &Erase, caller: &Caller) -> Reply {
        let record = guest_record("erase", exposure, caller, self);
        self.drop_token(erase, Some(&exposure.id), record)
    }

    /// Anything else.
    pub fn refuse_guest(&self, exposure: &Exposure, caller: &Caller) -> Reply {
        let reply = Reply::Error(exposed::only_git_is_served());
        self.finish(guest_record("refused", exposure, caller, self), self.clock.now(), &reply);
        reply
    }

    async fn serve_guest(
        self: &Arc<Self>,
        exposure: &Exposure,
        get: &Get,
        caller: &Caller,
        record: &mut Record,
    ) -> Result<Option<Served>, WireError> {
        let terms = &exposure.terms;
        if get.host != terms.host {
            return Ok(None);
        }
        // A hint of a process behind the socket (its ancestors, its `--owner`) says nothing here.
        let name = get.repository.as_ref().ok_or_else(|| explain::path_missing(&get.host))?;
        if !terms.include(name) {
            return Err(exposed::outside(&get.host, name));
        }
        // Not `needed`: what is behind a socket must not keep an agent from locking itself.
        self.lock_if_unused();
        if !self.is_exposed(exposure) {
            return Err(stop(exposed::over()));
        }
        self.unlocked()?;
        // Its own errors may quote the file.
        let config =
            self.config().map_err(|_| WireError::new(ErrorCode::Config, "the agent's configuration has an error"))?;
        let grant = still_granted(&config, exposure, name)?;
        record.rule.clone_from(&grant.rule);
        record.app = Some(grant.app.to_string());
        let ours = |error| with_rule(error, grant.on_failure);
        let app = configured(&config, &grant.app).map_err(ours)?;
        let pinned = grant.installation.or(app.installation);
        let installation = self.installation_of(app, &name.owner, pinned).await.map_err(ours)?;
        let installation = installation.ok_or_else(|| ours(explain::not_installed(app, &name.owner)))?;
        within_bounds(&terms.permissions, &grant, &installation, app).map_err(|error| match error.code {
            // It names the rule.
            ErrorCode::Denied => ours(exposed::denied_since(name)),
            _ => ours(error),
        })?;
        let wanted = Wanted {
            app,
            owner: &name.owner,
            installation,
            pinned,
            repositories: RepositorySet::One(name.repository.clone()),
            permissions: terms.permissions.clone(),
            exposure: Some(exposure.id.clone()),
            for_git: Some(name.repository.clone()),
        };
        self.lease(wanted, config.agent.min_ttl, caller).await.map(Some).map_err(ours)
    }

    fn is_exposed(&self, exposure: &Exposure) -> bool {
        self.state().exposures.has(&exposure.id) && !exposure.is_over(self.clock.now())
    }
}

/// What the configuration gives for a repository of an exposed socket now. It may have become less since; it is never taken for more.
fn still_granted(config: &Config, exposure: &Exposure, name: &FullName) -> Result<Grant, WireError> {
    let terms = &exposure.terms;
    let refused = || stop(exposed::denied_since(name));
    if !config.apps.iter().any(|app| terms.mean(app)) {
        return Err(refused());
    }
    let grants = match policy::decide(&config.apps, &config.rules, &terms.host, name) {
        Decision::NoMatch => return Err(refused()),
        Decision::Deny { on_failure, .. } => return Err(with_rule(refused(), on_failure)),
        Decision::Serve(grant) => vec![grant],
        Decision::Candidates(grants) => grants,
    };
    let grant = grants.into_iter().find(|grant| grant.app == terms.app).ok_or_else(refused)?;
    match &grant.reach {
        Reach::Named(names) if !names.contains(&name.repository) => Err(refused()),
        _ => Ok(grant),
    }
}

/// The repository is this socket's, so nobody else has a better answer.
fn stop(error: WireError) -> WireError {
    with_rule(error, OnFailure::Quit)
}

fn guest_record(call: &'static str, exposure: &Exposure, caller: &Caller, broker: &Broker) -> Record {
    Record { label: Some(exposure.id.label.clone()), ..new_record(call, caller, broker.clock.now()) }
}
