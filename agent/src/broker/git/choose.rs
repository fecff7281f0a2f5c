//! Which App serves a remote: what the rules give for it, and which of their Apps is installed on its owner.

use ghapp_protocol::error::{ErrorCode, GitNext, WireError};
use ghapp_protocol::remote::{FullName, Host, Owner};

use crate::audit::Record;
use crate::broker::{Broker, explain};
use crate::config::Config;
use crate::model::{App, AppName, Installation, InstallationId, OnFailure};
use crate::policy::{self, Given, Grant, Refusal};

impl Refusal {
    /// The same for a person.
    pub(super) fn explain(&self, host: &Host) -> WireError {
        match self {
            Self::NoMatch => explain::host_not_configured(host),
            Self::Denied { rule, .. } => explain::denied(host, rule),
        }
    }
}

/// What the rules give for a repository.
pub(super) fn rules_for(config: &Config, host: &Host, name: &FullName) -> Given {
    policy::decide(&config.apps, &config.rules, host, name).given()
}

/// What the rules give for an owner when the repository is not known: only rules count that do not need it (decision 2).
pub(super) fn rules_for_owner(config: &Config, host: &Host, owner: &Owner) -> Given {
    policy::decide_for_owner(&config.apps, &config.rules, host, owner).given()
}

/// Only the grants of the App that was named, if one was.
pub(super) fn only(
    mut grants: Vec<Grant>,
    app: Option<&str>,
    host: &Host,
    owner: &Owner,
) -> Result<Vec<Grant>, WireError> {
    let Some(app) = app else { return Ok(grants) };
    grants.retain(|grant| grant.app.as_str() == app);
    if grants.is_empty() { Err(explain::app_not_for(app, host, owner)) } else { Ok(grants) }
}

/// The App that serves a remote, what it may give, and the installation through which it does.
pub(super) struct Chosen<'a> {
    pub(super) app: &'a App,
    pub(super) grant: Grant,
    pub(super) installation: Installation,
}

impl Chosen<'_> {
    /// The one installation that the configuration names, if it names one.
    pub(super) fn pinned(&self) -> Option<InstallationId> {
        pinned(&self.grant, self.app)
    }

    /// What is written down about it.
    pub(super) fn note(&self, record: &mut Record) {
        note(&self.grant, record);
    }
}

/// What is written down about a grant.
pub(super) fn note(grant: &Grant, record: &mut Record) {
    record.rule.clone_from(&grant.rule);
    record.app = Some(grant.app.to_string());
}

/// The one installation that a rule or an App names, if one is named.
pub(super) fn pinned(grant: &Grant, app: &App) -> Option<InstallationId> {
    grant.installation.or(app.installation)
}

/// Picks the App that is installed on the owner: never the first of several, and never any after a failed lookup. An error is
/// ignorance, not absence.
pub(super) async fn choose<'a>(
    broker: &Broker,
    config: &'a Config,
    host: &Host,
    owner: &Owner,
    grants: Vec<Grant>,
) -> Result<Chosen<'a>, WireError> {
    let mut installed = Vec::new();
    let mut missing = Vec::new();
    for grant in grants {
        let app = configured(config, &grant.app)?;
        // Without a rule the remote is ours only if an installation covers it (decision 7). As long as that cannot be learned,
        // the remote may belong to another helper, and git may ask the next one.
        let unlearned = |error: WireError| match grant.rule {
            Some(_) => with_rule(error, grant.on_failure),
            None => WireError { git_next: Some(GitNext::NextHelper), ..error },
        };
        match broker.tokens.installation_of(app, owner, pinned(&grant, app)).await.map_err(unlearned)? {
            Some(installation) => installed.push(Chosen { app, grant, installation }),
            None => missing.push(unlearned(explain::not_installed(app, owner))),
        }
    }
    match installed.len() {
        1 => Ok(installed.remove(0)),
        0 if missing.len() == 1 => Err(missing.remove(0)),
        0 => Err(explain::none_installed(host, owner)),
        _ => {
            let names: Vec<_> = installed.iter().map(|chosen| chosen.grant.app.as_str()).collect();
            Err(explain::ambiguous(host, owner, &names))
        }
    }
}

/// The App that a grant names.
pub(super) fn configured<'a>(config: &'a Config, name: &AppName) -> Result<&'a App, WireError> {
    // The configuration guarantees it for rules; candidates come from the same snapshot.
    config.app(name).ok_or_else(|| WireError::new(ErrorCode::Internal, format!("the App {name} is gone")))
}

/// Makes a failure's next step the rule's: stop, or let the next helper try.
pub(super) fn with_rule(error: WireError, on_failure: OnFailure) -> WireError {
    let git_next = on_failure.git_next().unwrap_or(GitNext::Stop);
    WireError { git_next: Some(git_next), ..error }
}
