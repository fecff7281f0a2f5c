//! Single flight: a caller that asks for something that is being fetched waits for it instead of fetching it again.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

type Running<K, V> = HashMap<K, watch::Receiver<Option<V>>>;

/// What is under way, by key. The work runs as a task of its own, so that a caller that goes away does not cancel it for others.
pub(crate) struct SingleFlight<K, V> {
    running: Arc<Mutex<Running<K, V>>>,
}

/// How a caller got its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It was the first to ask.
    Leader,
    /// Another caller had asked before.
    Follower,
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self { running: Arc::default() }
    }
}

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Waits for the result for `key`, starting `work` if it is not under way. `None` when the work panicked.
    ///
    /// `work` must have put its result where later callers look for it (a cache) before it returns: the moment it ends, the
    /// next caller starts another.
    pub(crate) async fn join<F>(&self, key: K, work: impl FnOnce() -> F) -> (Option<V>, Role)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (mut receiver, role) = self.board(key, work);
        // The sender is gone without a result only when the work panicked.
        let outcome = receiver.wait_for(Option::is_some).await;
        (outcome.ok().and_then(|value| value.clone()), role)
    }

    /// Starts `work` for `key` unless it is under way, and waits for nothing. To be called inside of a runtime.
    pub(crate) fn launch<F>(&self, key: K, work: impl FnOnce() -> F)
    where
        F: Future<Output = V> + Send + 'static,
    {
        drop(self.board(key, work));
    }

    /// Waits until nothing is under way.
    pub(crate) async fn landed(&self) {
        loop {
            let next = locked(&self.running).values().next().cloned();
            let Some(mut flight) = next else { return };
            // A flight leaves the board before it sends its result, and also when it panics.
            let _ = flight.wait_for(Option::is_some).await;
        }
    }

    fn board<F>(&self, key: K, work: impl FnOnce() -> F) -> (watch::Receiver<Option<V>>, Role)
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut running = locked(&self.running);
        if let Some(receiver) = running.get(&key) {
            return (receiver.clone(), Role::Follower);
        }
        let (sender, receiver) = watch::channel(None);
        running.insert(key.clone(), receiver.clone());
        // Before the work begins: a runtime that shuts down drops it at once, and with it the landing, which locks the board.
        drop(running);
        let landing = Landing { running: Arc::clone(&self.running), key };
        let work = work();
        tokio::spawn(async move {
            let result = work.await;
            drop(landing); // first, so that no caller joins a flight that has ended
            sender.send_replace(Some(result));
        });
        (receiver, Role::Leader)
    }
}

/// Takes a flight off the board, also when its work panics.
struct Landing<K: Eq + Hash, V> {
    running: Arc<Mutex<Running<K, V>>>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Landing<K, V> {
    fn drop(&mut self) {
        locked(&self.running).remove(&self.key);
    }
}

fn locked<K, V>(running: &Mutex<Running<K, V>>) -> MutexGuard<'_, Running<K, V>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::{Role, SingleFlight};

    /// Starts a flight when it is dropped.
    struct LastWish(Arc<SingleFlight<u8, ()>>);

    impl Drop for LastWish {
        fn drop(&mut self) {
            self.0.launch(1, || async {});
        }
    }

    #[test]
    fn a_flight_that_is_wanted_while_the_runtime_shuts_down_holds_up_nothing() {
        let (sender, done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let wish = LastWish(Arc::default());
            let task = async move {
                std::future::pending::<()>().await;
                drop(wish);
            };
            runtime.block_on(async {
                tokio::spawn(task);
                tokio::task::yield_now().await;
            });
            drop(runtime);
            sender.send(()).expect("the test waits");
        });
        done.recv_timeout(std::time::Duration::from_secs(30)).expect("the runtime shuts down");
    }

    #[tokio::test]
    async fn many_callers_share_one_flight_and_each_gets_the_result() {
        let flights = Arc::new(SingleFlight::<u8, usize>::default());
        let (started, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let callers: Vec<_> = (0..20)
            .map(|_| {
                let (flights, started, gate) = (flights.clone(), started.clone(), gate.clone());
                tokio::spawn(async move {
                    flights
                        .join(1, || async move {
                            gate.notified().await;
                            started.fetch_add(1, Ordering::SeqCst) + 1
                        })
                        .await
                })
            })
            .collect();
        tokio::task::yield_now().await;
        gate.notify_one();
        let mut led = 0;
        for caller in callers {
            let (value, role) = caller.await.unwrap();
            assert_eq!(value, Some(1));
            led += usize::from(role == Role::Leader);
        }
        assert_eq!((led, started.load(Ordering::SeqCst)), (1, 1));
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_cancels_nothing() {
        let flights = Arc::new(SingleFlight::<u8, u8>::default());
        let gate = Arc::new(Notify::new());
        let leader = {
            let (flights, gate) = (flights.clone(), gate.clone());
            tokio::spawn(async move {
                flights
                    .join(1, || async move {
                        gate.notified().await;
                        7
                    })
                    .await
            })
        };
        tokio::task::yield_now().await;
        leader.abort();
        assert!(leader.await.unwrap_err().is_cancelled());
        let joined = tokio::spawn({
            let flights = flights.clone();
            async move { flights.join(1, || async { unreachable!("joined") }).await }
        });
        tokio::task::yield_now().await;
        gate.notify_one();
        assert_eq!(joined.await.unwrap(), (Some(7), Role::Follower));
    }

    #[tokio::test]
    async fn whoever_waits_for_the_last_flight_waits_for_each() {
        let flights = Arc::new(SingleFlight::<u8, u8>::default());
        flights.landed().await; // nothing is under way
        let gate = Arc::new(Notify::new());
        for key in [1, 2] {
            let (flights, gate) = (flights.clone(), gate.clone());
            tokio::spawn(async move {
                flights
                    .join(key, || async move {
                        gate.notified().await;
                        key
                    })
                    .await
            });
        }
        tokio::task::yield_now().await;
        let mut landed = Box::pin(flights.landed());
        assert!(is_pending(&mut landed).await);
        gate.notify_one();
        assert!(is_pending(&mut landed).await, "one is still under way");
        gate.notify_one();
        landed.await;
    }

    /// Whether a future is still pending after all other tasks had a turn.
    async fn is_pending(future: &mut std::pin::Pin<Box<impl Future<Output = ()>>>) -> bool {
        for _ in 0..8 {
            tokio::task::yield_now().await;
            let ready =
                std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_ready()));
            if ready.await {
                return false;
            }
        }
        true
    }

    #[tokio::test]
    async fn a_flight_that_panics_is_over_and_the_next_one_starts() {
        let flights = SingleFlight::<u8, u8>::default();
        let (value, _) = flights.join(1, || async { panic!("on purpose") }).await;
        assert_eq!(value, None);
        assert_eq!(flights.join(1, || async { 2 }).await, (Some(2), Role::Leader));
    }
}
