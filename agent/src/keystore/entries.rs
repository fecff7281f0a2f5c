//! The entries of a store whose calls block: read, written and read back, deleted, and undone by the write that made them.
//!
//! An entry has the same name each time the same key is stored. A write that ends too late may find its entry in use by a later one, whose
//! login a person was told had succeeded. So an undo knows its own write, and not only a name.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{info, warn};

use super::blocking_store::{BlockingStore, Saved};
use super::error::StoreError;
use super::worker::Worker;
use crate::model::{KeyId, PrivateKey};

/// How long a store may take. A person at an unlock prompt gets this long before git is told; the prompt stays.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A store, its thread, and what was written to it.
pub(super) struct Entries<S> {
    worker: Worker<S>,
    writes: Writes,
}

impl<S: BlockingStore> Entries<S> {
    /// Reaches for nothing yet.
    pub(super) fn new(thread: &'static str) -> Self {
        Self { worker: Worker::new(thread), writes: Writes::default() }
    }

    /// A call that changes nothing.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        deadline: Duration,
        call: impl FnOnce(&mut S) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.worker.run(deadline, call).await
    }

    pub(super) async fn load(&self, id: &KeyId) -> Result<PrivateKey, StoreError> {
        let name = id.to_string();
        self.ask(DEADLINE, move |store| store.load(&name)).await
    }

    /// Keeps a key that can be read back. An error leaves nothing behind, now or later.
    pub(super) async fn save(&self, id: &KeyId, key: PrivateKey) -> Result<Saved, StoreError> {
        let (name, writes) = (id.to_string(), self.writes.clone());
        let call = move |store: &mut S| {
            let write = writes.begin(&name);
            let saved = store.save(&name, &key).inspect_err(|_| write.undo(store, false))?;
            if saved == Saved::Now {
                store.confirm(&name, &key).inspect_err(|_| write.undo(store, true))?;
            }
            Ok((saved, write))
        };
        let undo = |store: &mut S, (saved, write): (Saved, Write)| write.undo(store, saved == Saved::Now);
        self.worker.run_or_undo(DEADLINE, call, undo).await.map(|(saved, _)| saved)
    }

    /// Deletes a key. False when there was none.
    pub(super) async fn delete(&self, id: &KeyId) -> Result<bool, StoreError> {
        let (name, writes) = (id.to_string(), self.writes.clone());
        self.worker.run(DEADLINE, move |store| writes.delete(store, &name)).await
    }
}

/// Who holds the entries of one store.
#[derive(Debug, Clone, Default)]
struct Writes(Arc<Mutex<HashMap<String, Arc<Mutex<Entry>>>>>);

/// An entry. Its lock is held while it is deleted, so that no write begins meanwhile: a deletion that was given up must not
/// meet a key that was stored behind it. Only threads that may block wait for it.
#[derive(Debug, Default)]
struct Entry {
    /// The writes that are under way, or whose callers were told that the key is kept.
    holders: BTreeSet<u64>,
    /// A write that was undone made it, and it stayed for the sake of another holder.
    is_left: bool,
}

impl Writes {
    /// A write that begins. It holds the entry until it is undone, or the entry is deleted on purpose.
    fn begin(&self, name: &str) -> Write {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let (number, entry) = (NUMBERS.fetch_add(1, Ordering::Relaxed), self.entry(name));
        locked(&entry).holders.insert(number);
        Write { name: name.to_owned(), number, entry }
    }

    /// Deletes an entry, also one that other writes hold.
    fn delete(&self, store: &mut impl BlockingStore, name: &str) -> Result<bool, StoreError> {
        let entry = self.entry(name);
        let mut entry = locked(&entry);
        *entry = Entry::default();
        store.delete(name)
    }

    fn entry(&self, name: &str) -> Arc<Mutex<Entry>> {
        Arc::clone(locked(&self.0).entry(name.to_owned()).or_default())
    }
}

/// One write of an entry.
#[derive(Debug)]
struct Write {
    name: String,
    number: u64,
    entry: Arc<Mutex<Entry>>,
}

impl Write {
    /// Undoes this write, and no other: the entry goes with its last holder. `has_put` says whether it made the entry.
    fn undo(&self, store: &mut impl BlockingStore, has_put: bool) {
        let mut entry = locked(&self.entry);
        entry.holders.remove(&self.number);
        entry.is_left |= has_put;
        if !entry.is_left {
            return;
        }
        if !entry.holders.is_empty() {
            return info!("a key that was saved too late stays, since it was saved again meanwhile");
        }
        entry.is_left = false;
        match store.delete(&self.name) {
            Ok(_) => info!("a key that was saved too late was taken back"),
            Err(error) => warn!(%error, "a key that was saved too late was left in its store"),
        }
    }
}

/// What is behind the locks is whole even if a thread panicked with one in its hand.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::{BlockingStore, Saved, StoreError, Writes};
    use crate::model::PrivateKey;

    /// A store in memory. One that is deaf takes keys and keeps none.
    #[derive(Default)]
    struct Fake {
        entries: HashMap<String, PrivateKey>,
        is_deaf: bool,
    }

    impl BlockingStore for Fake {
        fn load(&mut self, name: &str) -> Result<PrivateKey, StoreError> {
            self.entries.get(name).cloned().ok_or(StoreError::NoEntry)
        }

        fn put(&mut self, name: &str, key: &PrivateKey) -> Result<(), StoreError> {
            if !self.is_deaf {
                self.entries.insert(name.to_owned(), key.clone());
            }
            Ok(())
        }

        fn delete(&mut self, name: &str) -> Result<bool, StoreError> {
            Ok(self.entries.remove(name).is_some())
        }
    }

    fn key() -> PrivateKey {
        PrivateKey::from_der(Zeroizing::new(vec![1, 2, 3]))
    }

    #[test]
    fn a_write_that_is_undone_takes_the_key_only_if_no_other_write_holds_it() {
        let (writes, mut store) = (Writes::default(), Fake::default());
        // Both found nothing; the later one succeeds, and the first comes back when no one waits for it.
        let (late, good) = (writes.begin("a"), writes.begin("a"));
        store.put("a", &key()).unwrap();
        late.undo(&mut store, true);
        assert!(store.load("a").is_ok(), "it is the other login's key");
        // A third one fails, and does not take it along either.
        writes.begin("a").undo(&mut store, false);
        assert!(store.load("a").is_ok());
        good.undo(&mut store, false);
        assert_eq!(store.load("a").unwrap_err(), StoreError::NoEntry, "the last holder takes what the first left");
    }

    #[test]
    fn what_is_deleted_on_purpose_has_no_holder() {
        let (writes, mut store) = (Writes::default(), Fake::default());
        let (late, _told) = (writes.begin("a"), writes.begin("a"));
        assert_eq!(writes.delete(&mut store, "a"), Ok(false));
        store.put("a", &key()).unwrap(); // the late one, behind a logout
        late.undo(&mut store, true);
        assert_eq!(store.load("a").unwrap_err(), StoreError::NoEntry);
    }

    #[test]
    fn a_key_of_before_is_nobodys_to_undo() {
        let (writes, mut store) = (Writes::default(), Fake::default());
        store.put("a", &key()).unwrap();
        assert_eq!(store.save("a", &key()), Ok(Saved::WasThere));
        writes.begin("a").undo(&mut store, false);
        assert!(store.load("a").is_ok());
    }

    #[test]
    fn no_write_begins_while_its_entry_is_being_deleted() {
        struct Slow(mpsc::Receiver<()>, mpsc::Sender<()>);
        impl Default for Slow {
            fn default() -> Self {
                unreachable!("it is made by hand")
            }
        }
        impl BlockingStore for Slow {
            fn load(&mut self, _: &str) -> Result<PrivateKey, StoreError> {
                Err(StoreError::NoEntry)
            }
            fn put(&mut self, _: &str, _: &PrivateKey) -> Result<(), StoreError> {
                Ok(())
            }
            fn delete(&mut self, _: &str) -> Result<bool, StoreError> {
                self.1.send(()).unwrap();
                self.0.recv().unwrap();
                Ok(true)
            }
        }
        let writes = Writes::default();
        let ((go_on, waits), (began, deleting)) = (mpsc::channel(), mpsc::channel());
        let deletes = writes.clone();
        let deletion = thread::spawn(move || deletes.delete(&mut Slow(waits, began), "a"));
        deleting.recv().unwrap();
        let (report, started) = mpsc::channel();
        let other = thread::spawn(move || {
            let write = writes.begin("a");
            report.send(()).unwrap();
            drop(write);
        });
        assert!(started.recv_timeout(Duration::from_millis(20)).is_err());
        go_on.send(()).unwrap();
        assert_eq!(deletion.join().unwrap(), Ok(true));
        started.recv().unwrap();
        other.join().unwrap();
    }

    #[test]
    fn a_store_that_takes_a_key_and_does_not_keep_it_is_found_out() {
        let mut store = Fake { is_deaf: true, ..Fake::default() };
        assert_eq!(store.save("a", &key()), Ok(Saved::Now));
        assert!(matches!(store.confirm("a", &key()), Err(StoreError::Refused(_))));
        let mut store = Fake::default();
        store.save("a", &key()).unwrap();
        assert_eq!(store.confirm("a", &key()), Ok(()));
        assert!(store.confirm("a", &PrivateKey::from_der(Zeroizing::new(vec![9]))).is_err());
    }
}
