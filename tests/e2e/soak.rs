//! A long life in short: thousands of questions, mints, refusals, renewals, revocations and outages leave the agent as small as it
//! was after the first hundred.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ghapp_protocol::message::{Call, Erase, Get, Reply, Revoke, TokenCall, TokenReply};
use ghapp_protocol::remote::{FullName, Host, RepositoryName};
use ghapp_protocol::token_hash::TokenHash;
use ghapp_tests::Desk;
use ghapp_tests::github::{Calls, Endpoint, Fault};
use ghapp_tests::tools::can_see_open_files;

/// Repositories; every pair of them is a set of its own, and so a token of its own.
const REPOSITORIES: usize = 40;
/// Clients that ask at the same time.
const CLIENTS: usize = 4;
/// Scopes that are asked for once and then only renewed.
const QUIET: usize = 50;
/// The rounds before the first measurement: by then connections, buffers and threads are as they will be.
const WARM_UP: usize = 120;
/// The rounds in all. In each two mints, one refusal, one revocation and a few questions that are answered from the cache.
const ROUNDS: usize = 720;
/// GitHub is out of order once in this many rounds.
const OUTAGE_EVERY: usize = 60;
/// Questions of git per round.
const QUESTIONS: usize = 6;
/// How long GitHub's tokens live here: they are renewed ahead after 62 s to 115 s, and by questions after 5 s.
const LIFE: Duration = Duration::from_secs(125);
/// The last renewal is due by then.
const RENEWED_BY: Duration = Duration::from_secs(180);
/// Growth that is no leak: fragments of the heap, measured as 0.5 MiB. A timer that stays for each token would be 3 MiB.
const MEMORY_SLACK_KB: usize = 2 * 1024;
/// One connection to GitHub may be open that was closed at the first measurement.
const FILES_SLACK: usize = 2;

struct Soak<'a> {
    desk: &'a Desk,
    host: Host,
    pairs: Vec<(FullName, RepositoryName)>,
    next: AtomicUsize,
    /// Answers with a token, and refusals because of an outage.
    answered: AtomicUsize,
    refused: AtomicUsize,
}

impl Soak<'_> {
    fn new(desk: &Desk) -> Soak<'_> {
        let name = |number| FullName::parse(&format!("acme/r{number}")).unwrap();
        let names: Vec<FullName> = (0..REPOSITORIES).map(name).collect();
        for name in &names {
            desk.github.create_repository(&name.to_string());
        }
        let pairs = names
            .iter()
            .enumerate()
            .flat_map(|(at, first)| names[at + 1..].iter().map(move |other| (first.clone(), other.repository.clone())));
        Soak {
            desk,
            host: Host::parse(desk.github.host()).unwrap(),
            pairs: pairs.collect(),
            next: AtomicUsize::new(0),
            answered: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        }
    }

    /// Does the next rounds up to that number.
    fn until(&self, end: usize) {
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    loop {
                        let round = self.next.fetch_add(1, Ordering::Relaxed);
                        if round >= end {
                            break;
                        }
                        self.round(round);
                    }
                });
            }
        });
        self.next.store(end, Ordering::Relaxed);
    }

    fn round(&self, round: usize) {
        if round % OUTAGE_EVERY == OUTAGE_EVERY / 2 {
            self.desk.github.fault(Endpoint::Mint, Fault::bad_gateway(), 3 * CLIENTS);
        }
        if round.is_multiple_of(OUTAGE_EVERY) {
            // A client that connects and sends nothing, or half a message.
            drop(UnixStream::connect(self.desk.endpoint().path()).unwrap());
        }
        let pair = &self.pairs[round];
        if let Some(first) = self.token(pair) {
            let hashed_token = TokenHash::of(first.lease.token.expose().as_bytes());
            let erased = self.desk.ask(Call::Erase(Erase { host: self.host.clone(), hashed_token }));
            assert!(erased.is_ok(), "{erased:?}");
            if let Some(second) = self.token(pair) {
                assert_ne!(first.lease.token.expose(), second.lease.token.expose(), "a refused token came back");
                let revoke = Revoke { leases: vec![second.id], ..Revoke::default() };
                let revoked = self.desk.ask(Call::Revoke(revoke));
                assert!(matches!(&revoked, Ok(Reply::Revoked(revoked)) if revoked.failed.is_empty()), "{revoked:?}");
            }
        }
        for question in 0..QUESTIONS {
            let repository = self.pairs[(round + question) % CLIENTS].0.clone();
            self.count(&self.desk.ask(Call::Get(Get {
                host: self.host.clone(),
                repository: Some(repository),
                owners: Vec::new(),
            })));
        }
    }

    fn token(&self, (first, other): &(FullName, RepositoryName)) -> Option<Box<TokenReply>> {
        let reply = self.desk.ask(Call::Token(TokenCall {
            host: None,
            repository: first.clone(),
            repositories: vec![other.clone()],
            permissions: [("contents".to_owned(), "read".to_owned())].into(),
            min_ttl: None,
            app: None,
        }));
        self.count(&reply);
        if let Ok(Reply::Token(token)) = reply { Some(token) } else { None }
    }

    fn count<E: std::fmt::Debug>(&self, reply: &Result<Reply, E>) {
        match reply {
            Ok(Reply::Token(_) | Reply::Lease(_)) => self.answered.fetch_add(1, Ordering::Relaxed),
            Ok(Reply::Error(_)) => self.refused.fetch_add(1, Ordering::Relaxed),
            reply => panic!("the agent is out of order: {reply:?}"),
        };
    }

    fn renewals(&self) -> usize {
        self.desk.audit().iter().filter(|line| line["call"] == "refresh" && line["outcome"] == "mint").count()
    }
}

#[test]
fn thousands_of_everything_leave_the_agent_as_it_was() {
    let desk = Desk::ready();
    desk.configure("\n[agent]\nmin_ttl = \"2m\"\n").ok();
    desk.github.token_lifetime(LIFE);
    let soak = Soak::new(&desk);
    let quiet = &soak.pairs[ROUNDS..ROUNDS + QUIET];
    assert!(quiet.iter().all(|pair| soak.token(pair).is_some()));
    soak.until(WARM_UP);
    let before = desk.footprint();
    soak.until(ROUNDS);
    let busy = desk.footprint();
    let (calls, renewed) = (desk.github.calls(), soak.renewals());
    let renewals = |now: &Calls| now.of(Endpoint::Mint) - calls.of(Endpoint::Mint) + renewed;
    desk.github.wait_at_most(RENEWED_BY, |now| renewals(now) >= QUIET);
    let (answered, refused) = (soak.answered.load(Ordering::Relaxed), soak.refused.load(Ordering::Relaxed));
    assert!(answered > ROUNDS * QUESTIONS, "{answered} answers");
    assert!(soak.renewals() > QUIET / 2, "the others were the busy ones' or failed");
    assert!(refused > 0, "no outage was noticed");
    assert!(desk.github.mints().len() > 2 * (ROUNDS - refused));
    let is_told = can_see_open_files();
    for after in [busy, desk.footprint()] {
        assert!(after.memory_kb <= before.memory_kb + MEMORY_SLACK_KB, "from {before:?} to {after:?}");
        assert!(after.threads <= before.threads, "from {before:?} to {after:?}");
        let most = before.files.map(|files| files + FILES_SLACK);
        assert!(!is_told || after.files <= most, "from {before:?} to {after:?}");
    }
}
