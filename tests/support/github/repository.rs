//! Repositories on disk: bare, with one commit, and with GitHub's own check of pushed workflow files.

use std::path::Path;
use std::process::Command;

use crate::process::{self, Output};

/// One commit on `main`, in the format of git-fast-import(1).
const FIRST_COMMIT: &str = "\
commit refs/heads/main
committer A Developer <developer@example.com> 1700000000 +0000
data 14
Initial commit
M 100644 inline README.md
data 8
# Hello

";

/// The variable that tells [`UPDATE_HOOK`] whether the pushing token has `workflows: write`.
pub(super) const MAY_CHANGE_WORKFLOWS: &str = "SIMULATOR_MAY_CHANGE_WORKFLOWS";

/// GitHub: "refusing to allow a GitHub App to create or update workflow ... without `workflows` permission", even if
/// the App may write contents. `--not --all` leaves the commits that this push brings.
const UPDATE_HOOK: &str = r#"#!/bin/sh
test -n "$SIMULATOR_MAY_CHANGE_WORKFLOWS" && exit 0
case $3 in *[!0]*) ;; *) exit 0 ;; esac
workflow=$(git log --format= --name-only "$3" --not --all | grep '^\.github/workflows/' | head -n 1)
test -z "$workflow" && exit 0
echo "refusing to allow a GitHub App to create or update workflow \`$workflow\` without \`workflows\` permission" >&2
exit 1
"#;

/// Makes a bare repository.
pub(super) fn create(directory: &Path) {
    std::fs::create_dir_all(directory).expect("the simulator's directory is writable");
    git(directory, &["init", "--quiet", "--bare", "--initial-branch=main"], "").ok();
    git(directory, &["config", "http.receivepack", "true"], "").ok();
    // Partial clones, which ask again for every object that turns out to be needed.
    git(directory, &["config", "uploadpack.allowFilter", "true"], "").ok();
    git(directory, &["config", "uploadpack.allowAnySHA1InWant", "true"], "").ok();
    git(directory, &["fast-import", "--quiet"], FIRST_COMMIT).ok();
    write_hook(&directory.join("hooks/update")).expect("the simulator's directory is writable");
}

/// Returns the commit of a branch.
pub(super) fn head(directory: &Path, branch: &str) -> Option<String> {
    let reference = format!("refs/heads/{branch}");
    let output = git(directory, &["rev-parse", "--quiet", "--verify", &reference], "");
    output.status.success().then(|| output.stdout().trim().to_owned())
}

/// Runs git with none of the machine's configuration.
fn git(directory: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new("git");
    command
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", directory)
        .env("GIT_CONFIG_NOSYSTEM", "1");
    process::run(&mut command, input.as_bytes())
}

fn write_hook(path: &Path) -> std::io::Result<()> {
    if let Some(hooks) = path.parent() {
        std::fs::create_dir_all(hooks)?;
    }
    std::fs::write(path, UPDATE_HOOK)?;
    make_executable(path)
}

#[cfg(unix)]
fn make_executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

/// Git for Windows runs hooks by their first line.
#[cfg(not(unix))]
fn make_executable(_path: &Path) -> std::io::Result<()> {
    Ok(())
}
