//! The tokens that are alive: the one that serves each scope, and those that were replaced and still live at GitHub.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::message::{LeaseId, RequestedBy};
use ghapp_protocol::remote::Host;
use ghapp_protocol::token_hash::TokenHash;

use crate::clock::Moment;
use crate::model::{ExposureId, InstallationToken, TokenScope};

use super::{Refresh, RefreshTimer};

/// Most tokens that are kept. Beyond that the one that was used longest ago is no longer handed out; it dies with its hour.
const MAX_TOKENS: usize = 10_000;

/// How long an old name is believed to mean the renamed repository.
const RENAMED_FOR: Duration = Duration::from_secs(10 * 60);

/// A token that has just been minted, with what its lease says.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The token.
    pub token: InstallationToken,
    /// The account that its installation belongs to.
    pub account: String,
    /// Who asked first.
    pub requested_by: RequestedBy,
    /// When it was minted.
    pub at: Moment,
    /// When it is to be replaced, as it was planned.
    pub refresh: Refresh,
    /// It was minted for a repository that has been renamed, under its old name. Somebody else may take that name any time.
    pub renamed: bool,
}

/// A live token and its history. A copy of it is cheap, and holds no copy of the token: each question gets one.
#[derive(Debug, Clone)]
pub struct TokenLease {
    /// Its name for people.
    pub id: LeaseId,
    /// What it reaches and may do.
    pub scope: Arc<TokenScope>,
    /// The token and its origin.
    pub minted: Arc<Minted>,
    /// When it is to be replaced.
    refresh: Refresh,
    /// When it was last handed out.
    pub last_used: Moment,
    /// How often it was handed out.
    pub uses: u64,
}

impl TokenLease {
    /// When it is to be replaced.
    pub fn refresh(&self) -> Refresh {
        self.refresh
    }

    /// Whether the token may be handed out: it has that much life left, and its scope still means what it meant.
    fn serves(&self, at_least: Duration, now: Moment) -> bool {
        let age = now.boot.saturating_sub(self.minted.at.boot);
        self.lives(at_least, now) && (!self.minted.renamed || age < RENAMED_FOR)
    }

    /// Whether the token has at least that much life left.
    ///
    /// Both clocks have to agree: the wall clock knows what GitHub meant, and the boot clock notices when somebody set the wall
    /// clock back (a token would seem to live longer than it does).
    fn lives(&self, at_least: Duration, now: Moment) -> bool {
        let least = i64::try_from(at_least.as_secs()).unwrap_or(i64::MAX);
        let wall_left = self.minted.token.expires_at.saturating_sub(now.wall);
        let life = self.minted.token.expires_at.saturating_sub(self.minted.at.wall);
        let life = Duration::from_secs(u64::try_from(life).unwrap_or(0));
        let boot_left = life.saturating_sub(now.boot.saturating_sub(self.minted.at.boot));
        wall_left > 0 && wall_left >= least && !boot_left.is_zero() && boot_left >= at_least
    }
}

/// Live tokens.
#[derive(Default)]
pub struct TokenCache {
    leases: BTreeMap<LeaseId, TokenLease>,
    serving: HashMap<Arc<TokenScope>, LeaseId>,
    by_hash: HashMap<TokenHash, LeaseId>,
    /// Of tokens that serve their scope.
    timers: HashMap<LeaseId, RefreshTimer>,
    last_id: u64,
}

impl TokenCache {
    /// The token for a scope, if it has at least that much life left. Counts as a use.
    pub fn use_token(&mut self, scope: &TokenScope, at_least: Duration, now: Moment) -> Option<&TokenLease> {
        let lease = self.leases.get_mut(self.serving.get(scope)?)?;
        if !lease.serves(at_least, now) {
            return None;
        }
        lease.uses += 1;
        lease.last_used = now;
        Some(lease)
    }

    /// The token for a scope, if it has at least that much life left. Counts as no use.
    pub fn peek(&self, scope: &TokenScope, at_least: Duration, now: Moment) -> Option<&TokenLease> {
        self.leases.get(self.serving.get(scope)?).filter(|lease| lease.serves(at_least, now))
    }

    /// A token by its id.
    pub fn get(&self, id: LeaseId) -> Option<&TokenLease> {
        self.leases.get(&id)
    }

    /// Whether a token that serves its scope is to be replaced now. Says yes once.
    pub fn refresh_is_due(&mut self, id: LeaseId, now: Moment) -> bool {
        let Some(lease) = self.leases.get_mut(&id) else { return false };
        self.serving.get(&lease.scope) == Some(&id) && lease.refresh.is_due(lease.last_used, now)
    }

    /// Adds a token that from now on serves its scope. The one it replaces stays listed until it dies.
    pub fn put(&mut self, scope: TokenScope, minted: Minted) -> &TokenLease {
        self.purge(minted.at);
        if self.leases.len() >= MAX_TOKENS {
            let idle = self.leases.values().min_by_key(|lease| lease.last_used.boot);
            if let Some(id) = idle.map(|lease| lease.id) {
                self.remove(id);
            }
        }
        self.last_id += 1;
        let id = LeaseId(self.last_id);
        self.by_hash.insert(minted.token.hash, id);
        let (scope, refresh, last_used) = (Arc::new(scope), minted.refresh, minted.at);
        if let Some(replaced) = self.serving.insert(Arc::clone(&scope), id) {
            self.timers.remove(&replaced);
        }
        let minted = Arc::new(minted);
        self.leases.entry(id).or_insert(TokenLease { id, scope, minted, refresh, last_used, uses: 0 })
    }

    /// Lets a timer run for as long as the token serves its scope.
    pub fn keep_timer(&mut self, id: LeaseId, timer: RefreshTimer) {
        let serves = self.leases.get(&id).is_some_and(|lease| self.serving.get(&lease.scope) == Some(&id));
        if serves {
            self.timers.insert(id, timer);
        }
    }

    /// Drops exactly the token of that host with that hash; for who is behind an exposed socket, only if it was given out there. Tells
    /// what it was.
    pub fn erase(&mut self, host: &Host, hash: &TokenHash, guest: Option<&ExposureId>) -> Option<TokenLease> {
        let id = *self.by_hash.get(hash)?;
        let scope = &self.leases.get(&id)?.scope;
        let may_drop = scope.host == *host && guest.is_none_or(|guest| scope.exposure.as_ref() == Some(guest));
        may_drop.then(|| self.remove(id)).flatten()
    }

    /// Keeps a token from being handed out again; it stays listed, since it still lives at GitHub.
    pub fn retire(&mut self, id: LeaseId) -> Option<&TokenLease> {
        let lease = self.leases.get(&id)?;
        if self.serving.get(&lease.scope) == Some(&id) {
            self.serving.remove(&lease.scope);
            self.timers.remove(&id);
        }
        Some(lease)
    }

    /// Takes a token out.
    pub fn remove(&mut self, id: LeaseId) -> Option<TokenLease> {
        let lease = self.leases.remove(&id)?;
        self.by_hash.remove(&lease.minted.token.hash);
        if self.serving.get(&lease.scope) == Some(&id) {
            self.serving.remove(&lease.scope);
            self.timers.remove(&id);
        }
        Some(lease)
    }

    /// Drops all tokens; later ones go on being counted from where these ended.
    pub fn clear(&mut self) {
        let last_id = self.last_id;
        *self = Self { last_id, ..Self::default() };
    }

    /// How many tokens there have been.
    pub fn count(&self) -> u64 {
        self.last_id
    }

    /// The tokens that are alive, in the order of their minting.
    pub fn live(&self, now: Moment) -> impl Iterator<Item = &TokenLease> {
        self.leases.values().filter(move |lease| lease.lives(Duration::ZERO, now))
    }

    /// Drops what is dead.
    fn purge(&mut self, now: Moment) {
        let dead: Vec<_> =
            self.leases.values().filter(|lease| !lease.lives(Duration::ZERO, now)).map(|lease| lease.id).collect();
        for id in dead {
            self.remove(id);
        }
    }
}

#[cfg(test)]
mod any_history;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ghapp_protocol::message::RequestedBy;
    use ghapp_protocol::remote::{Host, RepositoryName};
    use ghapp_protocol::secret::Secret;
    use ghapp_protocol::token_hash::TokenHash;

    use super::{Minted, Refresh, TokenCache};
    use crate::clock::{Clock, TestClock};
    use crate::model::{AppName, InstallationId, InstallationToken, Permissions, RepositorySet, TokenScope};

    const MIN_TTL: Duration = Duration::from_secs(600);

    fn scope(repository: &str) -> TokenScope {
        TokenScope {
            app: AppName::parse("bot").unwrap(),
            host: Host::parse("github.com").unwrap(),
            installation: InstallationId(1),
            repositories: RepositorySet::One(RepositoryName::parse(repository).unwrap()),
            permissions: Permissions::for_git(),
            exposure: None,
        }
    }

    fn minted(token: &str, clock: &TestClock) -> Minted {
        let at = clock.now();
        Minted {
            token: InstallationToken::new(Secret::new(token.to_owned()), at.wall + 3600, Permissions::for_git()),
            account: "acme".to_owned(),
            requested_by: RequestedBy::default(),
            at,
            refresh: Refresh::plan(Duration::from_secs(3600), at, 0.0),
            renamed: false,
        }
    }

    fn served(cache: &mut TokenCache, repository: &str, clock: &TestClock) -> Option<String> {
        let lease = cache.use_token(&scope(repository), MIN_TTL, clock.now());
        lease.map(|lease| lease.minted.token.secret.expose().to_owned())
    }

    #[test]
    fn a_token_serves_its_scope_in_any_spelling_and_no_other() {
        let (mut cache, clock) = (TokenCache::default(), TestClock::at(1000));
        cache.put(scope("web"), minted("a", &clock));
        assert_eq!(served(&mut cache, "WEB", &clock).as_deref(), Some("a"));
        assert_eq!(served(&mut cache, "api", &clock), None);
        let read = Permissions::of([("contents", crate::model::Level::Read)]);
        let narrower = TokenScope { permissions: read, ..scope("web") };
        assert!(cache.use_token(&narrower, MIN_TTL, clock.now()).is_none());
    }

    #[test]
    fn a_token_is_not_handed_out_in_its_last_ten_minutes() {
        let (mut cache, clock) = (TokenCache::default(), TestClock::at(1000));
        cache.put(scope("web"), minted("a", &clock));
        clock.pass(3000);
        assert!(served(&mut cache, "web", &clock).is_some());
        clock.pass(1);
        assert!(served(&mut cache, "web", &clock).is_none());
        assert_eq!(cache.live(clock.now()).count(), 1, "it still lives at GitHub");
        clock.pass(600);
        assert_eq!(cache.live(clock.now()).count(), 0);
    }

    #[test]
    fn a_clock_that_is_set_cannot_make_a_token_live_longer() {
        let (mut cache, clock) = (TokenCache::default(), TestClock::at(100_000));
        cache.put(scope("web"), minted("a", &clock));
        clock.pass(3300);
        clock.set_wall(1000);
        assert!(served(&mut cache, "web", &clock).is_none(), "set back");
        let clock = TestClock::at(100_000);
        cache.put(scope("api"), minted("b", &clock));
        clock.set_wall(200_000);
        assert!(served(&mut cache, "api", &clock).is_none(), "set forward");
    }

    // rule 32
    #[test]
    fn erase_drops_exactly_the_token_with_that_hash() {
        let (mut cache, clock) = (TokenCache::default(), TestClock::at(1000));
        cache.put(scope("web"), minted("a", &clock));
        cache.put(scope("api"), minted("b", &clock));
        let (host, other) = (scope("web").host, Host::parse("ghes.corp").unwrap());
        assert!(cache.erase(&host, &TokenHash::of(b"somebody else's password"), None).is_none());
        assert!(
            cache.erase(&other, &TokenHash::of(b"a"), None).is_none(),
            "another server's opinion of it means nothing"
        );
        assert_eq!(served(&mut cache, "web", &clock).as_deref(), Some("a"));
        assert!(cache.erase(&host, &TokenHash::of(b"a"), None).is_some());
        assert_eq!(served(&mut cache, "web", &clock), None);
        assert_eq!(served(&mut cache, "api", &clock).as_deref(), Some("b"));
    }

    #[test]
    fn a_retired_token_serves_nobody_and_stays_listed() {
        let (mut cache, clock) = (TokenCache::default(), TestClock::at(1000));
        let id = cache.put(scope("web"), minted("a", &clock)).id;
        assert!(cache.retire(id).is_some());
        assert_eq!(served(&mut cache, "web", &clock), None);
        assert_eq!(cache.live(clock.now()).count(), 1);
    }

    #[test]
    fn a_cleared_cache_serves_and_lists_nothing_and_names_no_two_tokens_alike() {
        let (mut cache, clock) = (TokenCache::default(), TestClock::at(1000));
        let first = cache.put(scope("web"), minted("a", &clock)).id;
        cache.clear();
        assert_eq!(served(&mut cache, "web", &clock), None);
        assert_eq!(cache.live(clock.now()).count(), 0);
        assert!(cache.erase(&scope("web").host, &TokenHash::of(b"a"), None).is_none());
        assert_ne!(cache.put(scope("web"), minted("b", &clock)).id, first);
    }

    #[test]
    fn erasing_a_replaced_token_leaves_the_one_that_serves() {
        let (mut cache, clock) = (TokenCache::default(), TestClock::at(1000));
        cache.put(scope("web"), minted("old", &clock));
        cache.put(scope("web"), minted("new", &clock));
        assert_eq!(cache.live(clock.now()).count(), 2, "both live at GitHub");
        assert!(cache.erase(&scope("web").host, &TokenHash::of(b"old"), None).is_some());
        assert_eq!(served(&mut cache, "web", &clock).as_deref(), Some("new"));
    }
}
