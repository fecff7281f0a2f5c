//! The tokens that are alive: the one that serves each scope, and those that were replaced and still live at GitHub.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ghapp_protocol::message::LeaseId;
use ghapp_protocol::remote::Host;
use ghapp_protocol::token_hash::TokenHash;

use crate::clock::Moment;
use crate::model::{ExposureId, Permissions, TokenScope};

use super::repeated::Repeated;
use super::{Minted, Refresh, TokenLease};

/// Most tokens that are kept. Beyond that the least recently used one is no longer handed out; it expires with its hour.
const MAX_TOKENS: usize = 10_000;

/// Live tokens.
#[derive(Default)]
pub(crate) struct TokenCache {
    leases: BTreeMap<LeaseId, TokenLease>,
    serving: HashMap<Arc<TokenScope>, LeaseId>,
    /// The planned replacements of tokens ahead of their end, the next one first. Each token serves its scope.
    renewals: BTreeSet<(Refresh, LeaseId)>,
    permissions: Repeated<Permissions>,
    programs: Repeated<Arc<str>>,
    last_id: u64,
}

impl TokenCache {
    /// The token for a scope, if it has at least that much life left. Counts as a use.
    pub(crate) fn use_token(&mut self, scope: &TokenScope, at_least: Duration, now: Moment) -> Option<&TokenLease> {
        let lease = self.leases.get_mut(self.serving.get(scope)?)?;
        if !lease.serves(at_least, now) {
            return None;
        }
        lease.uses += 1;
        lease.last_used = now;
        Some(lease)
    }

    /// The token for a scope, if it has at least that much life left. Counts as no use.
    pub(crate) fn peek(&self, scope: &TokenScope, at_least: Duration, now: Moment) -> Option<&TokenLease> {
        self.leases.get(self.serving.get(scope)?).filter(|lease| lease.serves(at_least, now))
    }

    /// Whether a token is the one that its scope is served with.
    pub(crate) fn is_serving(&self, id: LeaseId) -> bool {
        self.leases.get(&id).is_some_and(|lease| self.serving.get(&lease.scope) == Some(&id))
    }

    /// Whether a token that serves its scope is to be replaced now. Says yes once.
    pub(crate) fn refresh_is_due(&mut self, id: LeaseId, now: Moment) -> bool {
        let Some(lease) = self.leases.get_mut(&id) else { return false };
        self.serving.get(&lease.scope) == Some(&id) && lease.refresh.is_due(lease.last_used, now)
    }

    /// Adds a token that from now on serves its scope. The one it replaces stays listed until it dies.
    pub(crate) fn put(&mut self, mut scope: TokenScope, mut minted: Minted) -> &TokenLease {
        self.purge(minted.at);
        if self.leases.len() >= MAX_TOKENS {
            let idle = self.leases.values().min_by_key(|lease| lease.last_used.boot);
            if let Some(id) = idle.map(|lease| lease.id) {
                self.remove(id);
            }
        }
        self.last_id += 1;
        let id = LeaseId(self.last_id);
        scope.permissions = self.permissions.one(scope.permissions);
        minted.token.permissions = self.permissions.one(minted.token.permissions);
        minted.program = minted.program.map(|program| self.programs.one(program));
        // The old key goes as well, or it would be kept beside the new one.
        if let Some(replaced) = self.serving.remove(&scope).and_then(|id| self.leases.get(&id)) {
            self.renewals.remove(&replaced.renewal());
        }
        let (scope, refresh, last_used) = (Arc::new(scope), minted.refresh, minted.at);
        self.serving.insert(Arc::clone(&scope), id);
        let minted = Arc::new(minted);
        self.leases.entry(id).or_insert(TokenLease { id, scope, minted, refresh, last_used, uses: 0 })
    }

    /// Plans to replace a token ahead of its end, for as long as it serves its scope. Says whether it is the next one.
    pub(crate) fn plan_renewal(&mut self, id: LeaseId) -> bool {
        let Some(renewal) = self.leases.get(&id).filter(|_| self.is_serving(id)).map(TokenLease::renewal) else {
            return false;
        };
        self.renewals.insert(renewal);
        self.renewals.first() == Some(&renewal)
    }

    /// How long it is until the next planned replacement, if there is one.
    pub(crate) fn next_renewal(&self, now: Moment) -> Option<Duration> {
        self.renewals.first().map(|(refresh, _)| refresh.left(now))
    }

    /// A token in use that is due for replacement, if there is one. Each is returned once.
    pub(crate) fn take_renewal(&mut self, now: Moment) -> Option<&TokenLease> {
        loop {
            self.renewals.first().filter(|(refresh, _)| refresh.left(now).is_zero())?;
            let (_, id) = self.renewals.pop_first()?;
            if self.refresh_is_due(id, now) {
                return self.leases.get(&id);
            }
        }
    }

    /// Drops exactly the token of that host with that hash; for a client of an exposed socket, only if it was given out there.
    /// Returns it.
    pub(crate) fn erase(&mut self, host: &Host, hash: &TokenHash, exposure: Option<&ExposureId>) -> Option<TokenLease> {
        // Rare, so there is no index to be kept for it.
        let lease = self.leases.values().find(|lease| lease.minted.token.hash == *hash)?;
        let (id, scope) = (lease.id, &lease.scope);
        let may_drop = scope.host == *host && exposure.is_none_or(|exposure| scope.exposure.as_ref() == Some(exposure));
        may_drop.then(|| self.remove(id)).flatten()
    }

    /// Keeps a token from being handed out again; it stays listed, since it still lives at GitHub.
    pub(crate) fn retire(&mut self, id: LeaseId) -> Option<&TokenLease> {
        let lease = self.leases.get(&id)?;
        if self.serving.get(&lease.scope) == Some(&id) {
            self.serving.remove(&lease.scope);
            self.renewals.remove(&lease.renewal());
        }
        Some(lease)
    }

    /// Takes a token out.
    pub(crate) fn remove(&mut self, id: LeaseId) -> Option<TokenLease> {
        let lease = self.leases.remove(&id)?;
        if self.serving.get(&lease.scope) == Some(&id) {
            self.serving.remove(&lease.scope);
            self.renewals.remove(&lease.renewal());
        }
        Some(lease)
    }

    /// Drops all tokens; later ones go on being counted from where these ended.
    pub(crate) fn clear(&mut self) {
        let last_id = self.last_id;
        *self = Self { last_id, ..Self::default() };
    }

    /// How many tokens have been minted.
    pub(crate) fn count(&self) -> u64 {
        self.last_id
    }

    /// The tokens that are alive, in the order of their minting.
    pub(crate) fn live(&self, now: Moment) -> impl Iterator<Item = &TokenLease> {
        self.leases.values().filter(move |lease| lease.lives(Duration::ZERO, now))
    }

    /// All tokens, those that died since the last mint included.
    pub(crate) fn all(&self) -> impl Iterator<Item = &TokenLease> {
        self.leases.values()
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
mod properties;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ghapp_protocol::remote::{Host, Owner, RepositoryName};
    use ghapp_protocol::secret::Secret;
    use ghapp_protocol::token_hash::TokenHash;

    use super::{Minted, Refresh, TokenCache};
    use crate::clock::{Clock, TestClock};
    use crate::model::{AppName, Caller, InstallationId, InstallationToken, Permissions, RepositorySet, TokenScope};
    use crate::token::{Reached, Successor};

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

    pub(super) fn successor() -> Successor {
        let owner = Owner::parse("acme").unwrap();
        Successor { owner, pinned: None, min_ttl: MIN_TTL, repository: None, for_git: false, caller: Caller::default() }
    }

    fn minted(token: &str, clock: &TestClock) -> Minted {
        let at = clock.now();
        Minted {
            token: InstallationToken::new(Secret::new(token.to_owned()), at.wall + 3600, Permissions::for_git()),
            account: None,
            program: Some("git".into()),
            successor: successor(),
            at,
            refresh: Refresh::plan(Duration::from_secs(3600), at, 0.0),
            reached: Reached::AsAsked,
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

    /// The tokens that are to be replaced now, in that order.
    fn renewals(cache: &mut TokenCache, clock: &TestClock) -> Vec<String> {
        let text = |lease: &super::TokenLease| lease.minted.token.secret.expose().to_owned();
        std::iter::from_fn(|| cache.take_renewal(clock.now()).map(text)).collect()
    }

    #[test]
    fn tokens_are_replaced_when_their_time_comes_each_once_and_the_next_one_is_known() {
        let (mut cache, clock) = (TokenCache::default(), TestClock::at(1000));
        assert_eq!(cache.next_renewal(clock.now()), None);
        for (repository, chance, first) in [("b", 0.5, true), ("c", 1.0, false), ("a", 0.0, true)] {
            let refresh = Refresh::plan(Duration::from_secs(3600), clock.now(), chance);
            let id = cache.put(scope(repository), Minted { refresh, ..minted(repository, &clock) }).id;
            assert_eq!(cache.plan_renewal(id), first, "{repository}");
        }
        assert_eq!(cache.next_renewal(clock.now()).unwrap().as_secs(), 1800);
        clock.pass(1799);
        assert!(renewals(&mut cache, &clock).is_empty());
        clock.pass(1513);
        for repository in ["a", "b", "c"] {
            cache.use_token(&scope(repository), Duration::ZERO, clock.now()).unwrap();
        }
        assert_eq!(renewals(&mut cache, &clock), ["a", "b", "c"]);
        assert_eq!(cache.next_renewal(clock.now()), None);
    }

    #[test]
    fn a_token_that_nobody_has_used_lately_is_not_replaced() {
        let (mut cache, clock) = (TokenCache::default(), TestClock::at(1000));
        for repository in ["idle", "used"] {
            let id = cache.put(scope(repository), minted(repository, &clock)).id;
            cache.plan_renewal(id);
        }
        clock.pass(1800);
        cache.use_token(&scope("used"), Duration::ZERO, clock.now()).unwrap();
        assert_eq!(renewals(&mut cache, &clock), ["used"]);
        cache.use_token(&scope("idle"), Duration::ZERO, clock.now()).unwrap();
        assert!(renewals(&mut cache, &clock).is_empty(), "whoever asks next has it replaced");
    }

    #[test]
    fn a_token_that_no_longer_serves_its_scope_is_not_replaced() {
        let (mut cache, clock) = (TokenCache::default(), TestClock::at(1000));
        let mut put = |repository: &str, token: &str| {
            let id = cache.put(scope(repository), minted(token, &clock)).id;
            cache.plan_renewal(id);
            id
        };
        put("web", "old");
        let (_, retired, removed) = (put("WEB", "new"), put("api", "retired"), put("doc", "removed"));
        put("lib", "erased");
        cache.retire(retired);
        cache.remove(removed);
        cache.erase(&scope("lib").host, &TokenHash::of(b"erased"), None).unwrap();
        assert!(!cache.plan_renewal(retired), "too late");
        clock.pass(1800);
        cache.use_token(&scope("web"), Duration::ZERO, clock.now()).unwrap();
        assert_eq!(renewals(&mut cache, &clock), ["new"]);
        assert_eq!(cache.next_renewal(clock.now()), None);
        let id = cache.put(scope("web"), minted("last", &clock)).id;
        cache.plan_renewal(id);
        cache.clear();
        assert_eq!(cache.next_renewal(clock.now()), None);
    }

    #[test]
    fn what_thousands_of_tokens_have_in_common_is_kept_once() {
        let (mut cache, clock) = (TokenCache::default(), TestClock::at(1000));
        cache.put(scope("web"), minted("a", &clock));
        cache.put(scope("api"), minted("b", &clock));
        let leases: Vec<_> = cache.live(clock.now()).collect();
        let [a, b] = leases.as_slice() else { panic!("{leases:?}") };
        let programs = [a, b].map(|lease| lease.minted.program.as_deref().unwrap().as_ptr());
        assert_eq!(programs[0], programs[1]);
        let permissions = [&a.scope.permissions, &a.minted.token.permissions, &b.minted.token.permissions];
        let names = permissions.map(|permissions| permissions.iter().next().unwrap().0.as_ptr());
        assert!(names.iter().all(|name| *name == names[0]));
    }
}
