//! One line of the audit log for each decision: begun with the question, written with the answer.

use ghapp_protocol::message::Reply;
use ghapp_protocol::remote::RepositoryName;
use tracing::{debug, info};

use super::shared::Shared;
use crate::audit::{Record, timestamp};
use crate::clock::Moment;
use crate::model::Caller;
use crate::token::TokenLease;

/// The outcome of a question that was answered from the cache.
pub(in crate::broker) const HIT: &str = "hit";
/// The outcome of a question for which a token was minted.
pub(in crate::broker) const MINT: &str = "mint";

/// What a token reaches, as the audit log has it: by the names that GitHub gave.
pub(in crate::broker) fn reach(lease: &TokenLease) -> serde_json::Value {
    match lease.repositories() {
        Some(names) => names.iter().map(RepositoryName::as_str).collect(),
        None => "installation".into(),
    }
}

/// A line that is being written. Its record takes what becomes known on the way.
pub(in crate::broker) struct Entry {
    pub(in crate::broker) record: Record,
    started: Moment,
    /// It was asked over an exposed socket, whose lines have a budget.
    pub(in crate::broker) is_exposed: bool,
}

impl Entry {
    /// When it was begun.
    pub(in crate::broker) fn started(&self) -> Moment {
        self.started
    }
}

impl Shared {
    /// Begins a line about what a client asks.
    pub(in crate::broker) fn entry(&self, call: &'static str, caller: &Caller) -> Entry {
        let started = self.now();
        let record =
            Record { ts: timestamp(started.wall), call, uid: caller.uid, pid: caller.pid, ..Record::default() };
        Entry { record, started, is_exposed: false }
    }

    /// Begins a line about what the agent does by itself.
    pub(in crate::broker) fn own_entry(&self, call: &'static str) -> Entry {
        self.entry(call, &Caller::default())
    }

    /// Writes down how a question ended: the outcome that the record has, else what the answer is.
    pub(in crate::broker) fn finish(&self, mut entry: Entry, reply: &Reply) {
        if entry.record.outcome.is_empty() {
            entry.record.outcome = match reply {
                Reply::Error(error) => format!("error {}", error.code.id()),
                Reply::NoMatch {} => "no_match".to_owned(),
                Reply::Erased { dropped: true } => "dropped".to_owned(),
                Reply::Erased { dropped: false } => "not_ours".to_owned(),
                _ => "ok".to_owned(),
            };
        }
        self.write(entry);
    }

    /// Writes down a decision and how long it took.
    pub(in crate::broker) fn write(&self, entry: Entry) {
        let Entry { mut record, started, is_exposed } = entry;
        let now = self.now();
        let elapsed = now.boot.saturating_sub(started.boot);
        record.us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        // A token that was minted is never left out.
        if is_exposed && record.outcome != MINT {
            let (call, outcome, us) = (record.call, record.outcome.clone(), record.us);
            if self.audit.record_exposed(record, outcome == HIT, now) && outcome != HIT {
                info!(call, %outcome, us, "decided");
                self.audit.hand_over();
            }
            return;
        }
        // The usual answer is not worth a line of the journal for each git command, and its line in the log is not waited for (`InUse`).
        if record.outcome == HIT {
            debug!(call = record.call, outcome = HIT, us = record.us, "decided");
            return self.audit.record_later(record);
        }
        info!(call = record.call, outcome = %record.outcome, us = record.us, "decided");
        self.audit.record(record);
    }
}
