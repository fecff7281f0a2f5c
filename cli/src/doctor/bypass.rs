//! Checks for what keeps git from asking any helper, or other programs from using the App.

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::remote::Host;

use super::facts::{Facts, git_file_option};
use super::fix::Fix;
use super::outcome::Outcome;
use super::subject::Subject;
use crate::failure::CliError;
use crate::git::git_config;
use crate::git::helper_chain::{Entry, Remote};

/// Variables with a token that programs prefer to one of the App's.
const TOKEN_VARIABLES: &[&str] = &["GH_TOKEN", "GITHUB_TOKEN"];
/// Variables with the program that git asks when no helper has an answer.
const ASKPASS: &str = "GIT_ASKPASS";
/// A part of the name of VS Code's own program. It does no harm, and every terminal of VS Code names it.
const ASKPASS_OF_VSCODE: &str = "VSCODE_GIT_ASKPASS_MAIN";
/// Why nothing was checked.
const NO_REPOSITORY: &str = "no repository was named, and this directory is none of an App's";

/// Is the remote's address one that git asks helpers about?
pub(super) fn address(facts: &mut Facts<'_>) -> Outcome {
    let Some(subject) = &facts.subject else { return Outcome::skip(NO_REPOSITORY) };
    let url = subject.target.url().unwrap_or_default();
    let set_url = || {
        if subject.is_origin {
            Fix::command(&["git", "remote", "set-url", "origin", &url])
        } else {
            Fix::command(&["ghapp", "doctor", &url])
        }
    };
    let fail = |detail: String, fix| Outcome::fail(ErrorCode::Git, detail, fix);
    if let Some(CliError { message, .. }) = &subject.trouble {
        return match rewriter(subject) {
            Some(entry) => fail(
                format!("{message}: {} makes it so ({})", key_of(&entry), entry.file),
                Fix::Commands(vec![unset(&entry, &exactly(&entry.value))]),
            ),
            None => fail(message.clone(), set_url()),
        };
    }
    let remote = subject.remote();
    if holds_password(&subject.used) {
        return fail("the URL holds a password, so git asks no helper".to_owned(), set_url());
    }
    if remote.names_another_user() {
        return fail("the URL names a user, so ghapp leaves the remote to others".to_owned(), set_url());
    }
    if subject.is_origin
        && let Some(outcome) = pushes(subject)
    {
        return outcome;
    }
    Outcome::ok(url)
}

/// What is wrong with the address that is pushed to, if it is another one.
fn pushes(subject: &Subject) -> Option<Outcome> {
    let push = git_config::line(&["remote", "get-url", "--push", "origin"]).ok()?;
    if push == subject.used || Remote::of(&push).is_some_and(|remote| !remote.names_another_user()) {
        return None;
    }
    let own = git_config::line(&["config", "--get", "remote.origin.pushurl"]).is_ok();
    let fix = if own {
        Fix::command(&["git", "config", "--unset-all", "remote.origin.pushurl"])
    } else {
        Fix::Advice("git config --show-origin --get-regexp 'url[.].*[.]pushinsteadof'".to_owned())
    };
    Some(Outcome::warn("git pushes to another address, about which it does not ask ghapp", fix))
}

/// The setting that turns the configured URL into the one that git uses.
fn rewriter(subject: &Subject) -> Option<Entry> {
    if subject.written == subject.used {
        return None;
    }
    let entries = git_config::entries("url", r"^url\..*\.insteadof$").ok()?;
    let makes = |entry: &Entry| {
        let rest = subject.written.strip_prefix(&entry.value)?;
        (subject.used == format!("{}{rest}", entry.section.as_deref()?)).then_some(())
    };
    entries.into_iter().find(|entry| makes(entry).is_some()).map(|entry| Entry { key: "insteadOf".to_owned(), ..entry })
}

/// Whether a URL has a password in front of its host.
fn holds_password(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, password)| !password.is_empty()))
}

/// Does git send a header of its own, so that no server asks it for a password?
pub(super) fn headers(facts: &mut Facts<'_>) -> Outcome {
    let entries = match git_config::entries("http", r"^http\.(.*\.)?extraheader$") {
        Ok(entries) => entries,
        Err(error) => return error.into(),
    };
    let hosts = facts.hosts();
    let remotes: Vec<Remote> = match &facts.subject {
        Some(subject) => vec![subject.remote()],
        None => hosts.iter().filter_map(of_host).collect(),
    };
    let about = |entry: &&Entry| match entry.section.as_deref() {
        None => true,
        Some(section) => remotes.iter().any(|remote| remote.is_in(section)),
    };
    let authorizes = |entry: &&Entry| entry.value.trim_start().to_ascii_lowercase().starts_with("authorization:");
    let Some(entry) = entries.iter().find(|entry| about(entry) && authorizes(entry)) else {
        return Outcome::ok("git adds no Authorization header of its own");
    };
    let entry = Entry { key: "extraHeader".to_owned(), ..entry.clone() };
    let detail = format!("{} adds an Authorization header, so git asks no helper ({})", key_of(&entry), entry.file);
    // The header is a secret and never shown; its name is enough to find it.
    let command = unset(&entry, "^[Aa][Uu][Tt][Hh][Oo][Rr][Ii][Zz][Aa][Tt][Ii][Oo][Nn]:");
    Outcome::fail(ErrorCode::Git, detail, Fix::Commands(vec![command]))
}

fn of_host(host: &Host) -> Option<Remote> {
    Remote::of(&crate::git::credential_section::url(host, None))
}

/// The whole name of a setting.
fn key_of(entry: &Entry) -> String {
    let name = if entry.key == "insteadOf" { "url" } else { "http" };
    match &entry.section {
        Some(section) => format!("{name}.{section}.{}", entry.key),
        None => format!("{name}.{}", entry.key),
    }
}

/// Removes the matching values of a setting from its file.
fn unset(entry: &Entry, pattern: &str) -> Vec<String> {
    let mut command: Vec<String> = ["git", "config"].map(str::to_owned).into();
    command.extend(git_file_option(&entry.file));
    command.extend(["--unset-all".to_owned(), key_of(entry), pattern.to_owned()]);
    command
}

/// A pattern for exactly that value (git-config(1): POSIX extended regular expressions).
fn exactly(value: &str) -> String {
    let mut pattern = String::from("^");
    for char in value.chars() {
        if !char.is_ascii_alphanumeric() && !"/:@-_".contains(char) {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern.push('$');
    pattern
}

/// Do variables make programs use another token than the App's?
pub(super) fn environment(_: &mut Facts<'_>) -> Outcome {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let mut names: Vec<&str> = TOKEN_VARIABLES.iter().copied().filter(|name| set(name)).collect();
    let tokens = names.join(" and ");
    let asks = set(ASKPASS) && !set(ASKPASS_OF_VSCODE);
    if asks {
        names.push(ASKPASS);
    }
    let detail = match (tokens.is_empty(), asks) {
        (true, false) => return Outcome::ok("no variable leads programs past the App"),
        (false, false) => format!("{tokens}: gh and other programs use that and not the App"),
        (true, true) => format!("{ASKPASS}: it is asked about every remote that ghapp leaves to others"),
        (false, true) => format!("{tokens} and {ASKPASS}: programs may use these and not the App"),
    };
    Outcome::warn(detail, Fix::Advice(format!("unset {}", names.join(" "))))
}

#[cfg(test)]
mod tests {
    use super::{exactly, holds_password};

    #[test]
    fn passwords_in_urls_are_seen() {
        assert!(holds_password("https://x-access-token:ghs_canary@github.com/acme/web"));
        assert!(!holds_password("https://mona@github.com/acme/web"));
        assert!(!holds_password("https://github.com/acme/web:x@y"));
    }

    #[test]
    fn a_pattern_is_about_one_value_only() {
        assert_eq!(exactly("https://github.com/"), r"^https://github\.com/$");
        assert_eq!(exactly("a+b"), r"^a\+b$");
    }
}
