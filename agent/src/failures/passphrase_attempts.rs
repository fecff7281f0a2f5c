//! Wrong passphrases: some are slips, many are guesses.
//!
//! What keeps a stolen file shut is the work that each guess costs. This only keeps the agent from guessing for an
//! attacker, so it is counted in memory, and an agent that is started again counts from the beginning.

use std::time::Duration;

use crate::clock::Moment;

/// Wrong passphrases in a row that cost no wait.
const FREE: u32 = 3;
/// The wait after the last free one; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// How many passphrases in a row were wrong, and until when no other is tried.
#[derive(Debug, Default)]
pub(crate) struct PassphraseAttempts {
    wrong: u32,
    /// On the boot clock, which counts sleep and cannot be set.
    closed_until: Duration,
}

impl PassphraseAttempts {
    /// Until when no passphrase is tried, in seconds since 1970.
    pub(crate) fn closed_until(&self, now: Moment) -> Option<i64> {
        let left = self.closed_until.checked_sub(now.boot).filter(|left| !left.is_zero())?;
        // Rounded up, so that it is open at that time.
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        Some(now.wall.saturating_add_unsigned(seconds))
    }

    /// Notes a wrong passphrase.
    pub(crate) fn wrong(&mut self, now: Moment) {
        self.wrong = self.wrong.saturating_add(1);
        if let Some(doublings) = self.wrong.checked_sub(FREE) {
            let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
            self.closed_until = now.boot + FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT);
        }
    }

    /// Notes the right passphrase.
    pub(crate) fn right(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::PassphraseAttempts;
    use crate::clock::Moment;

    fn at(seconds: u64) -> Moment {
        Moment { wall: 1_000_000, boot: Duration::from_secs(seconds) }
    }

    #[test]
    fn three_are_free_and_each_further_one_doubles_the_wait_up_to_an_hour() {
        let mut attempts = PassphraseAttempts::default();
        let mut waits = Vec::new();
        for _ in 0..40 {
            attempts.wrong(at(0));
            waits.push(attempts.closed_until(at(0)).map_or(0, |until| until - 1_000_000));
        }
        assert_eq!(waits[..11], [0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
        assert_eq!(waits[39], 3600);
    }

    #[test]
    fn the_wait_ends_and_the_right_passphrase_ends_the_count() {
        let mut attempts = PassphraseAttempts::default();
        for _ in 0..3 {
            attempts.wrong(at(100));
        }
        let nearly = Moment { boot: Duration::from_millis(129_900), ..at(0) };
        assert_eq!(attempts.closed_until(nearly), Some(1_000_001));
        assert_eq!(attempts.closed_until(at(130)), None);
        attempts.wrong(at(130));
        assert_eq!(attempts.closed_until(at(189)), Some(1_000_001), "what was wrong before still counts");
        attempts.right();
        attempts.wrong(at(200));
        assert_eq!(attempts.closed_until(at(200)), None);
    }
}
