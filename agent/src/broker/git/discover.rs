//! Which repository, or at least which owner, is meant when git did not say: never a guess between two.

use ghapp_protocol::error::{GitNext, WireError};
use ghapp_protocol::message::Get;
use ghapp_protocol::remote::{FullName, Host, Owner};

use crate::broker::{Broker, explain};
use crate::config::Config;
use crate::model::Caller;
use crate::policy;
use crate::process::ancestry;

/// What a question is about.
pub(super) enum Meant {
    /// This repository.
    Repository(FullName),
    /// Some repository of this owner.
    Owner(Owner),
}

/// What git said; failing that, the URL that git itself was given; failing that, the owner that the configuration names; failing
/// that, the only account on which an App is installed. The remotes of the current directory are not asked: they may name several
/// owners, and anything that writes the repository's configuration can write them.
pub(super) async fn meant(broker: &Broker, config: &Config, get: &Get, caller: &Caller) -> Result<Meant, WireError> {
    let Get { host, repository, owners } = get;
    if let Some(name) = repository {
        return Ok(Meant::Repository(name.clone()));
    }
    if let Some(remote) = ancestry::remote(caller).filter(|remote| remote.host == *host) {
        let name = remote.full_name;
        return match owners.as_slice() {
            [] => Ok(Meant::Repository(name)),
            owners if owners.contains(&name.owner) => Ok(Meant::Repository(name)),
            // Two sources name two owners, and neither is better than the other.
            [owner, ..] => Err(explain::owners_differ(host, &name, owner)),
        };
    }
    match owners.as_slice() {
        [owner] => Ok(Meant::Owner(owner.clone())),
        [] if policy::serves_whole_owners(&config.rules, host) => {
            let owner = sole_owner(broker, config, host).await?;
            owner.map(Meant::Owner).ok_or_else(|| explain::path_missing(host))
        }
        _ => Err(explain::path_missing(host)),
    }
}

/// The only account on which Apps of a host are installed, if it is the only one.
async fn sole_owner(broker: &Broker, config: &Config, host: &Host) -> Result<Option<Owner>, WireError> {
    let mut accounts = Vec::new();
    for app in config.apps.iter().filter(|app| app.host == *host) {
        let listed = broker.tokens.accounts(app).await;
        // It is not known yet whether the remote is ours, so this is no reason to stop git.
        accounts.extend(listed.map_err(|error| WireError { git_next: Some(GitNext::NextHelper), ..error })?);
    }
    // An account without a name that a repository could have counts as another one.
    let first = accounts.first().cloned().flatten();
    Ok(first.filter(|_| accounts.iter().all(|account| *account == accounts[0])))
}
