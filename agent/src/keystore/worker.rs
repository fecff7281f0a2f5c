//! The thread that talks to a store, and how long its callers wait for it.
//!
//! Not tokio's blocking pool: a runtime joins those threads when it shuts down, and a keyring that never answers would then keep
//! the agent from exiting. A call that outlives its deadline keeps its thread; the next call gets a new one. A call whose caller
//! has given up is not begun, and one that was done too late is undone: a failed login leaves no key behind.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::error::StoreError;
use crate::process::memory;

/// Most threads that may hang in a store at once. Beyond that the store is taken for dead until one returns.
const MAX_THREADS: usize = 4;

/// How much of its stack the thread wipes after a call: what deciphers a key for the session bus, or from a file, leaves pieces of
/// it there.
const WIPED: usize = 256 * 1024;
/// How large its stack is. Said here and not left to `RUST_MIN_STACK`, which may make it smaller than what is wiped of it.
const STACK: usize = 2 * 1024 * 1024;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// Runs the calls of one store one after another, so that one unlock prompt serves all that wait.
pub(super) struct Worker<S> {
    /// The threads' name in the system.
    name: &'static str,
    current: Mutex<Option<Thread<S>>>,
    threads: Arc<AtomicUsize>,
}

/// The queue of a thread that takes calls. `S` is what the thread keeps from call to call; it never leaves the thread.
struct Thread<S> {
    number: u64,
    jobs: Sender<Job<S>>,
}

impl<S: Default + 'static> Worker<S> {
    /// A worker whose first call starts its thread.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, current: Mutex::default(), threads: Arc::default() }
    }

    /// Runs a call and waits for it until the deadline.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Duration,
        call: impl FnOnce(&mut S) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run_or_undo(deadline, call, |_, _| {}).await
    }

    /// The same for a call that changes something. `undo` gets its result if the caller has given up.
    pub(super) async fn run_or_undo<T: Send + 'static>(
        &self,
        deadline: Duration,
        call: impl FnOnce(&mut S) -> Result<T, StoreError> + Send + 'static,
        undo: impl FnOnce(&mut S, T) + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, mut receiver) = oneshot::channel();
        let thread = self.enqueue(Box::new(move |store| {
            if sender.is_closed() {
                return;
            }
            if let Err(Ok(late)) = sender.send(call(store)) {
                undo(store, late);
            }
        }))?;
        let ended = |_| StoreError::Refused("its thread ended".to_owned());
        if let Ok(outcome) = tokio::time::timeout(deadline, &mut receiver).await {
            return outcome.map_err(ended)?;
        }
        // From here on the thread undoes what it does; what it did until here counts.
        receiver.close();
        receiver.try_recv().unwrap_or_else(|_| {
            self.abandon(thread);
            Err(StoreError::Silent)
        })
    }

    /// Gives up a thread that may hang for good, with its queue; the next call gets another one.
    fn abandon(&self, number: u64) {
        let mut current = self.current();
        // Not a thread that has taken its place since then.
        if current.as_ref().is_some_and(|thread| thread.number == number) {
            *current = None;
        }
    }

    /// Hands a call to a thread. Returns the thread's number.
    fn enqueue(&self, job: Job<S>) -> Result<u64, StoreError> {
        let mut current = self.current();
        let job = match &*current {
            Some(thread) => match thread.jobs.send(job) {
                Ok(()) => return Ok(thread.number),
                Err(mpsc::SendError(job)) => job,
            },
            None => job,
        };
        let thread = start_thread(self.name, &self.threads)?;
        // A thread that was just started has its receiver.
        let _ = thread.jobs.send(job);
        let number = thread.number;
        *current = Some(thread);
        Ok(number)
    }

    fn current(&self) -> MutexGuard<'_, Option<Thread<S>>> {
        // The sender is intact even if a thread panicked while it held the lock.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start_thread<S: Default + 'static>(name: &'static str, threads: &Arc<AtomicUsize>) -> Result<Thread<S>, StoreError> {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let alive = Alive::one_more(threads).ok_or(StoreError::Silent)?;
    let (jobs, receiver) = mpsc::channel::<Job<S>>();
    let spawned = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(move || {
        let _alive = alive;
        let mut store = S::default();
        // Ends when no sender is left: the worker gave this thread up, or the agent exits.
        while let Ok(job) = receiver.recv() {
            run(job, &mut store);
            memory::wipe_stack::<WIPED>();
        }
    });
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    spawned.map(|_| Thread { number, jobs }).map_err(|error| StoreError::Refused(error.to_string()))
}

/// Not inlined, so that what it leaves on the stack lies where [`memory::wipe_stack`] wipes.
#[inline(never)]
fn run<S>(job: Job<S>, store: &mut S) {
    job(store);
}

/// Counts a thread for as long as it lives, however it ends.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    /// `None` when there are [`MAX_THREADS`] already.
    fn one_more(threads: &Arc<AtomicUsize>) -> Option<Self> {
        let alive = Self(Arc::clone(threads));
        (threads.fetch_add(1, Ordering::SeqCst) < MAX_THREADS).then_some(alive)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::{MAX_THREADS, StoreError};

    /// A store that does nothing by itself.
    #[derive(Default)]
    struct Idle;

    type Worker = super::Worker<Idle>;

    /// Long enough for any machine, short enough for a test that waits for it.
    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_keyring_that_hangs_costs_a_deadline_and_the_next_call_has_a_thread_of_its_own() {
        let worker = Worker::new("test");
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
        let worker = Worker::new("test");
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

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_begun_and_what_came_late_is_undone() {
        let worker = Worker::new("test");
        let (release, hang) = mpsc::channel::<()>();
        let (report, undone) = mpsc::channel();
        let late = worker.run_or_undo(
            SHORT,
            move |_| {
                let _ = hang.recv();
                Ok("saved")
            },
            move |_, done| report.send(done).unwrap(),
        );
        let (begun, never) = mpsc::channel::<()>();
        let behind = worker.run(SHORT, move |_| {
            begun.send(()).unwrap();
            Ok(())
        });
        // Both wait for the same thread, which hangs in the first call.
        let (late, behind) = tokio::join!(late, behind);
        assert_eq!((late, behind), (Err(StoreError::Silent), Err(StoreError::Silent)));
        release.send(()).unwrap();
        assert_eq!(undone.recv_timeout(LONG), Ok("saved"));
        assert!(never.recv_timeout(LONG).is_err(), "its sender is dropped and was not used");
    }

    #[tokio::test]
    async fn a_call_that_panics_costs_no_thread_for_good() {
        let worker = Worker::new("test");
        for _ in 0..=MAX_THREADS {
            let outcome = worker.run(LONG, |_| -> Result<(), StoreError> { panic!("on purpose") });
            assert!(matches!(outcome.await, Err(StoreError::Refused(_))));
            // The answer is gone a moment before its thread is.
            let deadline = Instant::now() + LONG;
            while worker.threads.load(Ordering::SeqCst) > 0 {
                assert!(Instant::now() < deadline, "the thread still counts");
                std::thread::park_timeout(Duration::from_millis(1)); // the other one is no task of this runtime
            }
        }
        assert_eq!(worker.run(LONG, |_| Ok(7)).await, Ok(7));
    }
}
