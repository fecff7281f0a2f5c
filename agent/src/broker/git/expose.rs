//! Exposing sockets: what their rules say is settled once, and never more than the configuration gives.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{Expose, ExposureStatus, Label, Reply, Revoked, Unexpose, Unexposed};
use ghapp_protocol::remote::{FullName, Host};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use crate::audit::Record;
use crate::broker::explain::exposed;
use crate::broker::git::scope::{asked_permissions, granted, only_host};
use crate::broker::git::serve::configured;
use crate::broker::state::exposures::{Open, Wanted};
use crate::broker::tokens::revoke::REVOKE_LIMIT;
use crate::broker::{Broker, Listening, explain, new_record};
use crate::config::Config;
use crate::model::{App, AppName, Caller, Exposure, ExposureId, MAX_NAMED, Permissions, Reach, Terms};
use crate::policy::{self, Decision, Grant};

/// How long an exposed socket stays unless it is said: a day's work.
const DEFAULT_TTL: Duration = Duration::from_secs(8 * 3600);
/// Longest that it may stay: what is needed for longer is to be renewed by somebody who remembers it.
const MAX_TTL: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the door may take to close a socket: it has a file to remove.
const CLOSING: Duration = Duration::from_secs(5);
/// Exposed sockets in one answer: each can name 500 repositories, so that one fits into a frame and two may not.
const PER_PAGE: usize = 1;

/// Why an exposed socket is closed, as it is written down.
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

impl Broker {
    /// Settles what a further socket gives out and takes it in; `open` makes the socket and watches for its end.
    pub async fn expose_socket(
        self: &Arc<Self>,
        expose: Expose,
        listening: &Listening,
        caller: &Caller,
        open: impl FnOnce(&Arc<Exposure>, watch::Receiver<bool>) -> Result<(), WireError> + Send,
    ) -> Reply {
        let started = self.clock.now();
        let mut record = new_record("expose", caller, started);
        record.label.clone_from(&expose.label);
        let admitted = match self.admit(expose, listening, &mut record).await {
            Ok((exposure, closing)) => {
                let opened = open(&exposure, closing);
                opened
                    .inspect_err(|_| drop(self.close_exposed(Reason::NotOpened, |it| it.id == exposure.id)))
                    .map(|()| exposure)
            }
            Err(error) => Err(error),
        };
        let reply = match admitted {
            Ok(exposure) => {
                info!(label = %exposure.id, path = %exposure.path.display(), "a socket is exposed");
                Reply::Exposed(Box::new(status(&exposure)))
            }
            Err(error) => Reply::Error(error),
        };
        self.finish(record, started, &reply);
        reply
    }

    /// Closes an exposed socket; with `revoke` also kills at GitHub what was given out over it.
    pub async fn unexpose(self: &Arc<Self>, unexpose: Unexpose, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let Unexpose { which, revoke } = unexpose;
        let config = Arc::clone(&self.state().config);
        let Some(open) = self.state().exposures.remove(&which) else {
            return Reply::Error(exposed::unknown(&which));
        };
        let id = open.exposure.id.clone();
        self.closed(&open, Reason::Asked, caller);
        wait_for(open).await;
        let ours = |exposure: &Option<ExposureId>| exposure.as_ref() == Some(&id);
        let Revoked { revoked, .. } = if revoke {
            let deadline = Instant::now() + REVOKE_LIMIT;
            self.revoke_where(&config, |lease| ours(&lease.scope.exposure), deadline, caller).await
        } else {
            Revoked::default()
        };
        let left_alive = self.state().tokens.live(started).filter(|lease| ours(&lease.scope.exposure)).count();
        Reply::Unexposed(Unexposed { label: id.label, revoked: revoked.len(), left_alive })
    }

    /// A page of exposed sockets.
    pub fn exposed(&self, after: Option<&Label>) -> Reply {
        let state = self.state();
        let mut behind = state.exposures.all().filter(|it| after.is_none_or(|after| it.id.label > *after));
        let exposed = behind.by_ref().take(PER_PAGE).map(|exposure| status(exposure)).collect();
        Reply::Exposures { exposed, more: behind.next().is_some() }
    }

    /// How long an exposed socket stays from now on.
    pub fn time_left(&self, exposure: &Exposure) -> Duration {
        exposure.left(self.clock.now())
    }

    /// Closes the exposed sockets whose time is over.
    pub fn close_what_is_over(&self) {
        let now = self.clock.now();
        self.close_exposed(Reason::Over, |exposure| exposure.is_over(now));
    }

    /// Closes all exposed sockets, for an agent that ends, and waits until their files are gone.
    pub async fn close_all_exposed(&self) {
        let closed = self.state().exposures.end();
        for open in closed {
            self.closed(&open, Reason::AgentEnds, &Caller::default());
            wait_for(open).await;
        }
    }

    /// Closes the exposed sockets whose App is not configured any more, or is another one under the same nickname.
    pub(in crate::broker) fn close_what_has_no_app(&self) {
        let config = Arc::clone(&self.state().config);
        self.close_exposed(Reason::AppGone, |exposure| !config.apps.iter().any(|app| exposure.terms.mean(app)));
    }

    /// From the moment on in which it is taken out, nobody is served over a socket.
    fn close_exposed(&self, reason: Reason, goes: impl Fn(&Exposure) -> bool) -> Vec<Open> {
        let closed = self.state().exposures.remove_where(goes);
        for open in &closed {
            self.closed(open, reason, &Caller::default());
        }
        closed
    }

    /// Sees to what follows from a socket's end: its door closes it, and its tokens are not replaced any more.
    fn closed(&self, open: &Open, reason: Reason, caller: &Caller) {
        let now = self.clock.now();
        open.close();
        let exposure = &open.exposure;
        {
            let mut state = self.state();
            let its = state.tokens.live(now).filter(|lease| lease.scope.exposure.as_ref() == Some(&exposure.id));
            let ids: Vec<_> = its.map(|lease| lease.id).collect();
            for id in ids {
                state.tokens.retire(id);
            }
        }
        let mut record = new_record("unexpose", caller, now);
        describe(&mut record, &exposure.id.label, &exposure.terms);
        reason.as_str().clone_into(&mut record.outcome);
        info!(label = %exposure.id, reason = reason.as_str(), "an exposed socket is closed");
        self.write(record, now);
    }

    /// Decides about an exposure and takes it in, so that nobody else gets its label or place.
    async fn admit(
        self: &Arc<Self>,
        expose: Expose,
        listening: &Listening,
        record: &mut Record,
    ) -> Result<(Arc<Exposure>, watch::Receiver<bool>), WireError> {
        let ttl = expose.ttl.map_or(DEFAULT_TTL, Duration::from_secs);
        if ttl.is_zero() || ttl > MAX_TTL {
            return Err(exposed::ttl(MAX_TTL));
        }
        let terms = self.settle(&expose).await?;
        let place = |label: &Label| expose.path.map_or_else(|| listening.endpoint.exposed(label), PathBuf::from);
        let wanted = Wanted { label: expose.label, uid: expose.uid, terms, ttl };
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(closed) = state.closed() {
            return Err(closed);
        }
        let (exposure, closing) = state.exposures.admit(wanted, place, now)?;
        describe(record, &exposure.id.label, &exposure.terms);
        Ok((exposure, closing))
    }

    /// Turns what somebody asked for into what may be given out: one App, repositories that it may serve, permissions that it has.
    async fn settle(self: &Arc<Self>, expose: &Expose) -> Result<Terms, WireError> {
        let config = self.config()?;
        self.needed();
        self.unlocked()?;
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
            let grants = named_app(grants(&config, &host, &name)?, expose.app.as_deref(), &host, &name)?;
            let (grant, installation) = self.choose(&config, &host, &name.owner, grants).await?;
            if let Reach::Named(names) = &grant.reach
                && !names.contains(repository)
            {
                return Err(explain::outside_named_set(&name.owner, repository, grant.rule.as_deref()));
            }
            let app = configured(&config, &grant.app)?;
            let permissions = if expose.permissions.is_empty() {
                granted(&grant.access.limit(&grant.permissions, false), &installation, app)?
            } else {
                asked_permissions(&expose.permissions, &grant, &installation, app)?
            };
            match &settled {
                None => settled = Some((grant.app, permissions)),
                Some(same) if *same == (grant.app, permissions) => {}
                Some(_) => return Err(exposed::served_differently(&expose.owner, &repositories[0], repository)),
            }
        }
        let (app, permissions) = settled.ok_or_else(|| exposed::how_many(MAX_NAMED))?;
        let issuer = configured(&config, &app).map(App::issuer)?;
        Ok(Terms { app, issuer, host, owner: expose.owner.clone(), repositories, permissions })
    }
}

/// What the rules give for a repository, before GitHub is asked.
fn grants(config: &Config, host: &Host, name: &FullName) -> Result<Vec<Grant>, WireError> {
    match policy::decide(&config.apps, &config.rules, host, name) {
        Decision::NoMatch => Err(explain::host_not_configured(host)),
        Decision::Deny { rule, .. } => Err(explain::denied(host, &rule)),
        Decision::Serve(grant) => Ok(vec![grant]),
        Decision::Candidates(grants) => Ok(grants),
    }
}

/// Only the App that was named, if one was.
fn named_app(mut grants: Vec<Grant>, app: Option<&str>, host: &Host, name: &FullName) -> Result<Vec<Grant>, WireError> {
    let Some(app) = app else { return Ok(grants) };
    grants.retain(|grant| grant.app.as_str() == app);
    if grants.is_empty() { Err(explain::app_not_for(app, host, &name.owner)) } else { Ok(grants) }
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
