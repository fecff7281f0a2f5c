//! When to try again and when not: pauses between attempts, and one circuit breaker per App. Decides, and waits for nobody.

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

/// The pause before the next attempt after `attempts` have failed; `None` when it is enough.
///
/// Full jitter: many agents that lost the same server must not come back in lockstep. `chance` is a number from 0 to 1.
pub fn pause_after(attempts: u32, chance: f64) -> Option<Duration> {
    (attempts < ATTEMPTS).then(|| FIRST_PAUSE.mul_f64(f64::from(1 << (attempts - 1)) * chance))
}

/// Whom GitHub asked to wait, and until when. One entry per App, since a limit is an App's.
#[derive(Debug, Default)]
pub struct Breakers {
    open: HashMap<AppName, Open>,
}

#[derive(Debug)]
struct Open {
    /// On the clock that nobody sets.
    until: Duration,
    /// The same by the wall clock, for people.
    wall: i64,
}

impl Breakers {
    /// Until when the App has to wait, by the wall clock; `None` when it may ask.
    pub fn waits_until(&mut self, app: &AppName, now: Moment) -> Option<i64> {
        let open = self.open.get(app)?;
        if now.boot < open.until {
            return Some(open.wall);
        }
        self.open.remove(app);
        None
    }

    /// Notes that GitHub asked to wait, until `told` if it said so. Returns until when, by the wall clock.
    pub fn limited(&mut self, app: &AppName, told: Option<i64>, now: Moment, chance: f64) -> i64 {
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

    /// Forgets what was asked of an App.
    pub fn forget(&mut self, app: &AppName) {
        self.open.remove(app);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Breakers, pause_after};
    use crate::clock::{Clock, TestClock};
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
        clock.set_wall(5_000); // somebody sets the clock: what elapsed is what counts
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
}
