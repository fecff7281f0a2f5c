//! `ghapp revoke`: kills tokens at GitHub.

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Call, LeaseId, Reply, Revoke, Revoked};
use serde::Serialize;

use crate::arguments;
use crate::failure::CliError;
use crate::session::Session;
use crate::terminal::json::SCHEMA;
use crate::terminal::wording;

#[derive(Serialize)]
struct RevokedOutput<'a> {
    schema: u32,
    revoked: &'a [LeaseId],
    unknown: &'a [LeaseId],
    failed: Vec<Failed<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    revoked_unlisted: usize,
    #[serde(skip_serializing_if = "is_zero")]
    failed_unlisted: usize,
}

#[derive(Serialize)]
struct Failed<'a> {
    id: LeaseId,
    reason: &'a str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

pub(crate) fn run(session: &Session<'_>, arguments: &arguments::Revoke) -> Result<(), CliError> {
    let leases = arguments.leases.iter().enumerate();
    let leases = leases.map(|(index, text)| {
        text.parse::<LeaseId>().map_err(|why| {
            // The value is not repeated: it may be a token that the user wants to revoke.
            CliError::usage(format!("argument {} is not a lease id: {why}", index + 1)).hint("run: ghapp leases")
        })
    });
    let leases = leases.collect::<Result<_, _>>()?;
    let call = Call::Revoke(Revoke { leases, all: arguments.all });
    let Reply::Revoked(outcome) = session.agent.ask_slow(call)? else {
        return Err(session.agent.unexpected());
    };
    let Revoked { revoked, unknown, failed, revoked_unlisted, failed_unlisted, .. } = &outcome;
    if arguments.form.json {
        let failed = failed.iter().map(|(id, error)| Failed { id: *id, reason: &error.message });
        let (revoked_unlisted, failed_unlisted) = (*revoked_unlisted, *failed_unlisted);
        let failed = failed.collect();
        session.output.json(&RevokedOutput {
            schema: SCHEMA,
            revoked,
            unknown,
            failed,
            revoked_unlisted,
            failed_unlisted,
        })?;
    } else if !revoked.is_empty() || (unknown.is_empty() && failed.is_empty()) {
        session.output.report(&format!("revoked {}", wording::count(revoked.len() + revoked_unlisted, "lease")))?;
    }
    for (id, reason) in failed {
        session.output.warning(&format!("{id} is still alive at GitHub: {reason}"));
    }
    conclude(unknown, failed, *failed_unlisted)
}

/// Fails unless all tokens have been revoked.
fn conclude(unknown: &[LeaseId], failed: &[(LeaseId, WireError)], unlisted: usize) -> Result<(), CliError> {
    // Usually all of them fail for the same reason.
    if let Some((_, error)) = failed.first() {
        return Err(CliError::new(
            error.code,
            format!("could not revoke {}", wording::count(failed.len() + unlisted, "lease")),
        )
        .hint("they die within the hour; their App's page at GitHub can suspend it at once"));
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let names = unknown.iter().map(ToString::to_string).collect::<Vec<_>>();
    Err(CliError::new(ErrorCode::BadRequest, format!("there is no lease {}", names.join(", ")))
        .hint("run: ghapp leases"))
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::error::{ErrorCode, WireError};
    use ghapp_protocol::message::LeaseId;

    use super::conclude;

    #[test]
    fn a_token_that_lives_on_is_worse_than_an_unknown_id() {
        assert!(conclude(&[], &[], 0).is_ok());
        let unknown = conclude(&[LeaseId(7), LeaseId(9)], &[], 0).unwrap_err();
        assert_eq!(unknown.message, "there is no lease L7, L9");
        assert_eq!(unknown.code.exit(), 1);
        let failed = [(LeaseId(8), WireError::new(ErrorCode::Unreachable, "timed out"))];
        assert_eq!(conclude(&[LeaseId(7)], &failed, 0).unwrap_err().code, ErrorCode::Unreachable);
    }
}
