//! Checks of git's chain of helpers: does git ask ours, first, with the path, and which other helpers see the token?

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::remote::Host;

use super::facts::{Facts, Place, git_file_option};
use super::fix::Fix;
use super::outcome::Outcome;
use super::programs::{is_asked, place_of};
use crate::git::helper_chain::{Chain, Entry, Helper, Remote};
use crate::git::{credential_section, git_config};

/// Helpers of git and of its distributors that keep what git tells them; `cache` in memory, the others for good.
const KEEPERS: &[&str] =
    &["store", "osxkeychain", "libsecret", "gnome-keyring", "wincred", "manager", "manager-core", "cache"];
/// Where git says that variables or options come from.
const COMMAND_LINE: &str = "command line:";

/// Can git read its configuration?
pub(super) fn readable(facts: &mut Facts<'_>) -> Outcome {
    match git_config::credential_entries() {
        Ok(entries) => {
            facts.entries = entries;
            Outcome::ok("readable")
        }
        Err(error) => Outcome::from(error).with_fix(Fix::Advice("git config --global --edit".to_owned())),
    }
}

/// Does git ask us?
pub(super) fn asked(facts: &mut Facts<'_>) -> Outcome {
    let wanted = match &facts.subject {
        Some(subject) => {
            let owner = subject.target.full_name.owner.clone();
            vec![Place { host: subject.host.clone(), owner: Some(owner), remote: subject.remote() }]
        }
        None => facts.hosts().into_iter().filter_map(any_place).collect(),
    };
    let mut found = Vec::new();
    for place in wanted {
        let sections = sections_of(facts, &place);
        if sections.is_empty() {
            return not_asked(facts, &place);
        }
        found.extend(sections);
    }
    let shown: Vec<_> = found.iter().map(|(section, _, file)| format!("{section} ({file})")).collect();
    facts.places = found.into_iter().map(|(_, place, _)| place).collect();
    Outcome::ok(format!("about {}", shown.join(", ")))
}

/// The sections that make git ask us about a place: the one that matches a repository, or all of a host.
fn sections_of(facts: &Facts<'_>, wanted: &Place) -> Vec<(String, Place, String)> {
    let exact = facts.subject.is_some();
    if exact && !is_asked(&facts.chain(wanted)) {
        return Vec::new();
    }
    let mut found: Vec<(String, Place, String)> = Vec::new();
    let ours = |entry: &&Entry| entry.helper().is_some_and(|helper| helper.is_ours());
    for entry in facts.entries.iter().filter(ours) {
        let section = entry.section.as_deref();
        let about = match section {
            Some(section) if exact => wanted.remote.is_in(section),
            Some(section) => credential_section::is_about(section, &wanted.host),
            None => true,
        };
        let shown = section.unwrap_or("every URL");
        if !about || found.iter().any(|(known, ..)| known == shown) {
            continue;
        }
        let Some(named) = section.and_then(place_of).or_else(|| any_place(wanted.host.clone())) else { continue };
        let place = if exact {
            let remote = facts.subject.as_ref().map_or(named.remote, super::subject::Subject::remote);
            Place { remote, ..named }
        } else {
            named
        };
        found.push((shown.to_owned(), place, entry.file.clone()));
    }
    found
}

fn any_place(host: Host) -> Option<Place> {
    let remote = Remote::of(&credential_section::url(&host, None))?;
    Some(Place { host, owner: None, remote })
}

fn not_asked(facts: &Facts<'_>, place: &Place) -> Outcome {
    let place_shown = credential_section::url(&place.host, place.owner.as_ref());
    let fix = Fix::Safe(vec![facts.setup_git(place, None, &[])]);
    let lower: Vec<Entry> = facts
        .entries
        .iter()
        .map(|entry| Entry { section: entry.section.as_ref().map(|it| it.to_ascii_lowercase()), ..entry.clone() })
        .collect();
    let cause = if is_asked(&Chain::of(&place.remote.in_lower_case(), &lower)) {
        format!("git asks ghapp about {place_shown} only when it is written in other letters: it looks at capitals")
    } else {
        let others: Vec<_> = facts.chain(place).helpers.iter().map(|it| it.shown().to_owned()).collect();
        let asked = if others.is_empty() { "a person".to_owned() } else { others.join(", ") };
        format!("git does not ask ghapp about {place_shown}, but {asked}")
    };
    Outcome::fail(ErrorCode::Git, cause, fix)
}

/// Does git ask our helper before all others?
pub(super) fn first(facts: &mut Facts<'_>) -> Outcome {
    for place in &facts.places {
        let chain = facts.chain(place);
        let Some(([first, rest @ ..], ours)) = chain.up_to_ours() else { continue };
        let names = std::iter::once(first).chain(rest).map(|it| format!("{} ({})", it.shown(), it.file));
        let names = names.collect::<Vec<_>>().join(", ");
        let detail = format!("git asks {names} first, and ghapp only if there is no answer");
        return Outcome::warn(detail, facts.rewire(place, &ours.file));
    }
    Outcome::ok("ghapp is asked before every other helper")
}

/// Does git say which repository it means?
pub(super) fn path(facts: &mut Facts<'_>) -> Outcome {
    for place in &facts.places {
        let chain = facts.chain(place);
        let Some((_, ours)) = chain.up_to_ours() else { continue };
        if chain.tells_path || ours.names_owner() {
            continue;
        }
        let says_no = |entry: &&Entry| {
            entry.key == "usehttppath" && entry.section.as_deref().is_none_or(|section| place.remote.is_in(section))
        };
        // git believes the last entry, so that is the one to change.
        let (section, file) = match facts.entries.iter().rev().find(says_no) {
            Some(entry) => (entry.section.clone(), entry.file.clone()),
            None => (Some(credential_section::url(&place.host, place.owner.as_ref())), ours.file.clone()),
        };
        let section = section.map(|section| format!("{section}.")).unwrap_or_default();
        let mut command: Vec<String> = ["git", "config"].map(str::to_owned).into();
        command.extend(git_file_option(&file));
        command.extend([format!("credential.{section}useHttpPath"), "true".to_owned()]);
        let detail = format!("git does not say which repository of {} it means: useHttpPath is not set", place.host);
        return Outcome::fail(ErrorCode::PathMissing, detail, Fix::Safe(vec![command]));
    }
    Outcome::ok("git says which repository it means")
}

/// Does git give the token to a helper that keeps it?
pub(super) fn keepers(facts: &mut Facts<'_>) -> Outcome {
    for place in &facts.places {
        let chain = facts.chain(place);
        let Some((before, _)) = chain.up_to_ours() else { continue };
        let keeps = |helper: &&Helper| keeps(&helper.command);
        let behind = chain.helpers.iter().skip(before.len() + 1);
        let Some(keeper) = behind.rev().find(keeps) else { continue };
        let detail = format!("git gives the token to {} as well, which keeps it ({})", keeper.shown(), keeper.file);
        let fix = if keeper.file == COMMAND_LINE {
            Fix::Advice("unset GIT_CONFIG_COUNT GIT_CONFIG_PARAMETERS".to_owned())
        } else {
            facts.rewire(place, &keeper.file)
        };
        return Outcome::warn(detail, fix);
    }
    Outcome::ok("no other helper gets the token")
}

/// Whether a helper keeps what git tells it, by its name: bare, with options, or the program's path.
fn keeps(command: &str) -> bool {
    let first = command.trim_start_matches('!').split_ascii_whitespace().next().unwrap_or_default();
    let name = first.rsplit('/').next().unwrap_or_default().trim_end_matches(".exe");
    KEEPERS.contains(&name.strip_prefix("git-credential-").unwrap_or(name))
}

#[cfg(test)]
mod tests {
    use super::keeps;

    #[test]
    fn helpers_that_keep_passwords_are_known_by_any_name() {
        for keeper in ["store --file x", "osxkeychain", "/usr/lib/git-core/git-credential-libsecret", "cache"] {
            assert!(keeps(keeper), "{keeper}");
        }
        for other in ["ghapp", "!gh auth git-credential", "!f() { cat store; }; f", "storage"] {
            assert!(!keeps(other), "{other}");
        }
    }
}
