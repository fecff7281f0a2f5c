//! The audit log: one JSON line per decision, in a file that only its user can read. Never a token; its hash, as in GitHub's
//! own audit log.
//!
//! A thread of its own writes, so that no answer waits for a disk.
//!
//! What is asked over an exposed socket has a budget, and files of its own, unless it led to a token: the far side cannot push the
//! other lines out.

mod budget;
mod files;
mod queue;
mod reading;
mod record;
mod trail;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tracing::{error, warn};

use crate::clock::Moment;

use budget::{Budgets, Kind, LeftOut};
use queue::{Queue, Refused};
pub use reading::{Changes, Reading, reaches_back_to};
pub(crate) use record::{Record, timestamp};
pub(crate) use trail::MAX_SIZE;
use trail::{Appended, Trail};

/// Most decisions in one write: about 16 KiB, far less than a file of the log holds.
const BATCH: usize = 32;

/// Where decisions are written.
pub(crate) struct Audit {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
    lost: Arc<Lost>,
    budgets: Budgets,
}

/// Decisions that did not reach the log, so that `status` can say so: a log with silent gaps is worse than none.
#[derive(Default)]
struct Lost {
    count: AtomicU64,
    why: Mutex<String>,
    /// How often the file was removed or replaced.
    removals: AtomicU64,
}

impl Lost {
    fn add(&self, decisions: usize, why: String) {
        *self.why() = why;
        self.count.fetch_add(decisions as u64, Ordering::Relaxed);
    }

    fn why(&self) -> MutexGuard<'_, String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audit {
    /// Opens the log for appending and starts its thread.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        Self::over(Trail::open(path.clone(), MAX_SIZE)?, path)
    }

    fn over(trail: Trail, path: PathBuf) -> io::Result<Self> {
        let (queue, lost) = (Arc::new(Queue::default()), Arc::new(Lost::default()));
        let (taken, tally) = (Ending(Arc::clone(&queue)), Arc::clone(&lost));
        let mut trails = Trails { exposed: None, exposed_path: files::of_exposed(&path), own: trail, own_path: path };
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || {
            while let Some(records) = taken.0.take() {
                for batch in records.chunks(BATCH) {
                    trails.write(batch, &tally);
                }
            }
        })?;
        Ok(Self { queue, thread: Some(thread), lost, budgets: Budgets::default() })
    }

    /// Writes a decision.
    pub(crate) fn record(&self, record: Record) {
        self.record_later(record);
        self.hand_over();
    }

    /// Queues a decision; it is written after the next [`Self::hand_over`], which the caller has to call: waking the thread takes
    /// longer than finding a token in the cache, and the client need not wait for that.
    pub(crate) fn record_later(&self, record: Record) {
        match self.queue.put(record) {
            Ok(()) => {}
            // The thread lives as long as this, unless it panicked.
            Err(Refused::Ended) => self.lost.add(1, "its thread has ended".to_owned()),
            Err(Refused::Full) => self.lost.add(1, "the disk with it does not keep up".to_owned()),
        }
    }

    /// Writes a decision about what was asked over an exposed socket, as far as there is room for it: see [`budget`]. Says whether it
    /// was written.
    pub(crate) fn record_exposed(&self, mut record: Record, is_hit: bool, now: Moment) -> bool {
        self.tell_left_out(now);
        let kind = if is_hit { Kind::Hit } else { Kind::Other };
        // Every exposed socket has a label.
        let is_admitted = record.label.as_ref().is_some_and(|label| self.budgets.admit(label, kind, now));
        if is_admitted {
            record.is_exposed = true;
            self.record_later(record);
        }
        is_admitted
    }

    /// Writes down how many decisions about exposed sockets were left out in the minutes that are over.
    pub(crate) fn tell_left_out(&self, now: Moment) {
        for left_out in self.budgets.settle(Some(now)) {
            self.record(summary(left_out));
        }
    }

    /// Wakes the thread to write everything that is queued.
    pub(crate) fn hand_over(&self) {
        self.queue.wake();
    }

    /// Whether the disk does not keep up. What is not written down is better not done.
    pub(crate) fn is_behind(&self) -> bool {
        self.queue.is_behind()
    }

    /// What is missing in the log since the agent started, and why. None: everything is there.
    pub(crate) fn trouble(&self) -> Option<String> {
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

/// Ends the queue when its thread exits, by a panic too: nothing else takes records from it.
struct Ending(Arc<Queue>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Drop for Audit {
    /// Waits until everything is written.
    fn drop(&mut self) {
        for left_out in self.budgets.settle(None) {
            self.record_later(summary(left_out));
        }
        self.queue.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The files of the thread.
struct Trails {
    own: Trail,
    own_path: PathBuf,
    /// Made with the first line.
    exposed: Option<Trail>,
    exposed_path: PathBuf,
}

impl Trails {
    /// Writes decisions, and counts the lost ones.
    fn write(&mut self, records: &[Record], lost: &Lost) {
        let (exposed, own): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.is_exposed);
        if !exposed.is_empty() {
            let outcome = self.exposed().and_then(|trail| write(trail, &exposed, lost));
            note(outcome, &self.exposed_path, exposed.len(), lost);
        }
        if !own.is_empty() {
            note(write(&mut self.own, &own, lost), &self.own_path, own.len(), lost);
        }
    }

    fn exposed(&mut self) -> io::Result<&mut Trail> {
        match &mut self.exposed {
            Some(trail) => Ok(trail),
            none => Ok(none.insert(Trail::open(self.exposed_path.clone(), MAX_SIZE)?)),
        }
    }
}

fn note(outcome: io::Result<()>, path: &Path, decisions: usize, lost: &Lost) {
    if let Err(error) = outcome {
        error!(file = %path.display(), %error, "the audit log cannot be written");
        lost.add(decisions, format!("cannot write {}: {error}", path.display()));
    }
}

/// Writes decisions, a line each, and says so when the ones before may be gone.
fn write(trail: &mut Trail, records: &[&Record], lost: &Lost) -> io::Result<()> {
    if append(trail, records)? == Appended::Anew {
        warn!("the audit log was removed or replaced and is made again");
        lost.removals.fetch_add(1, Ordering::Relaxed);
        let ts = records.first().map(|record| record.ts.clone()).unwrap_or_default();
        append(trail, &[&anew(ts)])?;
    }
    Ok(())
}

fn append(trail: &mut Trail, records: &[&Record]) -> io::Result<Appended> {
    let mut lines = Vec::new();
    for record in records {
        serde_json::to_writer(&mut lines, record)?;
        lines.push(b'\n');
    }
    trail.append(&lines)
}

/// Says how many decisions about an exposed socket have no line.
fn summary(LeftOut { label, kind, count, wall }: LeftOut) -> Record {
    let outcome = match kind {
        Kind::Hit => "left_out hits",
        Kind::Other => "left_out others",
    };
    Record {
        ts: timestamp(wall),
        call: "audit",
        outcome: outcome.to_owned(),
        label: Some(label),
        count: Some(count),
        is_exposed: true,
        ..Record::default()
    }
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
        audit.queue.end();
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
    fn what_waits_is_written_before_what_comes_later_and_at_the_end() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("audit.jsonl");
        let audit = Audit::open(path.clone()).unwrap();
        let record = |outcome: &str| Record { outcome: outcome.to_owned(), ..Record::default() };
        audit.record_later(record("first"));
        audit.record(record("second"));
        audit.record_later(record("third"));
        drop(audit);
        let text = std::fs::read_to_string(&path).unwrap();
        let order: Vec<_> = ["first", "second", "third"].map(|outcome| text.find(outcome)).into_iter().collect();
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{text}");
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
