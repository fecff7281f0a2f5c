//! The thread that talks to the keyring, and the patience of those who wait for it.
//!
//! Not tokio's blocking pool: a runtime joins those threads when it ends, and a keyring that never answers would then keep
//! the agent from ending. A call that outlives its deadline keeps its thread; the next call gets a new one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::{StoreError, os, stored_form};
use crate::model::PrivateKey;

/// The service name of our entries.
const SERVICE: &str = "ghapp";
/// Most threads that may hang in a keyring at once. Beyond that the keyring is taken for dead until one comes back.
const MAX_THREADS: usize = 4;

type Job = Box<dyn FnOnce(&mut Keyring) + Send>;

/// Runs keyring calls one after another, so that one unlock prompt serves all who wait.
#[derive(Default)]
pub(super) struct Worker {
    jobs: Mutex<Option<Sender<Job>>>,
    threads: Arc<AtomicUsize>,
}

impl Worker {
    /// Runs a call and waits for it until the deadline.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Duration,
        call: impl FnOnce(&mut Keyring) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.enqueue(Box::new(move |keyring| {
            // Whoever asked may have given up.
            let _ = sender.send(call(keyring));
        }))?;
        match tokio::time::timeout(deadline, receiver).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(StoreError::Refused("the keyring's thread ended".to_owned())),
            Err(_) => {
                // The thread may hang for good: leave it its queue and start another one for the next call.
                *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Err(StoreError::Silent)
            }
        }
    }

    fn enqueue(&self, job: Job) -> Result<(), StoreError> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match &*jobs {
            Some(sender) => match sender.send(job) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(job)) => job,
            },
            None => job,
        };
        let sender = start_thread(&self.threads)?;
        // A thread that was just started has its receiver.
        let _ = sender.send(job);
        *jobs = Some(sender);
        Ok(())
    }
}

fn start_thread(threads: &Arc<AtomicUsize>) -> Result<Sender<Job>, StoreError> {
    if threads.fetch_add(1, Ordering::SeqCst) >= MAX_THREADS {
        threads.fetch_sub(1, Ordering::SeqCst);
        return Err(StoreError::Silent);
    }
    let (sender, receiver) = mpsc::channel::<Job>();
    let counted = Arc::clone(threads);
    let spawned = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        let mut keyring = Keyring::default();
        // Ends when nobody can send any more: the worker gave this thread up, or the agent ends.
        while let Ok(job) = receiver.recv() {
            job(&mut keyring);
        }
        counted.fetch_sub(1, Ordering::SeqCst);
    });
    spawned.map(|_| sender).map_err(|error| {
        threads.fetch_sub(1, Ordering::SeqCst);
        StoreError::Refused(error.to_string())
    })
}

/// The connection to the keyring; made when it is needed, and anew when it broke, so that a keyring that appears later, or
/// is restarted, is found without restarting the agent.
#[derive(Default)]
pub(super) struct Keyring {
    store: Option<Arc<CredentialStore>>,
}

impl Keyring {
    pub(super) fn reach(&mut self) -> Result<(), StoreError> {
        self.connected().map(|_| ())
    }

    pub(super) fn load(&mut self, user: &str) -> Result<PrivateKey, StoreError> {
        let bytes = self.with_entry(user, |entry| entry.get_secret().map(Zeroizing::new))?;
        stored_form::decode(&bytes)
    }

    pub(super) fn save(&mut self, user: &str, key: &PrivateKey) -> Result<(), StoreError> {
        let bytes = stored_form::encode(key);
        self.with_entry(user, |entry| entry.set_secret(&bytes))
    }

    pub(super) fn delete(&mut self, user: &str) -> Result<bool, StoreError> {
        match self.with_entry(user, Entry::delete_credential) {
            Ok(()) => Ok(true),
            Err(StoreError::NoEntry) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn connected(&mut self) -> Result<Arc<CredentialStore>, StoreError> {
        if let Some(store) = &self.store {
            return Ok(Arc::clone(store));
        }
        let store = os::open()?;
        self.store = Some(Arc::clone(&store));
        Ok(store)
    }

    fn with_entry<T>(&mut self, user: &str, call: impl Fn(&Entry) -> keyring_core::Result<T>) -> Result<T, StoreError> {
        let was_connected = self.store.is_some();
        let store = self.connected()?;
        match store.build(SERVICE, user, None).and_then(|entry| call(&entry)) {
            // The daemon behind an old connection may have been restarted: once more with a new one.
            Err(Error::PlatformFailure(_)) if was_connected => {
                self.store = None;
                let store = self.connected()?;
                store.build(SERVICE, user, None).and_then(|entry| call(&entry))
            }
            outcome => outcome,
        }
        .map_err(|error| self.explain(error))
    }

    /// Translates at the border: some of the crate's errors carry the secret's bytes, so none of them goes further.
    fn explain(&mut self, error: Error) -> StoreError {
        match error {
            Error::NoEntry => StoreError::NoEntry,
            Error::NoStorageAccess(_) => StoreError::Locked,
            Error::NoDefaultStore => StoreError::Missing("none is set up".to_owned()),
            Error::PlatformFailure(source) => {
                self.store = None;
                StoreError::Missing(source.to_string())
            }
            Error::TooLong(what, limit) => StoreError::Refused(format!("{what} is longer than its limit of {limit}")),
            Error::Ambiguous(entries) => StoreError::Refused(format!("it has {} entries of that name", entries.len())),
            Error::NotSupportedByStore(_) => StoreError::Refused("it cannot do that".to_owned()),
            _ => StoreError::Refused("the entry is damaged".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::{MAX_THREADS, StoreError, Worker};

    /// Long enough for any machine, short enough for a test that waits for it.
    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_keyring_that_hangs_costs_a_deadline_and_the_next_call_has_a_thread_of_its_own() {
        let worker = Worker::default();
        let (release, hang) = mpsc::channel::<()>();
        let outcome = worker.run(SHORT, move |_| {
            let _ = hang.recv();
            Ok(())
        });
        assert_eq!(outcome.await, Err(StoreError::Silent));
        assert_eq!(worker.run(LONG, |_| Ok(7)).await, Ok(7));
        drop(release);
    }

    #[tokio::test]
    async fn a_dead_keyring_cannot_eat_threads_without_end() {
        let worker = Worker::default();
        let mut releases = Vec::new();
        for _ in 0..MAX_THREADS {
            let (release, hang) = mpsc::channel::<()>();
            releases.push(release);
            let outcome = worker.run(SHORT, move |_| {
                let _ = hang.recv();
                Ok(())
            });
            assert_eq!(outcome.await, Err(StoreError::Silent));
        }
        assert_eq!(worker.run(LONG, |_| Ok(())).await, Err(StoreError::Silent), "at once");
    }
}
