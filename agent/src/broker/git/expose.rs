//! Exposing sockets: what each gives out is settled once, and is never more than the configuration gives.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{Expose, ExposureStatus, Label, Reply, Revoked, Unexpose, Unexposed};
use ghapp_protocol::remote::FullName;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::choose::{choose, configured, only, rules_for};
use super::scope::{asked_permissions, granted, only_host};
use crate::audit::Record;
use crate::broker::explain::exposed;
use crate::broker::state::{Open, WantedSocket};
use crate::broker::tokens::REVOKE_LIMIT;
use crate::broker::{Broker, explain};
use crate::model::{App, AppName, Caller, Exposure, ExposureId, MAX_NAMED, Permissions, Reach, Terms};

/// How long an exposed socket stays if no time is given: a day's work.
const DEFAULT_TTL: Duration = Duration::from_secs(8 * 3600);
/// Longest that it may stay: a socket that is needed for longer is to be renewed, so that none is forgotten.
const MAX_TTL: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the door may take to close a socket: it has a file to remove.
const CLOSING: Duration = Duration::from_secs(5);
/// Exposed sockets in one answer: each can name 500 repositories, so that one fits into a frame and two may not.
const PER_PAGE: usize = 1;

/// Why an exposed socket is closed, as the audit log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Asked,
    Over,
    AppGone,
    AgentEnds,
    NotOpened,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "closed",
            Self::Over => "over",
            Self::AppGone => "app_gone",
            Self::AgentEnds => "agent_ends",
            Self::NotOpened => "not_opened",
        }
    }
}

/// Settles what a further socket gives out and takes it in; `open` makes the socket and watches for its close.
///
/// `own_place` says where the socket of a label is, unless the client asks for a path.
pub(crate) async fn expose_socket(
    broker: &Broker,
    expose: Expose,
    own_place: impl Fn(&Label) -> PathBuf + Send,
    caller: &Caller,
    open: impl FnOnce(&Arc<Exposure>, watch::Receiver<bool>) -> Result<(), WireError> + Send,
) -> Reply {
    let mut entry = broker.shared.entry("expose", caller);
    entry.record.label.clone_from(&expose.label);
    let admitted = admit(broker, expose, own_place, &mut entry.record).await.and_then(|(exposure, closing)| {
        open(&exposure, closing)
            .inspect_err(|_| close_exposed(broker, Reason::NotOpened, |it| it.id == exposure.id))?;
        Ok(exposure)
    });
    let reply = match admitted {
        Ok(exposure) => {
            info!(label = %exposure.id, path = %exposure.path.display(), "a socket is exposed");
            Reply::Exposed(Box::new(status(&exposure)))
        }
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

/// Closes an exposed socket; with `revoke` also revokes at GitHub what was given out over it.
pub(crate) async fn unexpose(broker: &Broker, unexpose: Unexpose, caller: &Caller) -> Reply {
    let Unexpose { which, revoke } = unexpose;
    let config = broker.shared.current_config();
    let Some(open) = broker.shared.state().exposures.remove(&which) else {
        return Reply::Error(exposed::unknown(&which));
    };
    let id = open.exposure.id.clone();
    closed(broker, &open, Reason::Asked, caller);
    wait_for(open).await;
    let ours = |exposure: &Option<ExposureId>| exposure.as_ref() == Some(&id);
    let Revoked { revoked, .. } = if revoke {
        let deadline = Instant::now() + REVOKE_LIMIT;
        broker.tokens.revoke_where(&config, |lease| ours(&lease.scope.exposure), deadline, caller).await
    } else {
        Revoked::default()
    };
    let left_alive = broker.tokens.count(|lease| ours(&lease.scope.exposure));
    Reply::Unexposed(Unexposed { label: id.label, revoked: revoked.len(), left_alive })
}

/// A page of exposed sockets.
pub(crate) fn list_exposed(broker: &Broker, after: Option<&Label>) -> Reply {
    let state = broker.shared.state();
    let mut behind = state.exposures.all().filter(|it| after.is_none_or(|after| it.id.label > *after));
    let exposed = behind.by_ref().take(PER_PAGE).map(|exposure| status(exposure)).collect();
    Reply::Exposures { exposed, more: behind.next().is_some() }
}

/// How long an exposed socket stays from now on.
pub(crate) fn time_left(broker: &Broker, exposure: &Exposure) -> Duration {
    exposure.left(broker.shared.now())
}

/// Closes the exposed sockets whose time is over.
pub(crate) fn close_what_is_over(broker: &Broker) {
    let now = broker.shared.now();
    close_exposed(broker, Reason::Over, |exposure| exposure.is_over(now));
}

/// Closes all exposed sockets, for an agent that stops, and waits until their files are gone.
pub(crate) async fn close_all_exposed(broker: &Broker) {
    let ended = broker.shared.state().exposures.end();
    for open in ended {
        closed(broker, &open, Reason::AgentEnds, &Caller::default());
        wait_for(open).await;
    }
}

/// Closes the exposed sockets whose App is not configured any more, or is now another one under the same name.
pub(in crate::broker) fn close_what_has_no_app(broker: &Broker) {
    let config = broker.shared.current_config();
    close_exposed(broker, Reason::AppGone, |exposure| !config.apps.iter().any(|app| exposure.terms.mean(app)));
}

/// Takes sockets out and closes them. From the moment in which a socket is taken out, no client is served over it.
fn close_exposed(broker: &Broker, reason: Reason, goes: impl Fn(&Exposure) -> bool) {
    let removed = broker.shared.state().exposures.remove_where(goes);
    for open in removed {
        closed(broker, &open, reason, &Caller::default());
    }
}

/// Does what follows when a socket is taken out: its door closes it, and its tokens are not replaced any more.
fn closed(broker: &Broker, open: &Open, reason: Reason, caller: &Caller) {
    let mut entry = broker.shared.entry("unexpose", caller);
    open.close();
    let exposure = &open.exposure;
    broker.tokens.retire_exposed(&exposure.id);
    describe(&mut entry.record, &exposure.id.label, &exposure.terms);
    reason.as_str().clone_into(&mut entry.record.outcome);
    info!(label = %exposure.id, reason = reason.as_str(), "an exposed socket is closed");
    broker.shared.write(entry);
}

/// Decides about an exposure and takes it in, so that no other gets its label or path.
async fn admit(
    broker: &Broker,
    expose: Expose,
    own_place: impl Fn(&Label) -> PathBuf,
    record: &mut Record,
) -> Result<(Arc<Exposure>, watch::Receiver<bool>), WireError> {
    let ttl = expose.ttl.map_or(DEFAULT_TTL, Duration::from_secs);
    if ttl.is_zero() || ttl > MAX_TTL {
        return Err(exposed::ttl(MAX_TTL));
    }
    let terms = settle(broker, &expose).await?;
    let place = |label: &Label| expose.path.map_or_else(|| own_place(label), PathBuf::from);
    let wanted = WantedSocket { label: expose.label, uid: expose.uid, terms, ttl };
    let now = broker.shared.now();
    let mut state = broker.shared.state();
    state.open()?;
    let (exposure, closing) = state.exposures.admit(wanted, place, now)?;
    describe(record, &exposure.id.label, &exposure.terms);
    Ok((exposure, closing))
}

/// Turns what a client asked for into what may be given out: one App, repositories that it may serve, permissions that it has.
async fn settle(broker: &Broker, expose: &Expose) -> Result<Terms, WireError> {
    let config = broker.shared.config()?;
    broker.shared.needed();
    broker.shared.unlocked()?;
    let host = expose.host.clone().map_or_else(|| only_host(&config), Ok)?;
    let mut repositories = expose.repositories.clone();
    repositories.sort();
    repositories.dedup();
    if repositories.is_empty() || repositories.len() > MAX_NAMED {
        return Err(exposed::how_many(MAX_NAMED));
    }
    let mut settled: Option<(AppName, Permissions)> = None;
    for repository in &repositories {
        let name = FullName { owner: expose.owner.clone(), repository: repository.clone() };
        let grants = rules_for(&config, &host, &name).map_err(|refusal| refusal.explain(&host))?;
        let grants = only(grants, expose.app.as_deref(), &host, &name.owner)?;
        let chosen = choose(broker, &config, &host, &name.owner, grants).await?;
        let (app, grant, installation) = (chosen.app, &chosen.grant, &chosen.installation);
        if let Reach::Named(names) = &grant.reach
            && !names.contains(repository)
        {
            return Err(explain::outside_named_set(&name.owner, repository, grant.rule.as_deref()));
        }
        let permissions = if expose.permissions.is_empty() {
            granted(&grant.access.limit(&grant.permissions, false), installation, app)?
        } else {
            asked_permissions(&expose.permissions, grant, installation, app)?
        };
        match &settled {
            None => settled = Some((app.name.clone(), permissions)),
            Some((same, what)) if *same == app.name && *what == permissions => {}
            Some(_) => return Err(exposed::served_differently(&expose.owner, &repositories[0], repository)),
        }
    }
    let (app, permissions) = settled.ok_or_else(|| exposed::how_many(MAX_NAMED))?;
    let issuer = configured(&config, &app).map(App::issuer)?;
    Ok(Terms { app, issuer, host, owner: expose.owner.clone(), repositories, permissions })
}

/// Waits until the door has removed a socket's file.
async fn wait_for(open: Open) {
    let label = open.exposure.id.clone();
    if timeout(CLOSING, open.gone()).await.is_err() {
        warn!(%label, "an exposed socket does not close");
    }
}

fn describe(record: &mut Record, label: &Label, terms: &Terms) {
    record.label = Some(label.clone());
    record.app = Some(terms.app.to_string());
    record.host = Some(terms.host.to_string());
    record.repositories = Some(terms.repositories.iter().map(|name| format!("{}/{name}", terms.owner)).collect());
    record.permissions = Some(terms.permissions.to_string());
}

fn status(exposure: &Exposure) -> ExposureStatus {
    let Exposure { id, path, terms, uid, since, ttl } = exposure;
    let Terms { app, issuer: _, host, owner, repositories, permissions } = terms;
    ExposureStatus {
        label: id.label.clone(),
        path: path.to_string_lossy().into_owned(),
        app: app.to_string(),
        host: host.clone(),
        owner: owner.clone(),
        repositories: repositories.clone(),
        permissions: permissions.to_map(),
        uid: *uid,
        created_at: since.wall,
        expires_at: since.wall.saturating_add(i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX)),
    }
}
