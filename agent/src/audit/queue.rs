//! Decisions on their way to the log's thread. The thread is woken seldom: after each write it takes all that has arrived.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::record::Record;

/// Most decisions that may wait for the disk. Beyond that the agent waits too: a decision is never dropped.
const ROOM: usize = 4096;

/// The decisions, in their order.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// The thread should look again.
    filled: Condvar,
    /// There is room again.
    emptied: Condvar,
}

#[derive(Default)]
struct Waiting {
    records: Vec<Record>,
    /// The thread waits, and has not been woken since.
    is_asleep: bool,
    /// Nothing more will come.
    is_ended: bool,
}

impl Queue {
    /// Appends a record; wakes the thread only when there is no room. False after the end, when nothing takes it any more.
    pub(super) fn put(&self, record: Record) -> bool {
        let mut waiting = self.waiting();
        while waiting.records.len() >= ROOM && !waiting.is_ended {
            self.wake_from(&mut waiting);
            waiting = self.emptied.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if !waiting.is_ended {
            waiting.records.push(record);
        }
        !waiting.is_ended
    }

    /// Wakes the thread, if it sleeps and there is something for it.
    pub(super) fn wake(&self) {
        let mut waiting = self.waiting();
        if !waiting.records.is_empty() {
            self.wake_from(&mut waiting);
        }
    }

    /// Lets [`Self::take`] return nothing once all has been taken.
    pub(super) fn end(&self) {
        let mut waiting = self.waiting();
        waiting.is_ended = true;
        self.wake_from(&mut waiting);
        self.emptied.notify_all();
    }

    /// Takes everything, waiting until there is something; `None` when the queue has ended and is empty.
    pub(super) fn take(&self) -> Option<Vec<Record>> {
        let mut waiting = self.waiting();
        if waiting.records.is_empty() && !waiting.is_ended {
            waiting.is_asleep = true;
            // Only `wake_from` ends the sleep; a new record alone does not.
            let woken = self.filled.wait_while(waiting, |waiting| waiting.is_asleep);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.records.is_empty() {
            return None;
        }
        let records = std::mem::take(&mut waiting.records);
        drop(waiting);
        self.emptied.notify_all();
        Some(records)
    }

    fn wake_from(&self, waiting: &mut Waiting) {
        if std::mem::take(&mut waiting.is_asleep) {
            self.filled.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // The list is intact even if a thread panicked while it held the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::{Queue, ROOM};
    use crate::audit::Record;

    fn numbered(us: u64) -> Record {
        Record { us, ..Record::default() }
    }

    #[test]
    fn all_comes_out_in_order_however_much_it_is_and_then_nothing() {
        let queue = Arc::new(Queue::default());
        let taking = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                std::iter::from_fn(|| queue.take()).flatten().map(|record| record.us).collect::<Vec<_>>()
            })
        };
        let count = 3 * ROOM as u64;
        for number in 0..count {
            assert!(queue.put(numbered(number)), "more than there is room for waits");
            if number % 7 == 0 {
                queue.wake();
            }
        }
        queue.end();
        assert!(!queue.put(numbered(count)), "nobody would take it");
        assert_eq!(taking.join().unwrap(), (0..count).collect::<Vec<_>>());
    }
}
