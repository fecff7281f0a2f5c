//! A token for a person or a script: less than the rules allow if that is asked for, and never more.

use std::time::Duration;

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{Reply, TokenCall, TokenReply};
use ghapp_protocol::remote::FullName;

use super::choose::{choose, only, rules_for};
use super::scope::{asked_permissions, asked_set, granted, only_host};
use crate::audit::Record;
use crate::broker::tokens::{Served, Wanted};
use crate::broker::{Broker, explain};
use crate::config::MAX_MIN_TTL;
use crate::model::Caller;
use crate::policy::Refusal;

/// A token for a person or a script.
pub(crate) async fn token(broker: &Broker, call: TokenCall, caller: &Caller) -> Reply {
    let mut entry = broker.shared.entry("token", caller);
    entry.record.repository = Some(call.repository.to_string());
    let reply = match serve(broker, &call, caller, &mut entry.record).await {
        Ok(Some(served)) => {
            served.note(&mut entry.record);
            let (id, scope) = (served.lease.id, &served.lease.scope);
            Reply::Token(Box::new(TokenReply {
                lease: served.to_lease(),
                id,
                permissions: served.lease.minted.token.permissions.to_map(),
                repositories: served.lease.repositories(),
                app: Some(scope.app.to_string()),
            }))
        }
        Ok(None) => Reply::NoMatch {},
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

async fn serve(
    broker: &Broker,
    call: &TokenCall,
    caller: &Caller,
    record: &mut Record,
) -> Result<Option<Served>, WireError> {
    let config = broker.shared.config()?;
    broker.shared.needed();
    let host = call.host.clone().map_or_else(|| only_host(&config), Ok)?;
    record.host = Some(host.to_string());
    let FullName { owner, repository } = &call.repository;
    let given = rules_for(&config, &host, &call.repository);
    // One token for several repositories must be one that each of them would get by itself: naming a repository second does not
    // get it past a rule that denies it or serves it otherwise.
    for other in &call.repositories {
        let name = FullName { owner: owner.clone(), repository: other.clone() };
        match rules_for(&config, &host, &name) {
            Err(denied @ Refusal::Denied { .. }) => return Err(denied.explain(&host)),
            same if same == given => {}
            _ => return Err(explain::served_otherwise(&call.repository, &name)),
        }
    }
    let grants = match given {
        Ok(grants) => grants,
        Err(Refusal::NoMatch) => return Ok(None),
        Err(denied) => return Err(denied.explain(&host)),
    };
    let grants = only(grants, call.app.as_deref(), &host, owner)?;
    let chosen = choose(broker, &config, &host, owner, grants).await?;
    chosen.note(record);
    let repositories = asked_set(call, repository, &chosen.grant)?;
    let permissions = if call.permissions.is_empty() {
        granted(&chosen.grant.access.limit(&chosen.grant.permissions, false), &chosen.installation, chosen.app)?
    } else {
        asked_permissions(&call.permissions, &chosen.grant, &chosen.installation, chosen.app)?
    };
    let min_ttl = call.min_ttl.map_or(config.agent.min_ttl, Duration::from_secs);
    if min_ttl > MAX_MIN_TTL {
        return Err(explain::min_ttl_too_long());
    }
    let wanted = Wanted {
        app: chosen.app,
        owner,
        pinned: chosen.pinned(),
        installation: chosen.installation,
        repositories,
        permissions,
        exposure: None,
        repository: Some(repository),
        for_git: false,
        min_ttl,
        decided: &config,
    };
    broker.tokens.lease(wanted, caller).await.map(Some)
}
