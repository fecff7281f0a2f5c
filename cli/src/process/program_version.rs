//! The version that a program prints.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::bounded::{self, Trouble};

/// How long a program may take to print its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);
/// A directory that is in no repository.
const ROOT: &str = if cfg!(windows) { r"C:\" } else { "/" };
/// A configuration file without anything in it.
const NO_FILE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// The last word that a program prints as its version, up to a bracket: `git version 2.39.5 (Apple Git-154)`.
pub(crate) fn version_of(program: &Path) -> Result<String, Trouble> {
    let mut command = Command::new(program);
    // git reads its configuration even for this, and a mistake in it would be all that git prints.
    command.arg("--version").current_dir(ROOT).env("GIT_CONFIG_GLOBAL", NO_FILE).env("GIT_CONFIG_NOSYSTEM", "1");
    let answer = bounded::run(&mut command, b"", VERSION_TIMEOUT)?;
    let text = String::from_utf8_lossy(&answer.stdout);
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" (").next().unwrap_or_default();
    Ok(line.rsplit(' ').next().unwrap_or_default().to_owned())
}

/// The first two numbers of a version.
pub(crate) fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(|char: char| !char.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn versions_are_compared_by_their_first_numbers() {
        assert_eq!(numbers("2.39.5"), Some((2, 39)));
        assert_eq!(numbers("2.47.0.windows.1"), Some((2, 47)));
        assert_eq!(numbers("2.50-rc1"), Some((2, 50)));
        assert_eq!(numbers("next"), None);
    }
}
