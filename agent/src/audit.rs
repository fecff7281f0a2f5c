//! The audit log: one JSON line per decision, in a file that only its user can read. Never a token; its hash, as in GitHub's
//! own audit log.
//!
//! A thread of its own writes, so that no answer waits for a disk.

mod reading;
mod trail;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use ghapp_protocol::message::{Label, LeaseId};
use ghapp_protocol::token_hash::TokenHash;
use serde::Serialize;
use tracing::{error, warn};

pub use reading::{Changes, Reading};
use trail::{Appended, Trail};
pub use trail::{KEPT, MAX_SIZE};

/// Lines that may wait for the disk. When it is that far behind, the agent waits for it: a decision is never left out. The queue's
/// places are there from the start, so there are pointers in them, not records of 400 bytes.
const QUEUE: usize = 4096;

/// One decision.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Record {
    /// When, RFC 3339, UTC.
    pub ts: String,
    /// What was asked: `get`, `erase`, `token`, `login`, ...
    pub call: &'static str,
    /// How it ended: `hit`, `mint`, `joined`, `no_match`, or the error's code.
    pub outcome: String,
    /// The asking process's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The asking process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// What it and its ancestors are called: a hint. Looked up for mints only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Over which exposed socket, or about which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
    /// For which host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// For which repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// As which App.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// About which of its keys, as a fingerprint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Which key signs instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_key: Option<String>,
    /// By which rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Through which installation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation_id: Option<u64>,
    /// Which repositories the token reaches: a list, or `installation`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repositories: Option<serde_json::Value>,
    /// What it may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<String>,
    /// Its lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseId>,
    /// Its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hashed_token: Option<TokenHash>,
    /// How long the answer took, in microseconds.
    pub us: u64,
}

/// Where decisions are written.
pub struct Audit {
    sender: Option<SyncSender<Box<Record>>>,
    thread: Option<JoinHandle<()>>,
    lost: Arc<Lost>,
}

/// Decisions that are not in the log, so that `status` can say it: a log that silently has gaps is worse than none.
#[derive(Default)]
struct Lost {
    count: AtomicU64,
    why: Mutex<String>,
    /// How often the file was removed or replaced.
    removals: AtomicU64,
}

impl Lost {
    fn add(&self, why: String) {
        *self.why() = why;
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    fn why(&self) -> MutexGuard<'_, String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audit {
    /// Opens the log for appending and starts its thread.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        Self::over(Trail::open(path.clone(), MAX_SIZE)?, path)
    }

    fn over(mut trail: Trail, path: PathBuf) -> io::Result<Self> {
        let lost = Arc::new(Lost::default());
        let tally = Arc::clone(&lost);
        let (sender, receiver) = mpsc::sync_channel::<Box<Record>>(QUEUE);
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || {
            for record in receiver {
                let outcome = append(&mut trail, &record).and_then(|appended| match appended {
                    Appended::Behind => Ok(appended),
                    Appended::Anew => {
                        warn!(file = %path.display(), "the audit log was removed or replaced and is made again");
                        tally.removals.fetch_add(1, Ordering::Relaxed);
                        append(&mut trail, &anew(record.ts))
                    }
                });
                if let Err(error) = outcome {
                    error!(file = %path.display(), %error, "the audit log cannot be written");
                    tally.add(format!("cannot write {}: {error}", path.display()));
                }
            }
        })?;
        Ok(Self { sender: Some(sender), thread: Some(thread), lost })
    }

    /// Writes a decision.
    pub fn record(&self, record: Record) {
        if let Some(sender) = &self.sender {
            // The thread lives as long as the sender, unless it panicked.
            if sender.send(Box::new(record)).is_err() {
                self.lost.add("its thread has ended".to_owned());
            }
        }
    }

    /// What is missing in the log since the agent started, and why. None: everything is there.
    pub fn trouble(&self) -> Option<String> {
        let count = self.lost.count.load(Ordering::Relaxed);
        let removed = self.lost.removals.load(Ordering::Relaxed) > 0;
        let what = match count {
            0 if removed => {
                return Some("the audit log was removed or replaced while the agent ran, and made again".to_owned());
            }
            0 => return None,
            1 => "1 decision is".to_owned(),
            count => format!("{count} decisions are"),
        };
        Some(format!("{what} missing in the audit log: {}", self.lost.why()))
    }
}

impl Drop for Audit {
    /// Waits until everything is written.
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn append(trail: &mut Trail, record: &Record) -> io::Result<Appended> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    trail.append(&line)
}

/// Says in a log that had to be made again that what was in it may be gone.
fn anew(ts: String) -> Record {
    Record { ts, call: "audit", outcome: "made_again".to_owned(), ..Record::default() }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::token_hash::TokenHash;

    use super::{Audit, Record};

    fn ended(audit: &mut Audit) {
        drop(audit.sender.take());
        audit.thread.take().unwrap().join().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_decision_that_cannot_be_written_is_told() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("audit.jsonl");
        let mut audit = Audit::open(path.clone()).unwrap();
        assert_eq!(audit.trouble(), None);
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        audit.record(Record::default());
        audit.record(Record::default());
        ended(&mut audit);
        let trouble = audit.trouble().unwrap();
        assert!(trouble.starts_with("2 decisions are missing in the audit log: cannot write "), "{trouble}");
    }

    #[cfg(unix)]
    #[test]
    fn a_log_that_was_removed_says_so_when_it_is_made_again() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("audit.jsonl");
        let mut audit = Audit::open(path.clone()).unwrap();
        std::fs::remove_file(&path).unwrap();
        audit.record(Record { outcome: "hit".to_owned(), ..Record::default() });
        ended(&mut audit);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().any(|line| line.contains("\"hit\"")), "{text}");
        assert!(text.lines().any(|line| line.contains("\"made_again\"")), "{text}");
        let trouble = audit.trouble().unwrap();
        assert!(trouble.contains("removed or replaced"), "{trouble}");
    }

    #[test]
    fn every_decision_is_a_line_of_json_that_only_its_user_can_read() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("ghapp/audit.jsonl");
        for outcome in ["mint", "hit"] {
            let audit = Audit::open(path.clone()).unwrap();
            let hashed_token = Some(TokenHash::of(b"ghs_x"));
            audit.record(Record { outcome: outcome.to_owned(), hashed_token, ..Record::default() });
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "the second agent appends");
        assert_eq!(lines[1]["outcome"], "hit");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
