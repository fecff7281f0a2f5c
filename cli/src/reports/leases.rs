//! `ghapp leases`: lists active tokens, without their values.

use ghapp_agent::clock::{Clock, SystemClock};
use ghapp_protocol::message::{Call, LeaseStatus, Reply};
use serde::Serialize;

use crate::arguments::Form;
use crate::failure::CliError;
use crate::session::Session;
use crate::terminal::json::{self, SCHEMA};
use crate::terminal::wording;

#[derive(Serialize)]
struct LeasesOutput<'a> {
    schema: u32,
    leases: Vec<json::Lease<'a>>,
}

pub(crate) fn run(session: &Session<'_>, form: Form) -> Result<(), CliError> {
    let mut leases = all(session)?;
    if let Some(app) = &session.app {
        leases.retain(|lease| lease.app == app.as_str());
    }
    if form.json {
        return session
            .output
            .json(&LeasesOutput { schema: SCHEMA, leases: leases.iter().map(json::Lease::of).collect() });
    }
    if leases.is_empty() {
        session.output.talk("no live tokens");
        return Ok(());
    }
    let now = SystemClock.now().wall;
    let rows: Vec<_> = leases.iter().map(|lease| row(lease, now)).collect();
    session.output.table(&["LEASE", "APP", "REPOSITORIES", "PERMISSIONS", "EXPIRES", "USES", "REQUESTED BY"], &rows)
}

fn all(session: &Session<'_>) -> Result<Vec<LeaseStatus>, CliError> {
    let ask = |after| match session.agent.ask(Call::Leases { after })? {
        Reply::Leases { leases, more } => Ok((leases, more)),
        _ => Err(session.agent.unexpected()),
    };
    session.agent.pages(|lease: &LeaseStatus| lease.id, ask)
}

fn row(lease: &LeaseStatus, now: i64) -> Vec<String> {
    let by = &lease.requested_by;
    let by = match (&by.exe, by.pid) {
        (Some(exe), Some(pid)) => format!("{exe} ({pid})"),
        (Some(exe), None) => exe.clone(),
        (None, Some(pid)) => format!("({pid})"),
        (None, None) => "-".to_owned(),
    };
    vec![
        lease.id.to_string(),
        lease.app.clone(),
        wording::reach(&lease.account, lease.repositories.as_deref()),
        wording::permissions(&lease.permissions),
        wording::time_left(now, lease.expires_at),
        lease.uses.to_string(),
        by,
    ]
}
