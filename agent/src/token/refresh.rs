//! When a token is replaced ahead of its end: while it is still good, so that git never waits for a mint.

use std::time::Duration;

use crate::clock::Moment;

/// The earliest part of a token's life at which it is replaced.
const EARLIEST: f64 = 0.50;
/// The latest. With GitHub's hour that is 5 minutes before the end; `min_ttl` usually makes it earlier.
const LATEST: f64 = 0.92;
/// A scope that was not used during this time is not kept fresh.
const IN_USE: Duration = Duration::from_secs(600);
/// How long to wait after a refresh that failed. The token at hand is still good.
const RETRY: Duration = Duration::from_secs(60);

/// The plan for one token, on the boot clock, which cannot be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refresh {
    at: Duration,
}

impl Refresh {
    /// Plans for a token that is minted now and lives that long. Uniformly jittered by `chance`, a number from 0 to 1, so that
    /// tokens that were minted together are not replaced together.
    pub fn plan(life: Duration, now: Moment, chance: f64) -> Self {
        Self { at: now.boot + life.mul_f64(EARLIEST + (LATEST - EARLIEST) * chance) }
    }

    /// How long it is until then.
    pub fn left(self, now: Moment) -> Duration {
        self.at.saturating_sub(now.boot)
    }

    /// Whether it is time, for a token that was last used then. Says yes once, and again only after the time of a retry.
    pub fn is_due(&mut self, last_used: Moment, now: Moment) -> bool {
        let in_use = now.boot.saturating_sub(last_used.boot) <= IN_USE;
        let due = in_use && now.boot >= self.at;
        if due {
            self.at = now.boot + RETRY;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::Refresh;
    use crate::clock::{Clock, Moment, TestClock};

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_token_is_replaced_between_half_and_nine_tenths_of_its_life() {
        let clock = TestClock::at(0);
        assert_eq!(Refresh::plan(HOUR, clock.now(), 0.0).left(clock.now()).as_secs(), 1800);
        assert_eq!(Refresh::plan(HOUR, clock.now(), 1.0).left(clock.now()).as_secs(), 3312);
    }

    #[test]
    fn only_a_token_in_use_is_replaced_and_one_attempt_is_made_at_a_time() {
        let clock = TestClock::at(0);
        let mut refresh = Refresh::plan(HOUR, clock.now(), 0.0);
        let used = clock.now();
        clock.pass(1799);
        assert!(!refresh.is_due(clock.now(), clock.now()), "too early");
        clock.pass(1);
        assert!(!refresh.is_due(used, clock.now()), "nobody has asked for half an hour");
        assert!(refresh.is_due(clock.now(), clock.now()));
        assert!(!refresh.is_due(clock.now(), clock.now()), "one is under way");
        clock.pass(60);
        assert!(refresh.is_due(clock.now(), clock.now()), "it failed, and is tried again");
    }

    proptest! {
        #[test]
        fn a_plan_lies_between_half_and_nine_tenths_of_any_life(
            life in 1..=86_400_000_u64,
            boot in any::<u32>(),
            chance in 0.0..=1.0_f64,
        ) {
            let (life, minted) = (Duration::from_millis(life), Moment { wall: 0, boot: Duration::from_secs(boot.into()) });
            let mut refresh = Refresh::plan(life, minted, chance);
            let left = refresh.left(minted);
            let rounding = Duration::from_nanos(1);
            prop_assert!(left + rounding >= life * 50 / 100 && left <= life * 92 / 100 + rounding, "{:?} of {:?}", left, life);
            let before = Moment { boot: (minted.boot + left).saturating_sub(rounding), ..minted };
            prop_assert!(!refresh.is_due(before, before));
            let then = Moment { boot: minted.boot + left, ..minted };
            prop_assert!(refresh.is_due(then, then));
        }
    }
}
