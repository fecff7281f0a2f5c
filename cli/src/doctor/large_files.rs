//! Checks of git-lfs, where the repository at hand uses it.

use std::path::Path;

use ghapp_agent::files::regular_file;

use super::facts::Facts;
use super::fix::Fix;
use super::outcome::Outcome;
use crate::git::git_config;
use crate::git::helper_chain::Remote;

/// Largest file of attributes that is read. Those of the largest repositories have a few kilobytes.
const MAX_ATTRIBUTES: u64 = 1024 * 1024;

/// Is git-lfs set up, and does it load from where git asks us?
pub(super) fn wiring(facts: &mut Facts<'_>) -> Outcome {
    let Some(subject) = facts.subject.as_ref().filter(|subject| subject.is_origin) else {
        return Outcome::skip("this directory is not the repository");
    };
    let Ok(top) = git_config::line(&["rev-parse", "--show-toplevel"]) else {
        return Outcome::skip("there is no working tree");
    };
    let attributes = regular_file::read(&Path::new(&top).join(".gitattributes"), MAX_ATTRIBUTES).unwrap_or_default();
    if !String::from_utf8_lossy(&attributes).contains("filter=lfs") {
        return Outcome::skip("the repository has no large files");
    }
    if git_config::line(&["lfs", "version"]).is_err() {
        let fix = Fix::Advice("install git-lfs: https://git-lfs.com".to_owned());
        return Outcome::warn("the repository has large files and git-lfs is not installed", fix);
    }
    if git_config::line(&["config", "--get", "filter.lfs.process"]).is_err() {
        return Outcome::warn("git-lfs is installed and git does not run it", Fix::safe(&["git", "lfs", "install"]));
    }
    let elsewhere = |url: String| {
        let other =
            url.starts_with("http://") || Remote::of(&url).is_some_and(|it| !it.is_on_host_of(&subject.remote()));
        other.then_some(())
    };
    let file = Path::new(&top).join(".lfsconfig");
    let places: [&[&str]; 2] =
        [&["config", "--get", "lfs.url"], &["config", "--file", &file.to_string_lossy(), "--get", "lfs.url"]];
    if places.iter().filter_map(|words| git_config::line(words).ok()).find_map(elsewhere).is_some() {
        let fix = Fix::command(&["git", "lfs", "env"]);
        return Outcome::warn("large files are on another server (lfs.url), which the App knows nothing of", fix);
    }
    Outcome::ok("git runs git-lfs, which asks the same helper")
}
