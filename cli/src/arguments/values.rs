//! Values of flags that more than one command takes: names, permissions, and spans of time.

use std::collections::BTreeMap;
use std::time::Duration;

use ghapp_agent::model::{AppName, Permissions};
use ghapp_protocol::remote::{Host, Owner};

use crate::failure::CliError;

/// Reads `contents=read,issues=write`.
pub(crate) fn permissions(text: &str) -> Result<BTreeMap<String, String>, CliError> {
    let mut pairs = Vec::new();
    for part in text.split(',') {
        let (name, level) = part.trim().split_once('=').ok_or_else(|| {
            CliError::usage("--permissions takes NAME=LEVEL pairs").hint("use --permissions contents=read,issues=write")
        })?;
        if pairs.iter().any(|(known, _)| *known == name) {
            return Err(CliError::usage("--permissions names a permission twice"));
        }
        pairs.push((name, level));
    }
    let permissions = Permissions::parse(pairs);
    let permissions = permissions.map_err(|error| CliError::usage(format!("--permissions: {error}")))?;
    Ok(permissions.to_map())
}

/// Reads a time such as `10m` or `90s`.
pub(crate) fn seconds(flag: &str, text: &str) -> Result<u64, CliError> {
    let duration = text.parse::<jiff::SignedDuration>().ok();
    let duration = duration.and_then(|duration| Duration::try_from(duration).ok());
    duration
        .map(|duration| duration.as_secs())
        .ok_or_else(|| CliError::usage(format!("{flag} takes a time such as 10m or 90s")))
}

/// Reads the name of a host.
pub(crate) fn host(text: &str) -> Result<Host, String> {
    Host::parse(text).map_err(|error| error.to_string())
}

/// Reads the name of an owner.
pub(crate) fn owner(text: &str) -> Result<Owner, String> {
    Owner::parse(text).map_err(|error| error.to_string())
}

/// Reads the nickname of an App.
pub(crate) fn app_name(text: &str) -> Result<AppName, String> {
    AppName::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{permissions, seconds};

    #[test]
    fn permissions_are_pairs_with_githubs_levels() {
        let parsed = permissions("contents=read, pull_requests=write").unwrap();
        let pairs: Vec<_> = parsed.iter().map(|(name, level)| (name.as_str(), level.as_str())).collect();
        assert_eq!(pairs, [("contents", "read"), ("pull_requests", "write")]);
        for wrong in ["", "contents", "contents:read", "contents=rw", "a=read,a=write", "pull-requests=read"] {
            assert_eq!(permissions(wrong).unwrap_err().code.exit(), 2, "{wrong}");
        }
    }

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(seconds("--ttl", "10m").unwrap(), 600);
        assert_eq!(seconds("--ttl", "1h 30m").unwrap(), 5400);
        for wrong in ["", "10", "-5m", "soon"] {
            assert!(seconds("--ttl", wrong).is_err(), "{wrong}");
        }
    }
}
