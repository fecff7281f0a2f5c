//! Small pieces of text that several commands show to people.

use std::collections::BTreeMap;

use ghapp_agent::model::StoreKind;
use ghapp_protocol::message::Status;
use ghapp_protocol::remote::RepositoryName;

/// A number and its noun.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Tokens that should have been revoked and are still alive.
pub(crate) fn left_alive(number: usize) -> String {
    format!("{} could not be revoked at GitHub and will expire within the hour", count(number, "lease"))
}

/// Where a key of an App was put, and how long it stays there. Which keyring that is, the agent's status may tell.
pub(crate) fn stored(app: &str, store: &str, status: Option<&Status>) -> String {
    let place = match StoreKind::parse(store) {
        Some(StoreKind::Memory) => "in the agent's memory, until the agent ends or is locked".to_owned(),
        Some(StoreKind::EncryptedFile) => "in an encrypted file, open until the agent ends or is locked".to_owned(),
        Some(StoreKind::Keyutils) => {
            "in the kernel's keyring, until the machine starts anew or nobody needs it for some days".to_owned()
        }
        Some(StoreKind::CredentialsDir) => "by the service manager; nothing was written".to_owned(),
        // Its own name is there if the first App is in it as well.
        Some(StoreKind::Keyring) | None => match status.map(|status| &status.store.kind) {
            Some(kind) if StoreKind::parse(kind).is_none() => format!("in the {store} ({kind})"),
            _ => format!("in the {store}"),
        },
    };
    format!("Stored     {app} {place}")
}

/// A key that does not sign, because another one signs instead.
pub(crate) fn refused_key(app: &str, fingerprint: &str) -> String {
    format!(
        "GitHub refuses the key {fingerprint} of {app}, and another one signs; if it was deleted there, run: \
         ghapp key remove {fingerprint} --app {app}"
    )
}

/// A key that is gone from its store, so that another one signs instead.
pub(crate) fn missing_key(app: &str, fingerprint: &str) -> String {
    format!(
        "the key {fingerprint} of {app} is not in its store, and another one signs; unless you add it again, run: \
         ghapp key remove {fingerprint} --app {app}"
    )
}

/// Permissions on one line: `contents:write metadata:read`.
pub(crate) fn permissions(permissions: &BTreeMap<String, String>) -> String {
    let pairs = permissions.iter().map(|(name, level)| format!("{name}:{level}"));
    let text = pairs.collect::<Vec<_>>().join(" ");
    if text.is_empty() { "-".to_owned() } else { text }
}

/// Most repositories of one token that are named in a table.
const MAX_NAMED: usize = 3;

/// What a token of that account reaches.
pub(crate) fn reach(account: &str, repositories: Option<&[RepositoryName]>) -> String {
    let Some(repositories) = repositories else {
        return format!("{account}/*");
    };
    let shown = repositories.iter().take(MAX_NAMED).map(|name| format!("{account}/{name}"));
    let mut text = shown.collect::<Vec<_>>().join(" ");
    if repositories.len() > MAX_NAMED {
        let rest = repositories.len() - MAX_NAMED;
        text.push_str(" and ");
        text.push_str(&rest.to_string());
        text.push_str(" more");
    }
    text
}

/// The time that is left, in its largest unit.
pub(crate) fn time_left(now: i64, then: i64) -> String {
    match then.saturating_sub(now) {
        left if left <= 0 => "expired".to_owned(),
        left @ 1..60 => format!("{left}s"),
        left => format!("{}m", left / 60),
    }
}

/// A fingerprint that fits into a table; both ends are kept, since people compare those.
pub(crate) fn short_fingerprint(fingerprint: &str) -> String {
    let Some((prefix, rest)) = fingerprint.split_once(':') else {
        return fingerprint.to_owned();
    };
    match (rest.get(..4), rest.len().checked_sub(4).and_then(|at| rest.get(at..))) {
        (Some(begin), Some(end)) if rest.len() > 9 => format!("{prefix}:{begin}…{end}"),
        _ => fingerprint.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::RepositoryName;

    use super::{count, reach, short_fingerprint, time_left};

    #[test]
    fn one_is_singular() {
        assert_eq!(count(1, "lease"), "1 lease");
        assert_eq!(count(0, "lease"), "0 leases");
    }

    #[test]
    fn a_long_list_of_repositories_is_cut() {
        let names = ["a", "b", "c", "d", "e"].map(|name| RepositoryName::parse(name).unwrap());
        assert_eq!(reach("acme", Some(&names)), "acme/a acme/b acme/c and 2 more");
        assert_eq!(reach("acme", None), "acme/*");
    }

    #[test]
    fn time_is_told_in_its_largest_unit() {
        assert_eq!(time_left(0, 2500), "41m");
        assert_eq!(time_left(0, 59), "59s");
        assert_eq!(time_left(i64::MAX, i64::MIN), "expired");
    }

    #[test]
    fn a_fingerprint_keeps_both_ends() {
        assert_eq!(short_fingerprint("SHA256:q2kZabcdefvN4="), "SHA256:q2kZ…vN4=");
        assert_eq!(short_fingerprint("odd"), "odd");
    }
}
