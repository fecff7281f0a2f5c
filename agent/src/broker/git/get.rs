//! A token for git: the repository that is meant, the rule, the App, what the token may do, and then the token.

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{Get, Reply};

use super::choose::{choose, rules_for, rules_for_owner, with_rule};
use super::discover::{Meant, meant};
use super::scope::granted;
use crate::audit::Record;
use crate::broker::record::Entry;
use crate::broker::tokens::{Served, Wanted};
use crate::broker::{Broker, explain};
use crate::model::{Access, Caller, MAX_NAMED, Reach, RepositorySet};
use crate::policy::Refusal;
use crate::process::ancestry;

/// A token for git.
pub(crate) async fn get(broker: &Broker, get: Get, caller: &Caller) -> Reply {
    let mut entry = broker.shared.entry("get", caller);
    entry.record.host = Some(get.host.to_string());
    entry.record.repository = get.repository.as_ref().map(ToString::to_string);
    let outcome = serve(broker, &get, caller, &mut entry.record).await;
    answer(broker, outcome, entry)
}

/// Makes git's answer, and writes the line about it.
pub(super) fn answer(broker: &Broker, outcome: Result<Option<Served>, WireError>, mut entry: Entry) -> Reply {
    let reply = match outcome {
        Ok(Some(served)) => {
            served.note(&mut entry.record);
            Reply::Lease(served.to_lease())
        }
        Ok(None) => Reply::NoMatch {},
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

/// Finds out which App may serve a remote and gets the token. `None`: not ours.
async fn serve(broker: &Broker, get: &Get, caller: &Caller, record: &mut Record) -> Result<Option<Served>, WireError> {
    let config = broker.shared.config()?;
    if !config.knows(&get.host) {
        return Ok(None);
    }
    broker.shared.needed();
    let host = &get.host;
    let meant = meant(broker, &config, get, caller).await?;
    let (given, owner, name) = match &meant {
        Meant::Repository(name) => {
            record.repository = Some(name.to_string());
            (rules_for(&config, host, name), &name.owner, Some(&name.repository))
        }
        Meant::Owner(owner) => (rules_for_owner(&config, host, owner), owner, None),
    };
    let grants = match given {
        Ok(grants) => grants,
        Err(Refusal::NoMatch) => return Ok(None),
        Err(Refusal::Denied { rule, on_failure }) => {
            let denied = with_rule(explain::denied(host, &rule), on_failure);
            record.rule = Some(rule);
            return Err(denied);
        }
    };
    let chosen = choose(broker, &config, host, owner, grants).await?;
    chosen.note(record);
    let (app, grant, pinned) = (chosen.app, &chosen.grant, chosen.pinned());
    let ours = |error: WireError| match grant.rule {
        // A rule makes the remote ours, whatever GitHub says about it.
        Some(_) => with_rule(error, grant.on_failure),
        None => error,
    };
    let repositories = match (&grant.reach, name) {
        (Reach::Requested, Some(name)) => RepositorySet::One(name.clone()),
        (Reach::Installation, _) => RepositorySet::Installation,
        (Reach::Named(names), Some(name)) => RepositorySet::part_of(names, name)
            .ok_or_else(|| ours(explain::outside_named_set(owner, name, grant.rule.as_deref())))?,
        (Reach::Named(names), None) if names.len() <= MAX_NAMED => RepositorySet::Named(names.as_slice().into()),
        // Only the repository could tell which token is meant.
        (Reach::Requested | Reach::Named(_), None) => return Err(explain::path_missing(host)),
    };
    // Only a hint from this user's own processes: it may narrow a token, never widen it.
    let is_fetch = grant.access == Access::Auto && ancestry::is_fetch(caller);
    let wished = grant.access.limit(&grant.permissions, is_fetch);
    let permissions = granted(&wished, &chosen.installation, app).map_err(&ours)?;
    let wanted = Wanted {
        app,
        owner,
        installation: chosen.installation.clone(),
        pinned,
        repositories,
        permissions,
        exposure: None,
        repository: name,
        for_git: name.is_some(),
        min_ttl: config.agent.min_ttl,
        decided: &config,
    };
    broker.tokens.lease(wanted, caller).await.map(Some).map_err(ours)
}
