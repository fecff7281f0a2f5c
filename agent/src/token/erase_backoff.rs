//! How soon a scope may have its next token after a server refused one.
//!
//! A dead token is replaced at once. But git-lfs 3.3 asks and erases in a loop without end when a server refuses every token;
//! minting for it would run the App into GitHub's limits.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Moment;
use crate::model::TokenScope;

/// Two refusals within this time belong together.
const SAME_TROUBLE: Duration = Duration::from_secs(120);
/// The wait after the second refusal; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_secs(30);
/// Longest wait: a mended server is noticed within this time.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Most scopes that are remembered; refusals are rare.
const MAX_SCOPES: usize = 1000;

/// Scopes whose tokens were refused lately.
#[derive(Debug, Default)]
pub(crate) struct EraseBackoff {
    refused: HashMap<TokenScope, Refused>,
}

#[derive(Debug)]
struct Refused {
    at: Duration,
    wait: Duration,
}

impl Refused {
    fn end(&self) -> Duration {
        self.at + self.wait
    }
}

impl EraseBackoff {
    /// Notes that a server refused the token of this scope.
    pub(crate) fn refused(&mut self, scope: &TokenScope, now: Moment) {
        let before = self.refused.get(scope).filter(|before| now.boot < before.end() + SAME_TROUBLE);
        let wait = match before {
            None => Duration::ZERO,
            Some(before) => (before.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT),
        };
        if self.refused.len() >= MAX_SCOPES {
            self.refused.retain(|_, refused| now.boot < refused.end() + SAME_TROUBLE);
        }
        self.refused.insert(scope.clone(), Refused { at: now.boot, wait });
    }

    /// How long the next mint of this scope has to wait; `None` when it may happen at once.
    pub(crate) fn left(&self, scope: &TokenScope, now: Moment) -> Option<Duration> {
        self.refused.get(scope)?.end().checked_sub(now.boot).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ghapp_protocol::remote::{Host, RepositoryName};

    use super::EraseBackoff;
    use crate::clock::{Clock, TestClock};
    use crate::model::{AppName, InstallationId, Permissions, RepositorySet, TokenScope};

    fn scope(name: &str) -> TokenScope {
        TokenScope {
            app: AppName::parse("bot").unwrap(),
            host: Host::parse("github.com").unwrap(),
            installation: InstallationId(1),
            repositories: RepositorySet::One(RepositoryName::parse(name).unwrap()),
            permissions: Permissions::for_git(),
            exposure: None,
        }
    }

    #[test]
    fn the_first_refusal_costs_nothing_and_the_next_ones_double() {
        let (mut backoff, clock) = (EraseBackoff::default(), TestClock::at(0));
        let left = |backoff: &EraseBackoff| backoff.left(&scope("web"), clock.now()).map(|left| left.as_secs());
        backoff.refused(&scope("web"), clock.now());
        assert_eq!(left(&backoff), None);
        clock.pass(1);
        backoff.refused(&scope("web"), clock.now());
        assert_eq!(left(&backoff), Some(30));
        assert_eq!(backoff.left(&scope("api"), clock.now()), None, "only this scope");
        clock.pass(30);
        assert_eq!(left(&backoff), None);
        backoff.refused(&scope("web"), clock.now());
        assert_eq!(left(&backoff), Some(60));
        for _ in 0..10 {
            clock.pass(1000);
            backoff.refused(&scope("web"), clock.now());
        }
        assert!(backoff.left(&scope("web"), clock.now()).is_none_or(|left| left <= Duration::from_secs(900)));
    }

    #[test]
    fn two_refusals_that_lie_apart_have_nothing_to_do_with_each_other() {
        let (mut backoff, clock) = (EraseBackoff::default(), TestClock::at(0));
        backoff.refused(&scope("web"), clock.now());
        clock.pass(121);
        backoff.refused(&scope("web"), clock.now());
        assert_eq!(backoff.left(&scope("web"), clock.now()), None);
    }
}
