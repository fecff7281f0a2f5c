//! What a process and its ancestors are called: a hint for the audit log and for `ghapp leases`, never a proof.
//!
//! Reads a few small files, so it is asked when a token is minted and not on the way to a cached one.

use ghapp_protocol::message::RequestedBy;

use crate::model::Caller;

/// Describes the process that asked.
pub fn describe(caller: &Caller) -> RequestedBy {
    RequestedBy { pid: caller.pid, exe: caller.pid.and_then(platform::lineage) }
}

/// Whether git positively only fetches: the nearest git command above the asking process that says what it does is one that
/// only reads. Anything else, and any doubt, is "no".
pub fn is_fetch(caller: &Caller) -> bool {
    caller.pid.and_then(platform::git_command).is_some_and(|command| FETCHES.contains(&command.as_str()))
}

/// git commands that read from a remote and never write to one.
const FETCHES: &[&str] = &["clone", "fetch", "fetch-pack", "ls-remote"];

#[cfg(target_os = "linux")]
mod platform {
    use std::fs;

    /// git commands between the helper and the one that a person or a program ran.
    const GO_BETWEENS: &[&str] =
        &["credential", "credential-ghapp", "remote-http", "remote-https", "index-pack", "submodule--helper"];
    /// Options of git itself that take the next argument as their value (git(1)).
    const WITH_VALUE: &[&str] = &["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env"];

    /// Beyond these are login shells and terminals, which say nothing.
    const MAX_ANCESTORS: usize = 6;
    /// A file name may have 255 bytes; nobody reads that many.
    const MAX_NAME: usize = 40;

    /// The program and the programs that started it, nearest first: `git-credential-ghapp < git < git-remote-http < git`.
    pub(super) fn lineage(mut pid: u32) -> Option<String> {
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
        use super::{lineage, subcommand};

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
        fn this_test_is_a_child_of_something() {
            let lineage = lineage(std::process::id()).unwrap();
            assert!(lineage.starts_with("ghapp_agent-"), "{lineage}");
            assert!(lineage.contains(" < "), "{lineage}");
            assert_eq!(super::lineage(u32::MAX), None);
        }
    }
}

/// Other systems need calls that have no safe wrapper; the process id remains.
#[cfg(not(target_os = "linux"))]
mod platform {
    pub(super) fn lineage(_pid: u32) -> Option<String> {
        None
    }

    pub(super) fn git_command(_pid: u32) -> Option<String> {
        None
    }
}
