//! What goes wrong with exposed sockets. The client of an exposed socket learns neither rules nor configuration from it.

use std::time::Duration;

use ghapp_protocol::error::{ErrorCode, GitNext, WireError};
use ghapp_protocol::remote::{FullName, Host, Owner, RepositoryName};

/// A question that is not one of git's.
pub(in crate::broker) fn only_git_is_served() -> WireError {
    to_next(
        WireError::new(
            ErrorCode::Denied,
            "this is an exposed socket: it answers git's get and erase, and nothing else",
        )
        .hint("ask where the agent runs: ghapp status"),
    )
}

/// A repository that this socket does not give out. Another helper may know it.
pub(in crate::broker) fn outside(host: &Host, name: &FullName) -> WireError {
    to_next(
        WireError::new(ErrorCode::Denied, format!("{host}/{name} is not given out over this socket"))
            .hint(format!("where the agent runs: ghapp agent expose --repo {name}")),
    )
}

/// The socket's time ran out, or it was closed, while the question was on its way.
pub(in crate::broker) fn over() -> WireError {
    WireError::new(ErrorCode::Denied, "this exposed socket is closed").hint("where the agent runs: ghapp agent expose")
}

/// The configuration has changed since: it now serves the repository by no App, by another one, or with less.
pub(in crate::broker) fn denied_since(name: &FullName) -> WireError {
    WireError::new(ErrorCode::Denied, format!("the agent's rules do not give {name} out over this socket any more"))
        .hint(format!("where the agent runs: ghapp which {name}"))
}

/// There is no such socket.
pub(in crate::broker) fn unknown(which: &str) -> WireError {
    WireError::new(ErrorCode::BadRequest, format!("no socket {which} is exposed")).hint("run: ghapp agent exposed")
}

/// A time that is too long, or none.
pub(in crate::broker) fn ttl(longest: Duration) -> WireError {
    let days = longest.as_secs() / (24 * 3600);
    WireError::new(ErrorCode::Usage, format!("a socket is exposed for some time, and for {days} days at most"))
        .hint(format!("use --ttl {}h or less", days * 24))
}

/// Too many repositories, or none.
pub(in crate::broker) fn how_many(most: usize) -> WireError {
    WireError::new(ErrorCode::Usage, format!("an exposed socket is for 1 to {most} repositories"))
        .hint("name them: ghapp agent expose --repo OWNER/REPO")
}

/// One socket has one rule, and the configuration has two.
pub(in crate::broker) fn served_differently(owner: &Owner, one: &RepositoryName, other: &RepositoryName) -> WireError {
    let cause = format!("{owner}/{one} and {owner}/{other} are served by different Apps or with different permissions");
    WireError::new(ErrorCode::Denied, cause).hint("name what both have with --permissions, or expose a socket for each")
}

fn to_next(error: WireError) -> WireError {
    WireError { git_next: Some(GitNext::NextHelper), ..error }
}
