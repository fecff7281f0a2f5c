//! The report that people attach when they ask for help: what the checks found, without anything secret.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use ghapp_agent::clock::{Clock, SystemClock};
use ghapp_protocol::BUILD_VERSION;
use ghapp_protocol::secret::MARKS;

use super::order::Finding;
use crate::failure::CliError;
use crate::terminal::json::Time;
use crate::terminal::output::printable;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// Writes the report so that only this user can read it; whether to publish it is for the user to decide.
pub(super) fn write(path: &Path, findings: &[Finding]) -> Result<(), CliError> {
    let home = std::env::home_dir().map(|home| home.display().to_string()).unwrap_or_default();
    let text = redact(&text(findings), &home);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    file.map_err(|error| CliError::file("write", path, error))
}

fn text(findings: &[Finding]) -> String {
    let now = Time(SystemClock.now().wall);
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    let mut lines = vec![format!("ghapp doctor {BUILD_VERSION} on {system} {machine} at {now}"), String::new()];
    for Finding { id, app, outcome, .. } in findings {
        let app = app.as_ref().map(|app| format!(" [{app}]")).unwrap_or_default();
        let code = outcome.code.map(|code| format!(" {}", code.id())).unwrap_or_default();
        lines.push(format!("{:<4}  {id}{app}{code}: {}", outcome.state.as_str(), printable(&outcome.detail)));
        lines.extend(outcome.fix.as_ref().map(|fix| format!("      fix: {}", printable(&fix.text()))));
    }
    lines.push(String::new()); // ends the last line
    lines.join("\n")
}

/// A second fence: no finding is made of anything secret. Also shortens the home directory, whose name is that of a person.
fn redact(text: &str, home: &str) -> String {
    let text = if home.len() > 1 { text.replace(home, "~") } else { text.to_owned() };
    text.split_inclusive('\n').map(redact_line).collect()
}

fn redact_line(line: &str) -> String {
    if line.contains("-----BEGIN ") {
        return format!("{HIDDEN}\n");
    }
    let mut rest = line;
    let mut clean = String::new();
    while let Some(begin) = secret_in(rest) {
        clean.push_str(&rest[..begin]);
        clean.push_str(HIDDEN);
        rest = rest[begin..].trim_start_matches(is_token_char);
    }
    clean.push_str(rest);
    without_passwords(&clean)
}

/// Where a token or a JWT begins.
fn secret_in(text: &str) -> Option<usize> {
    MARKS.iter().chain(&["eyJ"]).filter_map(|mark| text.find(mark)).min()
}

fn is_token_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || "_-.+/=".contains(char)
}

/// Hides what stands between `://` and `@`.
fn without_passwords(text: &str) -> String {
    let mut parts = text.split("://");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        clean.push_str("://");
        let end = part.find(['/', ' ', '\'', '"', '\n']).unwrap_or(part.len());
        match part[..end].rfind('@') {
            Some(at) => {
                clean.push_str(HIDDEN);
                clean.push_str(&part[at..]);
            }
            None => clean.push_str(part),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn whatever_looks_like_a_secret_is_hidden() {
        for (before, after) in [
            ("token ghs_abc.DEF-1_2/3= rest", "token *** rest"),
            ("two ghp_a and github_pat_b", "two *** and ***"),
            ("jwt eyJhbGciOi.J9.x!", "jwt ***!"),
            ("at https://me:pass@host/x and https://host/x@y", "at https://***@host/x and https://host/x@y"),
            ("-----BEGIN RSA PRIVATE KEY-----\n", "***\n"),
            ("in /home/mona/.gitconfig", "in ~/.gitconfig"),
        ] {
            assert_eq!(redact(before, "/home/mona"), after);
        }
        assert_eq!(redact("/etc/x", "/"), "/etc/x");
    }
}
