//! The names of a process and its ancestors, and what git among them was told to do: hints, never proofs.
//!
//! It reads a few small files, so it is used when a token is minted, or when git did not name the repository, and not on the
//! usual way to a cached token.

use ghapp_protocol::remote::{FullName, Host, Remote};

use crate::model::Caller;

/// The program that asked and, where they can be seen, the programs that started it, nearest first.
pub(crate) fn describe(caller: &Caller) -> Option<String> {
    caller.pid.and_then(platform::ancestry)
}

/// Whether git certainly only fetches: the nearest git command above the asking process that says what it does is one that
/// only reads. Anything else, and any doubt, is "no".
pub(crate) fn is_fetch(caller: &Caller) -> bool {
    caller.pid.and_then(platform::git_command).is_some_and(|command| FETCHES.contains(&command.as_str()))
}

/// The repository that git talks to on behalf of the asking process: what the nearest `git-remote-https NAME URL` above it was
/// given, if that is a repository of GitHub's. git hands the URL to that program in every version (rule 45).
///
/// Any process of this user could make it up, and could as well ask for that repository by its name: it selects among what the
/// rules allow, and is never a permission.
pub(crate) fn remote(caller: &Caller) -> Option<Remote> {
    let url = platform::remote_url(caller.pid?, caller.uid?)?;
    // A token never travels over plain http, and nothing is decoded.
    let (authority, path) = url.strip_prefix("https://")?.split_once('/')?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(Remote { host: Host::parse(host).ok()?, full_name: FullName::parse(path).ok()? })
}

/// git commands that read from a remote and never write to one.
const FETCHES: &[&str] = &["clone", "fetch", "fetch-pack", "ls-remote"];

#[cfg(target_os = "linux")]
mod platform {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    /// git's programs for HTTP, which are one and the same under two names.
    const REMOTE_HELPERS: &[&str] = &["git-remote-http", "git-remote-https"];
    /// git commands between the helper and the one that a person or a program ran.
    const GO_BETWEENS: &[&str] =
        &["credential", "credential-ghapp", "remote-http", "remote-https", "index-pack", "submodule--helper"];
    /// Options of git itself that take the next argument as their value (git(1)).
    const WITH_VALUE: &[&str] = &["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env"];

    /// Beyond these are login shells and terminals, which say nothing.
    const MAX_ANCESTORS: usize = 6;
    /// A file name may have 255 bytes, too many to read.
    const MAX_NAME: usize = 40;

    /// The program and the programs that started it, nearest first: `git-credential-ghapp < git < git-remote-http < git`.
    pub(super) fn ancestry(mut pid: u32) -> Option<String> {
        let mut names: Vec<String> = Vec::new();
        while pid > 1 && names.len() < MAX_ANCESTORS {
            let Some((name, parent)) = look_up(pid) else { break };
            if names.last() != Some(&name) {
                names.push(name);
            }
            pid = parent;
        }
        (!names.is_empty()).then(|| names.join(" < "))
    }

    /// The git command that is the reason for a question: `fetch`, `push`, ...
    pub(super) fn git_command(mut pid: u32) -> Option<String> {
        for _ in 0..MAX_ANCESTORS * 2 {
            let (name, parent) = look_up(pid)?;
            if name == "git" {
                let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
                let command = subcommand(&line)?;
                if !GO_BETWEENS.contains(&command.as_str()) {
                    return Some(command);
                }
            }
            pid = parent;
            if pid <= 1 {
                return None;
            }
        }
        None
    }

    /// The URL that the nearest of git's programs for HTTP was given, if that is a process of this user.
    pub(super) fn remote_url(mut pid: u32, uid: u32) -> Option<String> {
        for _ in 0..MAX_ANCESTORS * 2 {
            let (name, parent) = look_up(pid)?;
            if REMOTE_HELPERS.contains(&name.as_str()) {
                // The directory has the owner of the process. Only the nearest one asks: one further up is about something else.
                let is_same_user = fs::metadata(format!("/proc/{pid}")).ok()?.uid() == uid;
                let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
                return url_argument(&line).filter(|_| is_same_user);
            }
            pid = parent;
            if pid <= 1 {
                return None;
            }
        }
        None
    }

    /// The third of exactly three arguments: `git-remote-https NAME URL` (gitremote-helpers(7)).
    fn url_argument(line: &[u8]) -> Option<String> {
        let line = std::str::from_utf8(line.strip_suffix(b"\0")?).ok()?;
        let mut arguments = line.split('\0');
        let program = arguments.next()?.rsplit('/').next()?;
        let (_name, url) = (arguments.next()?, arguments.next()?);
        (REMOTE_HELPERS.contains(&program) && arguments.next().is_none()).then(|| url.to_owned())
    }

    /// The command in git's argument list, which ends each argument with a NUL.
    fn subcommand(line: &[u8]) -> Option<String> {
        let mut arguments = line.split(|byte| *byte == 0).skip(1).map(String::from_utf8_lossy);
        while let Some(argument) = arguments.next() {
            if WITH_VALUE.contains(&argument.as_ref()) {
                arguments.next();
            } else if !argument.starts_with('-') {
                return (!argument.is_empty()).then(|| argument.into_owned());
            }
        }
        None
    }

    /// The program of a process, and its parent.
    fn look_up(pid: u32) -> Option<(String, u32)> {
        // "PID (NAME) STATE PPID ...": the name may have spaces and parentheses, so its end is the last one (proc(5)).
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (open, close) = (stat.find('(')?, stat.rfind(')')?);
        let parent = stat.get(close + 1..)?.split_whitespace().nth(1)?.parse().ok()?;
        // NAME has at most 15 characters. The whole one can be seen for processes of this user that can be looked into.
        let program = fs::read_link(format!("/proc/{pid}/exe")).ok();
        let program =
            program.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
        let name = program.or_else(|| stat.get(open + 1..close).map(str::to_owned))?;
        Some((name.chars().filter(char::is_ascii_graphic).take(MAX_NAME).collect(), parent))
    }

    #[cfg(test)]
    mod tests {
        use super::{ancestry, subcommand, url_argument};

        #[test]
        fn gits_command_stands_behind_its_options() {
            let command = |line: &str| subcommand(line.replace(' ', "\0").as_bytes());
            assert_eq!(command("git fetch --quiet").as_deref(), Some("fetch"));
            assert_eq!(command("git -C fetch -c a=b --no-pager push").as_deref(), Some("push"));
            assert_eq!(command("git --git-dir=/x clone").as_deref(), Some("clone"));
            assert_eq!(command("git"), None);
            assert_eq!(command("git -C"), None);
        }

        #[test]
        fn rule_45_only_gits_program_for_http_with_a_name_and_a_url_names_a_url() {
            let url = |line: &str| url_argument(line.replace(' ', "\0").as_bytes());
            assert_eq!(
                url("/usr/lib/git-core/git-remote-https origin https://h/a/b ").as_deref(),
                Some("https://h/a/b")
            );
            assert_eq!(url("git-remote-http x y ").as_deref(), Some("y"));
            for line in [
                "git remote-https x y ",
                "my-git-remote-https x y ",
                "git-remote-https x ",
                "git-remote-https x y z ",
                "",
            ] {
                assert_eq!(url(line), None, "{line}");
            }
            assert_eq!(super::remote_url(std::process::id(), u32::MAX), None);
        }

        #[test]
        fn this_test_is_a_child_of_something() {
            let ancestry = ancestry(std::process::id()).unwrap();
            assert!(ancestry.starts_with("ghapp_agent-"), "{ancestry}");
            assert!(ancestry.contains(" < "), "{ancestry}");
            assert_eq!(super::ancestry(u32::MAX), None);
        }
    }
}

/// Other systems need calls that have no safe wrapper; the process id remains.
#[cfg(not(target_os = "linux"))]
mod platform {
    pub(super) fn ancestry(_pid: u32) -> Option<String> {
        None
    }

    pub(super) fn git_command(_pid: u32) -> Option<String> {
        None
    }

    pub(super) fn remote_url(_pid: u32, _uid: u32) -> Option<String> {
        None
    }
}
