//! A sign of life on the terminal while a command waits for an answer. Owns the indicatif crate.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long a wait may last before it needs a sign of life. A shorter one shows nothing.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long each picture is shown.
const TICK: Duration = Duration::from_millis(100);

/// The place for a sign. It shows one at a time.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Whether stderr is a terminal that can show it.
    visible: bool,
    taken: AtomicBool,
}

/// A wait, until this is dropped. Nothing else may be written to the terminal meanwhile.
pub(crate) struct Waiting<'a> {
    /// `None` when nothing is shown.
    shown: Option<Shown<'a>>,
}

struct Shown<'a> {
    stage: &'a Stage,
    /// Dropped to end it.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Stage {
    /// A place that shows signs, or does not.
    pub(crate) fn new(visible: bool) -> Self {
        Self { visible, taken: AtomicBool::new(false) }
    }

    /// Shows a text with a turning sign beside it after a while, unless something is shown already.
    pub(crate) fn show(&self, text: &str) -> Waiting<'_> {
        if !self.visible || self.taken.swap(true, Ordering::Relaxed) {
            return Waiting { shown: None };
        }
        let (end, ended) = mpsc::channel::<()>();
        let text = text.to_owned();
        let turn = move || {
            let waits = |time| ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
            if !waits(PATIENCE) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}").expect("the template is a constant");
            bar.set_style(style);
            bar.set_message(text);
            bar.tick();
            while waits(TICK) {
                bar.tick();
            }
            bar.finish_and_clear();
        };
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(turn).ok();
        Waiting { shown: Some(Shown { stage: self, end: Some(end), thread }) }
    }
}

impl Waiting<'_> {
    /// Takes the sign away.
    pub(crate) fn end(self) {
        drop(self);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some(mut shown) = self.shown.take() else { return };
        drop(shown.end.take());
        if let Some(thread) = shown.thread.take() {
            // The thread only draws: a panic there has been printed and does no harm.
            drop(thread.join());
        }
        shown.stage.taken.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Stage;

    #[test]
    fn there_is_one_sign_at_a_time() {
        assert!(Stage::new(false).show("a").shown.is_none());
        let stage = Stage::new(true);
        let first = stage.show("a");
        assert!(first.shown.is_some());
        assert!(stage.show("b").shown.is_none());
        first.end();
        assert!(stage.show("c").shown.is_some());
    }
}
