//! Waiting is not answering: a question that cannot be answered at once gives its place to the next one.
//!
//! Few connections are answered at a time, since each is done in a moment. How long GitHub, a keyring or a person takes is not ours
//! to say; with one bound for both, as many questions as it has places would keep all others out, and `ghapp lock` with them.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that wait for GitHub, a keyring or a person, besides those that are answered. One costs a descriptor and a few kB; a
/// git command waits for 20 seconds at most.
pub(super) const MAX_WAITING: u32 = 1024;

/// The place of a connection.
pub(super) struct Seat {
    /// Among those that are answered; none any more when it waits.
    answering: Option<OwnedSemaphorePermit>,
    places: Arc<Semaphore>,
    waiting: Option<OwnedSemaphorePermit>,
}

/// There are too many that wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Seat {
    /// A place among those that are answered. `places` are those of the ones that wait.
    pub(super) fn new(answering: OwnedSemaphorePermit, places: Arc<Semaphore>) -> Self {
        Self { answering: Some(answering), places, waiting: None }
    }

    /// Makes an answer that must be made: as long as it is not ready, the place is another one's, if there is a place to wait at.
    pub(super) async fn answer<T>(&mut self, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        if let Some(answer) = at_once(answer.as_mut()).await {
            return answer;
        }
        // Without one it keeps the place that it has.
        let _ = self.wait();
        answer.await
    }

    /// The same for a question that can be asked again: when too many wait, it is given up.
    pub(super) async fn answer_or_refuse<T>(&mut self, answer: impl Future<Output = T>) -> Result<T, Full> {
        let mut answer = pin!(answer);
        if let Some(answer) = at_once(answer.as_mut()).await {
            return Ok(answer);
        }
        self.wait()?;
        Ok(answer.await)
    }

    fn wait(&mut self) -> Result<(), Full> {
        self.waiting = Some(Arc::clone(&self.places).try_acquire_owned().map_err(|_| Full)?);
        self.answering = None;
        Ok(())
    }
}

/// What a future has at the first look.
async fn at_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::Arc;

    use tokio::sync::{Semaphore, oneshot};

    use super::{Full, Seat};

    fn seat(answering: &Arc<Semaphore>, waiting: &Arc<Semaphore>) -> Seat {
        Seat::new(Arc::clone(answering).try_acquire_owned().expect("there is one"), Arc::clone(waiting))
    }

    #[tokio::test]
    async fn who_waits_makes_room_and_who_finds_no_place_to_wait_at_is_refused_or_stays() {
        let (answering, waiting) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
        let (sender, answer) = oneshot::channel::<u8>();
        let mut first = seat(&answering, &waiting);
        let asked = tokio::spawn(async move {
            let answer = first.answer_or_refuse(answer).await;
            (answer, first)
        });
        while waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let mut second = seat(&answering, &waiting);
        assert_eq!(second.answer_or_refuse(ready(2)).await, Ok(2), "it is ready");
        assert_eq!(second.answer_or_refuse(std::future::pending::<u8>()).await, Err(Full));
        assert_eq!(answering.available_permits(), 0);
        let mut is_polled = false;
        let later = std::future::poll_fn(|context| {
            if std::mem::replace(&mut is_polled, true) {
                return std::task::Poll::Ready(3);
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        });
        assert_eq!(second.answer(later).await, 3);
        drop(second);
        sender.send(1).expect("it waits");
        let (answer, first) = asked.await.expect("it does not panic");
        assert_eq!(answer, Ok(Ok(1)));
        drop(first);
        assert_eq!((answering.available_permits(), waiting.available_permits()), (1, 1));
    }
}
