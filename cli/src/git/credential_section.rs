//! What `setup-git` writes, and what it leaves alone: rules about the values of a key, without git.
//!
//! git collects the `helper` values of every section that matches a URL, in the order of the files; an empty value forgets
//! those before it (gitcredentials(7)). So an empty value and our name, behind all existing values, make git ask our helper
//! alone, and removing exactly these two restores the file.

use std::path::PathBuf;

use ghapp_protocol::remote::{Host, Owner};

/// The helper's name as git looks for it: git runs `git-credential-NAME`.
pub(crate) const BARE_HELPER: &str = "ghapp";
/// The helper's program.
pub(crate) const HELPER_PROGRAM: &str = if cfg!(windows) { "git-credential-ghapp.exe" } else { "git-credential-ghapp" };

/// The subsection of `credential` for a host, or for one owner on it. git compares it with regard to case.
pub(crate) fn url(host: &Host, owner: Option<&Owner>) -> String {
    match owner {
        None => format!("https://{host}"),
        Some(owner) => format!("https://{host}/{owner}"),
    }
}

/// The owner that a subsection names, if it is one on that host.
pub(crate) fn owner_of(url: &str, host: &Host) -> Option<Owner> {
    let owner = url.strip_prefix("https://")?.strip_prefix(host.as_str())?.strip_prefix('/')?;
    Owner::parse(owner).ok()
}

/// Whether a subsection names the host or an owner on it.
pub(crate) fn is_about(url: &str, host: &Host) -> bool {
    let rest = url.strip_prefix("https://").and_then(|rest| rest.strip_prefix(host.as_str()));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The value that makes git run a program by its path: the path as it is, or quoted for the shell that git runs it with.
pub(crate) fn absolute_helper(program: &str) -> String {
    // git's own shell on Windows drops backslashes, and takes slashes as well.
    let program = if cfg!(windows) { program.replace('\\', "/") } else { program.to_owned() };
    match ghapp_protocol::pasted::shell_word(&program) {
        quoted if quoted == program => program,
        // Only a value that begins with "!" is given to the shell whatever its first character is.
        quoted => format!("!{quoted}"),
    }
}

/// Whether a value of `helper` is one that we write.
pub(crate) fn is_ours(value: &str) -> bool {
    value == BARE_HELPER || program(value).is_some()
}

/// The path of our program in a value of `helper` that names it so.
pub(crate) fn program(value: &str) -> Option<PathBuf> {
    let path = match value.strip_prefix('!') {
        None => value.to_owned(),
        Some(quoted) => {
            let inner = quoted.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            inner.unwrap_or(quoted).replace(r"'\''", "'")
        }
    };
    let path = PathBuf::from(path);
    (path.is_absolute() && path.file_name().is_some_and(|name| name == HELPER_PROGRAM)).then_some(path)
}

/// The values of `helper` with ours at their end.
pub(crate) fn with_helper(values: &[String], helper: &str) -> Vec<String> {
    let mut values = without_helper(values);
    values.extend([String::new(), helper.to_owned()]);
    values
}

/// The values of `helper` without ours, and without the reset right before it.
pub(crate) fn without_helper(values: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = Vec::with_capacity(values.len());
    for value in values {
        if !is_ours(value) {
            kept.push(value.clone());
        } else if kept.last().is_some_and(String::is_empty) {
            kept.pop();
        }
    }
    kept
}

/// The values of `useHttpPath` with ours at their end; the last one counts.
pub(crate) fn with_path(values: &[String]) -> Vec<String> {
    let mut values = values.to_vec();
    if values.last().is_none_or(|last| last != "true") {
        values.push("true".to_owned());
    }
    values
}

/// The values of `useHttpPath` without ours. No record says which `true` is ours, so one is removed together with our helper.
pub(crate) fn without_path(values: &[String]) -> Vec<String> {
    let mut values = values.to_vec();
    if values.last().is_some_and(|last| last == "true") {
        values.pop();
    }
    values
}

/// A value as it is written in a configuration file (git-config(1), "Syntax").
pub(crate) fn in_a_file(value: &str) -> String {
    let plain = |char: char| char.is_ascii_graphic() && !"\"\\#;".contains(char);
    if value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("\"{}\"", value.replace('\\', r"\\").replace('"', "\\\""))
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::{Host, Owner};

    use super::*;

    fn values(values: &[&str]) -> Vec<String> {
        values.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_stood_there_stands_before_the_reset_and_comes_back() {
        for before in [&[][..], &["store"], &["", "manager"], &["cache", "", "store"], &[""]] {
            let before = values(before);
            let after = with_helper(&before, "ghapp");
            assert_eq!(after[..before.len()], before[..]);
            assert_eq!(after[before.len()..], ["", "ghapp"]);
            assert_eq!(with_helper(&after, "ghapp"), after, "twice is once");
            assert_eq!(without_helper(&after), before);
        }
    }

    #[test]
    fn another_form_of_us_is_replaced() {
        let absolute = absolute_helper("/opt/my tools/git-credential-ghapp");
        assert_eq!(absolute, "!'/opt/my tools/git-credential-ghapp'");
        let before = values(&["store", "", "ghapp"]);
        let after = with_helper(&before, &absolute);
        assert_eq!(after, ["store", "", absolute.as_str()]);
        assert_eq!(without_helper(&after), ["store"]);
    }

    #[test]
    fn only_our_own_forms_are_ours() {
        for ours in ["ghapp", "/usr/bin/git-credential-ghapp", "!'/it'\\''s/git-credential-ghapp'"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in ["", "store", "ghapp --owner=acme", "git-credential-ghapp", "!ghapp", "/usr/bin/ghapp"] {
            assert!(!is_ours(other), "{other}");
        }
    }

    #[test]
    fn the_path_switch_is_written_once_and_taken_back() {
        assert_eq!(with_path(&[]), ["true"]);
        assert_eq!(with_path(&values(&["true"])), ["true"]);
        let before = values(&["false"]);
        let after = with_path(&before);
        assert_eq!(after, ["false", "true"]);
        assert_eq!(without_path(&after), before);
        assert_eq!(without_path(&before), before);
    }

    #[test]
    fn sections_are_told_apart_by_whole_segments() {
        let host = Host::parse("github.com").unwrap();
        assert_eq!(url(&host, None), "https://github.com");
        assert_eq!(url(&host, Some(&Owner::parse("acme").unwrap())), "https://github.com/acme");
        assert!(is_about("https://github.com", &host));
        assert!(is_about("https://github.com/acme", &host));
        assert!(!is_about("https://github.com.evil.example", &host));
        assert!(!is_about("https://github.com:8443/acme", &host));
        assert!(!is_about("http://github.com", &host));
        assert_eq!(owner_of("https://github.com/acme", &host), Owner::parse("ACME").ok());
        assert_eq!(owner_of("https://github.com", &host), None);
        assert_eq!(owner_of("https://github.com/acme/web", &host), None);
    }

    #[test]
    fn values_are_quoted_as_git_reads_them() {
        assert_eq!(in_a_file("ghapp"), "ghapp");
        assert_eq!(in_a_file(""), "");
        assert_eq!(in_a_file("!'/a b'"), "\"!'/a b'\"");
        assert_eq!(in_a_file(r#"a"\b"#), r#""a\"\\b""#);
    }
}
