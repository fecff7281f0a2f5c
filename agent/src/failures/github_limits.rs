//! When to try again and when not: pauses between attempts, and one circuit breaker per App. It decides; its callers wait.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Moment;
use crate::model::AppName;

/// Attempts at one call, the first included. GitHub's hiccups last seconds; git waits 20 of them at most.
const ATTEMPTS: u32 = 3;
/// Longest pause before the second attempt; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Shortest wait after a limit that names no time. GitHub docs, "Rate limits for the REST API": "wait for at least one minute
/// before retrying".
const LEAST_WAIT: i64 = 60;
/// Longest wait that a server can impose: GitHub's longest window is an hour. A larger number is a mistake.
const MOST_WAIT: i64 = 3600;

/// The pause before the next attempt after `attempts` have failed; `None` after the last attempt.
///
/// Full jitter: many agents that lost the same server must not come back in lockstep. `chance` is a number from 0 to 1.
pub(crate) fn pause_after(attempts: u32, chance: f64) -> Option<Duration> {
    let doubled = attempts.saturating_sub(1);
    (attempts < ATTEMPTS).then(|| FIRST_PAUSE.mul_f64(f64::from(1 << doubled) * chance))
}

/// Which Apps GitHub asked to wait, and until when. One entry per App, since a limit is an App's.
#[derive(Debug, Default)]
pub(crate) struct Breakers {
    open: HashMap<AppName, Open>,
}

#[derive(Debug)]
struct Open {
    /// On the boot clock, which cannot be set.
    until: Duration,
    /// The same by the wall clock, for people.
    wall: i64,
}

impl Breakers {
    /// Until when the App has to wait, by the wall clock; `None` when it may ask.
    pub(crate) fn waits_until(&mut self, app: &AppName, now: Moment) -> Option<i64> {
        let open = self.open.get(app)?;
        if now.boot < open.until {
            return Some(open.wall);
        }
        self.open.remove(app);
        None
    }

    /// Notes that GitHub asked to wait, until `told` if it said so. Returns until when, by the wall clock.
    pub(crate) fn limited(&mut self, app: &AppName, told: Option<i64>, now: Moment, chance: f64) -> i64 {
        let wait = match told {
            Some(until) => until.saturating_sub(now.wall).clamp(1, MOST_WAIT),
            #[expect(clippy::cast_possible_truncation, reason = "at most 60")]
            None => LEAST_WAIT + (f64::from(60) * chance) as i64,
        };
        let wall = now.wall.saturating_add(wait);
        let until = now.boot + Duration::from_secs(wait.unsigned_abs());
        self.open.insert(app.clone(), Open { until, wall });
        wall
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Breakers, pause_after};
    use crate::clock::{Clock, Moment, TestClock};
    use crate::model::AppName;

    #[test]
    fn there_are_three_attempts_with_growing_jittered_pauses() {
        assert_eq!(pause_after(1, 1.0), Some(Duration::from_millis(250)));
        assert_eq!(pause_after(2, 1.0), Some(Duration::from_millis(500)));
        assert_eq!(pause_after(2, 0.0), Some(Duration::ZERO));
        assert_eq!(pause_after(3, 1.0), None);
    }

    #[test]
    fn a_limit_is_kept_for_as_long_as_told_and_at_least_a_minute_otherwise() {
        let clock = TestClock::at(10_000);
        let (app, other) = (AppName::parse("bot").unwrap(), AppName::parse("other").unwrap());
        let mut breakers = Breakers::default();
        assert_eq!(breakers.limited(&app, Some(10_030), clock.now(), 0.0), 10_030);
        assert_eq!(breakers.waits_until(&app, clock.now()), Some(10_030));
        assert_eq!(breakers.waits_until(&other, clock.now()), None, "it is this App's limit");
        clock.set_wall(5_000); // the clock is set: only the time that elapsed counts
        clock.pass(29);
        assert!(breakers.waits_until(&app, clock.now()).is_some());
        clock.pass(1);
        assert_eq!(breakers.waits_until(&app, clock.now()), None);

        let now = clock.now();
        assert_eq!(breakers.limited(&app, None, now, 0.0), now.wall + 60);
        assert_eq!(breakers.limited(&app, None, now, 1.0), now.wall + 120);
        assert_eq!(breakers.limited(&app, Some(i64::MAX), now, 0.0), now.wall + 3600, "nonsense is bounded");
        assert_eq!(breakers.limited(&app, Some(0), now, 0.0), now.wall + 1, "so is the past");
    }

    proptest! {
        #[test]
        fn pauses_are_few_and_bounded_for_any_input(attempts in prop_oneof![0..10_u32, any::<u32>()], chance in 0.0..=1.0_f64) {
            match pause_after(attempts, chance) {
                Some(pause) => prop_assert!(attempts < 3 && pause <= Duration::from_millis(500)),
                None => prop_assert!(attempts >= 3),
            }
        }

        #[test]
        fn a_limit_lasts_from_a_second_to_an_hour_whatever_a_server_says_and_whoever_sets_the_clock(
            told in prop_oneof![Just(None), any::<i64>().prop_map(Some), (0..4_000_000_000_i64).prop_map(Some)],
            wall in prop_oneof![any::<i64>(), 0..4_000_000_000_i64],
            later in any::<i64>(),
            boot in any::<u32>(),
            chance in 0.0..=1.0_f64,
        ) {
            let app = AppName::parse("bot").unwrap();
            let boot = Duration::from_secs(boot.into());
            let mut breakers = Breakers::default();
            let until = breakers.limited(&app, told, Moment { wall, boot }, chance);
            prop_assert!((0..=3600).contains(&(i128::from(until) - i128::from(wall))));
            let mut waits = |after, wall| {
                let boot = boot + Duration::from_secs(after);
                breakers.waits_until(&app, Moment { wall, boot }).is_some()
            };
            prop_assert!(waits(0, wall), "a limit is never ignored");
            prop_assert!(told.is_some() || waits(59, later), "without a time it is a minute at least");
            prop_assert!(!waits(3600, later), "and it ends within the hour");
        }
    }
}
