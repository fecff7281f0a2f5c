//! Whatever happens to a cache and to the clocks: no token is handed out that is dead, dying or refused.

use std::time::Duration;

use ghapp_protocol::remote::{Host, RepositoryName};
use ghapp_protocol::secret::Secret;
use ghapp_protocol::token_hash::TokenHash;
use proptest::collection::vec;
use proptest::prelude::*;

use super::tests::successor;
use super::{Minted, Refresh, TokenCache};
use crate::clock::Moment;
use crate::model::{AppName, InstallationId, InstallationToken, Permissions, RepositorySet, TokenScope};
use crate::token::Reached;

const YEAR: i64 = 365 * 86_400;

/// Something that happens. Scopes and tokens are given by index.
#[derive(Debug, Clone)]
enum Event {
    /// Time passes on both clocks, in milliseconds; a suspended machine is the same, only longer.
    Pass(u64),
    /// Time passes until the newest token of a scope has that much life left, in milliseconds.
    Approach {
        scope: usize,
        left: u64,
    },
    /// The wall clock is set, by so many seconds.
    SetWall(i64),
    Put {
        scope: usize,
        life: i64,
    },
    Use {
        scope: usize,
        min_ttl: u64,
    },
    Peek {
        scope: usize,
        min_ttl: u64,
    },
    Erase(usize),
    Retire(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let min_ttl = || prop_oneof![Just(0), Just(600), 0..=3600_u64];
    prop_oneof![
        4 => (0..=7_200_000_u64).prop_map(Event::Pass),
        4 => (0..=900_000_u64).prop_map(Event::Pass),
        1 => (0..=30 * 86_400_000_u64).prop_map(Event::Pass),
        4 => (0..3_usize, prop_oneof![598_000..=602_000_u64, 0..=2_000_u64])
            .prop_map(|(scope, left)| Event::Approach { scope, left }),
        2 => (-YEAR..=YEAR).prop_map(Event::SetWall),
        1 => (-600..=600_i64).prop_map(Event::SetWall),
        5 => (0..3_usize, prop_oneof![Just(3600), 1..=3600_i64]).prop_map(|(scope, life)| Event::Put { scope, life }),
        8 => (0..3_usize, min_ttl()).prop_map(|(scope, min_ttl)| Event::Use { scope, min_ttl }),
        2 => (0..3_usize, min_ttl()).prop_map(|(scope, min_ttl)| Event::Peek { scope, min_ttl }),
        2 => any::<usize>().prop_map(Event::Erase),
        1 => any::<usize>().prop_map(Event::Retire),
    ]
}

fn scope(number: usize) -> TokenScope {
    TokenScope {
        app: AppName::parse("bot").unwrap(),
        host: Host::parse("github.com").unwrap(),
        installation: InstallationId(1),
        repositories: RepositorySet::One(RepositoryName::parse(&format!("r{number}")).unwrap()),
        permissions: Permissions::for_git(),
        exposure: None,
    }
}

/// What is true about a token, whatever the cache believes.
struct Truth {
    scope: usize,
    hash: TokenHash,
    dies: Duration,
    /// Erased or retired.
    gone: bool,
    /// The wall clock has not been set since it was minted.
    steady: bool,
}

/// The world outside of the cache.
struct World {
    cache: TokenCache,
    wall_ms: i64,
    boot: Duration,
    tokens: Vec<Truth>,
}

impl World {
    fn now(&self) -> Moment {
        Moment { wall: self.wall_ms.div_euclid(1000), boot: self.boot }
    }

    fn newest(&self, scope: usize) -> Option<&Truth> {
        self.tokens.iter().rfind(|token| token.scope == scope)
    }

    fn pass(&mut self, time: Duration) {
        self.boot += time;
        self.wall_ms += i64::try_from(time.as_millis()).unwrap();
    }

    fn put(&mut self, number: usize, life: i64) {
        let at = self.now();
        let secret = Secret::new(format!("token {}", self.tokens.len()));
        let token = InstallationToken::new(secret, at.wall + life, Permissions::for_git());
        let life = Duration::from_secs(life.unsigned_abs());
        let hash = token.hash;
        self.tokens.push(Truth { scope: number, hash, dies: at.boot + life, gone: false, steady: true });
        let refresh = Refresh::plan(life, at, 0.5);
        let successor = successor();
        let minted = Minted { token, account: None, program: None, successor, at, refresh, reached: Reached::AsAsked };
        self.cache.put(scope(number), minted);
    }

    fn check_offer(&self, number: usize, min_ttl: u64, offered: Option<TokenHash>) -> Result<(), TestCaseError> {
        let min_ttl = Duration::from_secs(min_ttl);
        // Only the newest token of a scope serves it; when that is gone, no older one comes back.
        let newest = self.newest(number);
        let left = newest.map_or(Duration::ZERO, |token| token.dies.saturating_sub(self.boot));
        if let Some(hash) = offered {
            let token = newest.filter(|token| token.hash == hash);
            prop_assert!(token.is_some_and(|token| !token.gone), "another token, or one that was refused");
            prop_assert!(!left.is_zero(), "a dead token");
            prop_assert!(left >= min_ttl, "{left:?} left of {min_ttl:?}");
        } else {
            // The wall clock has whole seconds, so it may be one behind.
            let good = left > min_ttl + Duration::from_secs(1);
            let refused = newest.is_none_or(|token| token.gone || !token.steady);
            prop_assert!(refused || !good, "a good token was withheld: {left:?} left of {min_ttl:?}");
        }
        Ok(())
    }

    fn happens(&mut self, event: &Event) -> Result<(), TestCaseError> {
        let now = self.now();
        match *event {
            Event::Pass(milliseconds) => self.pass(Duration::from_millis(milliseconds)),
            Event::Approach { scope, left } => {
                let dies = self.newest(scope).map_or(Duration::ZERO, |token| token.dies);
                self.pass(dies.saturating_sub(Duration::from_millis(left)).saturating_sub(self.boot));
            }
            Event::SetWall(seconds) => {
                self.wall_ms += seconds * 1000;
                self.tokens.iter_mut().for_each(|token| token.steady = false);
            }
            Event::Put { scope, life } => self.put(scope, life),
            Event::Use { scope: number, min_ttl } => {
                let lease = self.cache.use_token(&scope(number), Duration::from_secs(min_ttl), now);
                let offered = lease.map(|lease| lease.minted.token.hash);
                self.check_offer(number, min_ttl, offered)?;
            }
            Event::Peek { scope: number, min_ttl } => {
                let lease = self.cache.peek(&scope(number), Duration::from_secs(min_ttl), now);
                let offered = lease.map(|lease| lease.minted.token.hash);
                self.check_offer(number, min_ttl, offered)?;
            }
            Event::Erase(_) | Event::Retire(_) if self.tokens.is_empty() => {}
            Event::Erase(index) => {
                let index = index % self.tokens.len();
                self.cache.erase(&scope(0).host, &self.tokens[index].hash, None);
                self.tokens[index].gone = true;
            }
            Event::Retire(index) => {
                let index = index % self.tokens.len();
                let hash = self.tokens[index].hash;
                let id = self.cache.live(now).find(|lease| lease.minted.token.hash == hash).map(|lease| lease.id);
                if let Some(id) = id {
                    self.cache.retire(id);
                    self.tokens[index].gone = true;
                }
            }
        }
        let now = self.now();
        for lease in self.cache.live(now) {
            let token = self.tokens.iter().find(|token| token.hash == lease.minted.token.hash);
            prop_assert!(token.is_some_and(|token| token.dies > now.boot), "a dead token is listed");
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn no_history_makes_the_cache_hand_out_a_bad_token_or_withhold_a_good_one(
        wall in 0..2_000_000_000_i64,
        boot in 0..10_000_000_u64,
        events in vec(event(), 1..60),
    ) {
        let boot = Duration::from_millis(boot);
        let mut world = World { cache: TokenCache::default(), wall_ms: wall * 1000, boot, tokens: Vec::new() };
        for event in &events {
            world.happens(event)?;
        }
    }
}
