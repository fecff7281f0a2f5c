//! Who asked the agent.

use ghapp_protocol::message::RequestedBy;

/// The process at the other end of a connection. Its user was checked; everything else is a hint for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// Its user, where the system tells.
    pub uid: Option<u32>,
    /// Its process id when it connected; it may have ended since, and the number may belong to another process.
    pub pid: Option<u32>,
}

impl Caller {
    /// Looks up what the process and its ancestors are called. Reads a few small files; not for the hit path.
    pub fn describe(&self) -> RequestedBy {
        RequestedBy { pid: self.pid, exe: self.pid.and_then(lineage) }
    }
}

/// The program and the programs that started it, nearest first: `git-credential-ghapp < git-remote-https < git < bash`.
#[cfg(target_os = "linux")]
fn lineage(mut pid: u32) -> Option<String> {
    /// Beyond these are login shells and terminals, which say nothing.
    const MAX_ANCESTORS: usize = 6;
    let mut names: Vec<String> = Vec::new();
    while pid > 1 && names.len() < MAX_ANCESTORS {
        // "PID (NAME) STATE PPID ...": the name may have spaces and parentheses, so its end is the last one.
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
            break;
        };
        let (Some(open), Some(close)) = (stat.find('('), stat.rfind(')')) else {
            break;
        };
        let Some(name) = stat.get(open + 1..close) else {
            break;
        };
        let printable: String = name.chars().filter(char::is_ascii_graphic).collect();
        if names.last() != Some(&printable) {
            names.push(printable);
        }
        let parent = stat[close + 1..].split_whitespace().nth(1);
        let Some(parent) = parent.and_then(|parent| parent.parse().ok()) else {
            break;
        };
        pid = parent;
    }
    (!names.is_empty()).then(|| names.join(" < "))
}

/// Other systems need calls that have no safe wrapper; the process id remains.
#[cfg(not(target_os = "linux"))]
fn lineage(_pid: u32) -> Option<String> {
    None
}
