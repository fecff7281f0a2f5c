//! Errors about tokens that reach something else than what was asked for.

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::remote::{Host, Owner};

use crate::model::{App, Asked, Installation, TokenScope};
use crate::policy::Withheld;

/// The rules do not give a token, or not any more, for what it reaches: its names are not those that were asked for, or the rules
/// have changed since.
pub(in crate::broker) fn withheld(scope: &TokenScope, asked: Asked<'_>, withheld: &Withheld) -> WireError {
    let Asked { owner, repository } = asked;
    let (host, of) = (&scope.host, repository.map(|repository| format!("{owner}/{repository}")));
    let of = of.unwrap_or_else(|| format!("{owner}/*"));
    let rule = match &withheld.rule {
        Some(rule) => format!("the rule {rule} does not give that"),
        None => format!("no rule gives that to {}", scope.app),
    };
    match &withheld.name {
        Some(name) if name.to_string().eq_ignore_ascii_case(&of) => {
            let cause = format!("the rules do not give {host}/{name} like this any more");
            WireError::new(ErrorCode::Denied, cause).hint(format!("see what they give: ghapp which {name}"))
        }
        Some(name) => {
            let cause = format!("a token for {of} would reach {name}, which is what GitHub calls it now, and {rule}");
            WireError::new(ErrorCode::Denied, cause).hint(format!("use the new name, and see: ghapp which {name}"))
        }
        None => WireError::new(ErrorCode::Denied, format!("the rules do not give {host}/{of} like this any more"))
            .hint("see the rules in the file that this prints: ghapp config path"),
    }
}

/// GitHub gave more than it was asked for. No client gets that.
pub(in crate::broker) fn wider(host: &Host) -> WireError {
    WireError::new(ErrorCode::Refused, format!("{host} gave a wider token than it was asked for, and it was revoked"))
        .hint("a proxy or an old server may drop what is asked; ask the administrator of its API")
}

/// A server answers about another account than the one that it was asked about.
pub(in crate::broker) fn another_account(app: &App, owner: &Owner, found: &Installation) -> WireError {
    let cause = format!(
        "{} was asked for the installation of {} on {owner}, and told the one on {}",
        app.host,
        app.name,
        found.account_name()
    );
    WireError::new(ErrorCode::Refused, cause).hint("check the name of the owner; was the account renamed?")
}
