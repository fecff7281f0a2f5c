//! Checks of the programs: git, our helper, the agent beside us, and whether they are of one version.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use ghapp_protocol::BUILD_VERSION;
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::pasted::shell_word;
use ghapp_protocol::start::sibling;

use ghapp_protocol::remote::{Host, Owner};

use super::facts::{Facts, Place};
use super::fix::Fix;
use super::outcome::Outcome;
use crate::agent::control;
use crate::git::credential_section::HELPER_PROGRAM;
use crate::git::git_config;
use crate::git::helper_chain::{Chain, Entry, Helper, Remote};
use crate::process::bounded::Trouble;
use crate::process::program_version::{numbers, version_of};
use crate::process::search_path::{in_path, search_path};

/// The oldest git that the helper is made for: older ones leave out the host in some questions (CVE-2020-11008).
const OLDEST_GIT: (u32, u32) = (2, 17);
/// Since then git passes on to other helpers when a password expires.
const GIT_WITH_EXPIRY: (u32, u32) = (2, 40);
/// Where programs that no shell has started look for programs: what a login manager or launchd sets.
const DESKTOP_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Is git there, and not too old?
pub(super) fn git(_: &mut Facts<'_>) -> Outcome {
    let advice = || Fix::Advice("install git 2.17 or newer: https://git-scm.com/downloads".to_owned());
    let said = match version_of(Path::new("git")) {
        Ok(said) => said,
        Err(Trouble::NotFound) => return Outcome::fail(ErrorCode::Git, "git is not in PATH", advice()),
        Err(trouble) => return Outcome::fail(ErrorCode::Git, format!("git does not run: {trouble}"), advice()),
    };
    let Some(version) = numbers(&said) else {
        return Outcome::fail(ErrorCode::Git, "git does not say its version", advice());
    };
    if version < OLDEST_GIT {
        return Outcome::fail(ErrorCode::Git, format!("git {said} is too old"), advice());
    }
    let without = if version < GIT_WITH_EXPIRY { "; it tells no other helper when a token expires" } else { "" };
    Outcome::ok(format!("{said}{without}"))
}

/// Does git find our helper, by its name or by the path that its configuration has?
pub(super) fn helper(facts: &mut Facts<'_>) -> Outcome {
    // The check of git's configuration reports one that cannot be read.
    facts.entries = git_config::credential_entries().unwrap_or_default();
    let mut by_path = false;
    for ours in our_entries(facts) {
        match ours.program {
            Some(program) if !is_program(&program) => {
                let fix = Fix::Safe(vec![facts.setup_git(&ours.place, Some(&ours.file), path_option())]);
                let detail = format!("{} says to run {}, which is not there", ours.file, program.display());
                return Outcome::fail(ErrorCode::Git, detail, fix);
            }
            Some(_) => by_path = true,
            None => {}
        }
    }
    match find_helper() {
        Some(program) => Outcome::ok(program.display().to_string()),
        None if by_path && our_entries(facts).iter().all(|ours| ours.program.is_some()) => {
            Outcome::ok(format!("{HELPER_PROGRAM} is named by its path"))
        }
        None => Outcome::fail(
            ErrorCode::Git,
            format!("git does not find {HELPER_PROGRAM}: it is not in PATH"),
            named_by_path(facts).map_or_else(beside_us, Fix::Safe),
        ),
    }
}

/// Are helper, agent and this program of one version?
pub(super) fn versions(facts: &mut Facts<'_>) -> Outcome {
    let beside = sibling(control::PROGRAM).ok().filter(|program| program.is_file());
    let Some(agent_program) = beside else {
        let fix = Fix::Advice(format!("install {} beside ghapp", control::PROGRAM));
        return Outcome::fail(ErrorCode::AgentNotStarted, format!("{} is not beside ghapp", control::PROGRAM), fix);
    };
    let paths = our_entries(facts).into_iter().filter_map(|ours| ours.program);
    for program in paths.chain(find_helper()).chain([agent_program]) {
        let version = version_of(&program).unwrap_or_else(|trouble| format!("no version ({trouble})"));
        if version != BUILD_VERSION {
            let detail = format!("{} is {version}, and this ghapp is {BUILD_VERSION}", program.display());
            let fix = Fix::Advice("install git-credential-ghapp, ghapp-agent and ghapp of one version".to_owned());
            let is_helper = program.file_name() == Some(OsStr::new(HELPER_PROGRAM));
            // The helper beside us is of our version.
            let ours = if is_helper { named_by_path(facts) } else { None };
            return Outcome::warn(detail, ours.map_or(fix, Fix::Commands));
        }
    }
    Outcome::ok(format!("helper, agent and ghapp are {BUILD_VERSION}"))
}

/// Would programs that no shell has started find the helper?
pub(super) fn desktop(facts: &mut Facts<'_>) -> Outcome {
    let ours = our_entries(facts);
    if ours.is_empty() || cfg!(windows) {
        return Outcome::skip("git's configuration does not name the helper yet");
    }
    if ours.iter().all(|ours| ours.program.is_some()) {
        return Outcome::ok("git's configuration names the helper by its path");
    }
    if in_path(HELPER_PROGRAM, OsStr::new(DESKTOP_PATH))
        .or_else(|| exec_path().and_then(|path| in_path(HELPER_PROGRAM, &path)))
        .is_some()
    {
        return Outcome::ok(format!("{HELPER_PROGRAM} is in {DESKTOP_PATH}"));
    }
    let detail =
        format!("programs that no shell has started may not find {HELPER_PROGRAM}: it is not in {DESKTOP_PATH}");
    Outcome::warn(detail, named_by_path(facts).map_or_else(beside_us, Fix::Commands))
}

/// An entry of git's configuration that names us.
struct OurEntry {
    place: Place,
    /// `None` when the entry has the bare name.
    program: Option<PathBuf>,
    file: String,
}

/// Where git's configuration names us for a host or an owner.
fn our_entries(facts: &Facts<'_>) -> Vec<OurEntry> {
    let ours = |entry: &Entry| {
        let helper = entry.helper().filter(Helper::is_ours)?;
        Some(OurEntry { place: place_of(entry.section.as_deref()?)?, program: helper.program(), file: helper.file })
    };
    facts.entries.iter().filter_map(ours).collect()
}

/// Reads a section such as `https://github.com/acme`.
pub(super) fn place_of(section: &str) -> Option<Place> {
    let rest = section.strip_prefix("https://")?;
    let (host, owner) = match rest.trim_end_matches('/').split_once('/') {
        Some((host, owner)) => (host, Some(Owner::parse(owner).ok()?)),
        None => (rest, None),
    };
    Some(Place { host: Host::parse(host).ok()?, owner, remote: Remote::of(section)? })
}

/// How the configuration names the helper again when its path leads nowhere.
fn path_option() -> &'static [&'static str] {
    if find_helper().is_some() { &[] } else { &["--absolute"] }
}

/// Commands that make git's configuration name the helper beside us by its path, wherever it names us.
fn named_by_path(facts: &Facts<'_>) -> Option<Vec<Vec<String>>> {
    sibling(HELPER_PROGRAM).ok().filter(|program| is_program(program))?;
    let commands = our_entries(facts).into_iter();
    let commands: Vec<_> =
        commands.map(|ours| facts.setup_git(&ours.place, Some(&ours.file), &["--absolute"])).collect();
    (!commands.is_empty()).then_some(commands)
}

fn beside_us() -> Fix {
    let directory = sibling(HELPER_PROGRAM).ok().filter(|program| is_program(program));
    Fix::Advice(match directory.as_deref().and_then(Path::parent) {
        Some(directory) => format!("export PATH={}:$PATH", shell_word(&directory.display().to_string())),
        None => format!("install {HELPER_PROGRAM} beside ghapp"),
    })
}

/// The helper as git finds it: git's own directory comes before `PATH` (git(1), `--exec-path`).
fn find_helper() -> Option<PathBuf> {
    exec_path()
        .and_then(|path| in_path(HELPER_PROGRAM, &path))
        .or_else(|| in_path(HELPER_PROGRAM, &search_path()))
        .filter(|program| is_program(program))
}

fn exec_path() -> Option<OsString> {
    git_config::line(&["--exec-path"]).ok().map(OsString::from)
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// Whether git asks us about a place at all.
pub(super) fn is_asked(chain: &Chain) -> bool {
    chain.up_to_ours().is_some()
}

#[cfg(test)]
mod tests {
    use super::{OLDEST_GIT, place_of};

    #[test]
    fn the_second_number_of_a_version_is_not_a_fraction() {
        assert!((2, 9) < OLDEST_GIT);
    }

    #[test]
    fn a_section_names_a_host_and_perhaps_an_owner() {
        let owner = |section: &str| place_of(section).map(|place| place.owner.map(|owner| owner.to_string()));
        assert_eq!(owner("https://github.com"), Some(None));
        assert_eq!(owner("https://github.com/acme"), Some(Some("acme".to_owned())));
        assert_eq!(owner("https://github.com/acme/web.git"), None);
        assert_eq!(owner("http://github.com"), None);
    }
}
