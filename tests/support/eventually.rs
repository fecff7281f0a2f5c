//! Waiting for a change that nothing announces: a test looks again and again, with a rest in between.
//!
//! Where something announces it (a line is written, a call arrives, a process exits), wait for that instead:
//! [`process`](crate::process) and [`github`](crate::github) do. This file uses nothing but the standard library: packages that
//! would otherwise build the whole simulator for it include it by its path.

use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

/// How long it may take. Generous, because it only decides how long a *failing* test takes.
const LIMIT: Duration = Duration::from_secs(60);
/// The rest before the next look is this part of the time so far: a slow change is looked at rarely.
const PART: u32 = 10;
/// No rest is shorter.
const SHORTEST: Duration = Duration::from_millis(1);
/// No rest is longer.
const LONGEST: Duration = Duration::from_millis(100);

/// What a look tells: whether it is so, and what was found or is missing.
pub trait Look {
    /// What was waited for.
    type Found;

    /// It, or what there was instead.
    fn found(self) -> Result<Self::Found, String>;
}

impl Look for bool {
    type Found = ();

    fn found(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("it is not so".to_owned()) }
    }
}

impl<T> Look for Option<T> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.ok_or_else(|| "there is none".to_owned())
    }
}

impl<T, E: Debug> Look for Result<T, E> {
    type Found = T;

    fn found(self) -> Result<T, String> {
        self.map_err(|instead| format!("{instead:?}"))
    }
}

/// Looks until it is so, and returns what was found.
///
/// # Panics
///
/// After a minute, with what was waited for and what there was instead.
#[track_caller]
pub fn eventually<L: Look>(what: &str, look: impl FnMut() -> L) -> L::Found {
    eventually_within(LIMIT, what, look)
}

/// The same for what has to come about sooner, because it might come about by itself later.
///
/// # Panics
///
/// When the time is up, with what was waited for and what there was instead.
#[track_caller]
pub fn eventually_within<L: Look>(limit: Duration, what: &str, mut look: impl FnMut() -> L) -> L::Found {
    let begin = Instant::now();
    loop {
        // The last look begins when the time is up or later: a machine that was busy elsewhere has had its chance.
        let elapsed = begin.elapsed();
        let instead = match look().found() {
            Ok(found) => return found,
            Err(instead) => instead,
        };
        assert!(elapsed < limit, "waited {:.1?} for this: {what}; {instead}", begin.elapsed());
        // Waking early does no harm: it looks again.
        thread::park_timeout((elapsed / PART).clamp(SHORTEST, LONGEST));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{eventually, eventually_within};

    #[test]
    fn what_comes_about_is_returned() {
        let mut looks = 0;
        let found = eventually("the third look", || {
            looks += 1;
            (looks == 3).then_some("it")
        });
        assert_eq!((found, looks), ("it", 3));
    }

    #[test]
    #[should_panic(expected = "for this: a miracle; \"only water\"")]
    fn what_does_not_is_named_with_what_there_was_instead() {
        eventually_within(Duration::ZERO, "a miracle", || Err::<(), _>("only water"));
    }
}
