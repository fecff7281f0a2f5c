//! How many lines of the log the far side of an exposed socket may fill: so many in a minute, and the others are counted.
//!
//! It asks as often as it likes. If each question were a line, it would decide how far back the log reaches.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ghapp_protocol::message::Label;

use crate::clock::Moment;

/// Lines of one kind and one socket in a span: one a second.
pub(super) const LINES: u64 = 60;
/// How long a span is.
pub(super) const SPAN: Duration = Duration::from_secs(60);

/// What a line is about. Each kind has a budget of its own, so that answers from the cache cannot hide refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// An answer from the cache.
    Hit,
    /// Anything else: a refusal, an error, a token that was reported.
    Other,
}

/// How many lines were left out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) label: Label,
    pub(super) kind: Kind,
    pub(super) count: u64,
    /// When the last of them was asked.
    pub(super) wall: i64,
}

/// The budgets of all exposed sockets, by their labels: a socket that is closed and exposed again has what is left of its minute.
#[derive(Default)]
pub(super) struct Budgets {
    spans: Mutex<BTreeMap<(Label, Kind), Span>>,
}

struct Span {
    begin: Duration,
    lines: u64,
    last: i64,
}

impl Budgets {
    /// Whether a line may be written. One that may not is counted.
    pub(super) fn admit(&self, label: &Label, kind: Kind, now: Moment) -> bool {
        let mut spans = self.spans();
        let span = spans.entry((label.clone(), kind)).or_insert(Span { begin: now.boot, lines: 0, last: 0 });
        span.lines += 1;
        span.last = now.wall;
        span.lines <= LINES
    }

    /// Ends the spans that are over, or all of them at the end, and tells what was left out in them.
    pub(super) fn settle(&self, now: Option<Moment>) -> Vec<LeftOut> {
        let mut left_out = Vec::new();
        self.spans().retain(|(label, kind), span| {
            let goes_on = now.is_some_and(|now| now.boot.saturating_sub(span.begin) < SPAN);
            if !goes_on && span.lines > LINES {
                let count = span.lines - LINES;
                left_out.push(LeftOut { label: label.clone(), kind: *kind, count, wall: span.last });
            }
            goes_on
        });
        left_out
    }

    fn spans(&self) -> MutexGuard<'_, BTreeMap<(Label, Kind), Span>> {
        // Numbers are whole even if a thread panicked with the lock in its hand.
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::message::Label;

    use super::{Budgets, Kind, LINES, LeftOut, SPAN};
    use crate::clock::{Clock, TestClock};

    #[test]
    fn what_exceeds_the_budget_of_a_socket_is_counted_and_told_once() {
        let (budgets, clock) = (Budgets::default(), TestClock::at(1000));
        let (noisy, quiet) = (Label::parse("noisy").unwrap(), Label::parse("quiet").unwrap());
        let written = (0..1000).filter(|_| budgets.admit(&noisy, Kind::Other, clock.now())).count();
        assert_eq!(written as u64, LINES);
        assert!(budgets.admit(&noisy, Kind::Hit, clock.now()), "hits have a budget of their own");
        assert!(budgets.admit(&quiet, Kind::Other, clock.now()), "and so has each socket");
        assert_eq!(budgets.settle(Some(clock.now())), []);
        clock.pass(u32::try_from(SPAN.as_secs()).unwrap());
        let told = LeftOut { label: noisy.clone(), kind: Kind::Other, count: 1000 - LINES, wall: 1000 };
        assert_eq!(budgets.settle(Some(clock.now())), [told]);
        assert_eq!(budgets.settle(None), [], "nothing is kept of a socket that asks no more");
        assert!(budgets.admit(&noisy, Kind::Other, clock.now()), "the next minute is another one");
    }
}
