//! Decisions on their way to the log's thread. The thread is woken seldom: after each write it takes all that has arrived.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::record::Record;

/// Decisions that may wait for the disk. The agent does not wait for it; long before there is no room it mints no more tokens
/// ([`Queue::is_behind`]).
const ROOM: usize = 4096;

/// The decisions, in their order.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// The thread should look again.
    filled: Condvar,
}

/// Why a decision is not written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// The thread has ended, or is to.
    Ended,
    /// The disk is too far behind.
    Full,
}

#[derive(Default)]
struct Waiting {
    records: Vec<Record>,
    /// How many there have been.
    last: u64,
    /// The thread waits, and has not been woken since.
    is_asleep: bool,
    /// Nothing more will come.
    is_ended: bool,
}

impl Queue {
    /// Adds one, behind the others, and says why if that cannot be. The thread is not woken, unless it is behind.
    pub(super) fn put(&self, mut record: Record) -> Result<(), Refused> {
        let mut waiting = self.waiting();
        if waiting.is_ended {
            return Err(Refused::Ended);
        }
        if waiting.records.len() >= ROOM {
            return Err(Refused::Full);
        }
        waiting.last += 1;
        record.seq = waiting.last;
        waiting.records.push(record);
        if waiting.records.len() > ROOM / 2 {
            self.wake_from(&mut waiting);
        }
        Ok(())
    }

    /// Whether half of the room is taken: the disk does not keep up, or does not answer.
    pub(super) fn is_behind(&self) -> bool {
        self.waiting().records.len() > ROOM / 2
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
        Some(std::mem::take(&mut waiting.records))
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

    use super::{Queue, ROOM, Refused};
    use crate::audit::Record;

    fn numbered(us: u64) -> Record {
        Record { us, ..Record::default() }
    }

    #[test]
    fn all_comes_out_in_order_and_then_nothing() {
        let queue = Arc::new(Queue::default());
        let taking = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                std::iter::from_fn(|| queue.take()).flatten().map(|record| record.us).collect::<Vec<_>>()
            })
        };
        let count = 3 * ROOM as u64;
        for number in 0..count {
            while queue.put(numbered(number)) == Err(Refused::Full) {
                thread::yield_now();
            }
            if number % 7 == 0 {
                queue.wake();
            }
        }
        queue.end();
        assert_eq!(queue.put(numbered(count)), Err(Refused::Ended), "it would not be taken");
        assert_eq!(taking.join().unwrap(), (0..count).collect::<Vec<_>>());
    }

    #[test]
    fn a_disk_that_does_not_answer_keeps_nothing_waiting() {
        let queue = Queue::default();
        let taken = (0..2 * ROOM as u64).filter(|number| queue.put(numbered(*number)).is_ok()).count();
        assert_eq!(taken, ROOM);
        assert!(queue.is_behind());
        assert_eq!(queue.take().unwrap().len(), ROOM);
        assert_eq!(queue.put(numbered(0)), Ok(()), "and it goes on when the disk does");
        assert!(!queue.is_behind());
    }
}
