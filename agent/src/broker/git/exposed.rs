//! Serving an exposed socket: what was settled for it, as far as the rules of the configuration still give it.

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Erase, Get, Reply};
use ghapp_protocol::remote::FullName;

use super::choose::{Chosen, configured, note, pinned, rules_for, with_rule};
use super::erase::drop_token;
use super::get::answer;
use super::scope::within_bounds;
use crate::audit::Record;
use crate::broker::Broker;
use crate::broker::explain::{self, exposed};
use crate::broker::record::Entry;
use crate::broker::tokens::{Served, Wanted};
use crate::config::Config;
use crate::model::{Caller, Exposure, OnFailure, Reach, RepositorySet};
use crate::policy::{Grant, Refusal};

/// A token for git on the other side of an exposed socket.
pub(crate) async fn get(broker: &Broker, exposure: &Exposure, get: Get, caller: &Caller) -> Reply {
    let mut entry = entry(broker, "get", exposure, caller);
    entry.record.host = Some(get.host.to_string());
    entry.record.repository = get.repository.as_ref().map(ToString::to_string);
    let outcome = serve(broker, exposure, &get, caller, &mut entry.record).await;
    answer(broker, outcome, entry)
}

/// Drops a token that a server refused, if it was given out over this socket. The client does not learn whether another has it.
pub(crate) fn erase(broker: &Broker, exposure: &Exposure, erase: &Erase, caller: &Caller) -> Reply {
    drop_token(broker, erase, Some(&exposure.id), entry(broker, "erase", exposure, caller))
}

/// Refuses any other question.
pub(crate) fn refuse(broker: &Broker, exposure: &Exposure, caller: &Caller) -> Reply {
    let reply = Reply::Error(exposed::only_git_is_served());
    broker.shared.finish(entry(broker, "refused", exposure, caller), &reply);
    reply
}

async fn serve(
    broker: &Broker,
    exposure: &Exposure,
    get: &Get,
    caller: &Caller,
    record: &mut Record,
) -> Result<Option<Served>, WireError> {
    let terms = &exposure.terms;
    if get.host != terms.host {
        return Ok(None);
    }
    // What the client hints at (its ancestors, its `--owner`) counts for nothing here.
    let name = get.repository.as_ref().ok_or_else(|| explain::path_missing(&get.host))?;
    if !terms.include(name) {
        return Err(exposed::outside(&get.host, name));
    }
    // Not `needed`: the client of an exposed socket must not keep the agent from locking itself.
    broker.shared.lock_if_unused();
    if !is_exposed(broker, exposure) {
        return Err(stop(exposed::over()));
    }
    broker.shared.unlocked()?;
    // An error of the configuration may quote the file.
    let config = broker.shared.config();
    let config = config.map_err(|_| WireError::new(ErrorCode::Config, "the agent's configuration has an error"))?;
    let grant = still_granted(&config, exposure, name)?;
    let on_failure = grant.on_failure;
    let ours = |error| with_rule(error, on_failure);
    note(&grant, record);
    let app = configured(&config, &grant.app).map_err(ours)?;
    let installation = broker.tokens.installation_of(app, &name.owner, pinned(&grant, app)).await.map_err(ours)?;
    let installation = installation.ok_or_else(|| ours(explain::not_installed(app, &name.owner)))?;
    let chosen = Chosen { app, grant, installation };
    within_bounds(&terms.permissions, &chosen.grant, &chosen.installation, app).map_err(|error| match error.code {
        // That error names the rule.
        ErrorCode::Denied => ours(exposed::denied_since(name)),
        _ => ours(error),
    })?;
    let wanted = Wanted {
        app,
        owner: &name.owner,
        pinned: chosen.pinned(),
        installation: chosen.installation,
        repositories: RepositorySet::One(name.repository.clone()),
        permissions: terms.permissions.clone(),
        exposure: Some(exposure.id.clone()),
        repository: Some(&name.repository),
        for_git: true,
        min_ttl: config.agent.min_ttl,
        decided: &config,
    };
    broker.tokens.lease(wanted, caller).await.map(Some).map_err(ours)
}

fn is_exposed(broker: &Broker, exposure: &Exposure) -> bool {
    broker.shared.state().exposures.has(&exposure.id) && !exposure.is_over(broker.shared.now())
}

/// What the configuration gives for a repository of an exposed socket now: perhaps less than was settled, and never more.
fn still_granted(config: &Config, exposure: &Exposure, name: &FullName) -> Result<Grant, WireError> {
    let terms = &exposure.terms;
    let refused = || stop(exposed::denied_since(name));
    if !config.apps.iter().any(|app| terms.mean(app)) {
        return Err(refused());
    }
    let grants = rules_for(config, &terms.host, name).map_err(|refusal| match refusal {
        Refusal::NoMatch => refused(),
        Refusal::Denied { on_failure, .. } => with_rule(refused(), on_failure),
    })?;
    let grant = grants.into_iter().find(|grant| grant.app == terms.app).ok_or_else(refused)?;
    match &grant.reach {
        Reach::Named(names) if !names.contains(&name.repository) => Err(refused()),
        _ => Ok(grant),
    }
}

/// The repository is this socket's, so no other helper has a better answer.
fn stop(error: WireError) -> WireError {
    with_rule(error, OnFailure::Quit)
}

fn entry(broker: &Broker, call: &'static str, exposure: &Exposure, caller: &Caller) -> Entry {
    let mut entry = broker.shared.entry(call, caller);
    entry.record.label = Some(exposure.id.label.clone());
    entry.is_exposed = true;
    entry
}
