//! Waiting is not answering: however many questions wait for GitHub, what can be answered at once is, and the agent can be locked.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{Call, Erase, Get, Lock, Reply, Stop};
use ghapp_protocol::remote::{FullName, Host};
use ghapp_protocol::token_hash::TokenHash;
use ghapp_tests::Desk;
use ghapp_tests::github::Endpoint;
use rustix::fs::{FlockOperation, flock};

/// More than the agent answers at once.
const WAITING: usize = 100;
/// Calls of GitHub that the agent makes at once.
const CALLS: usize = 64;

fn get(desk: &Desk, name: &str) -> Call {
    let host = Host::parse(desk.github.host()).unwrap();
    Call::Get(Get { host, repository: Some(FullName::parse(name).unwrap()), owners: Vec::new() })
}

#[test]
fn questions_that_wait_for_github_keep_out_nothing_that_can_be_answered_at_once() {
    let desk = Desk::ready();
    desk.token("acme/web");
    let names: Vec<_> = (0..WAITING).map(|number| format!("acme/r{number}")).collect();
    for name in &names {
        desk.github.create_repository(name);
    }
    let hold = desk.github.hold(Endpoint::Mint);
    let before = desk.github.calls().of(Endpoint::Mint);
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for name in &names {
            let (desk, answered) = (&desk, &answered);
            scope.spawn(move || {
                // An agent that stops may cut it off.
                let _ = desk.ask(get(desk, name));
                answered.fetch_add(1, Ordering::SeqCst);
            });
        }
        desk.github.wait_until(|calls| calls.of(Endpoint::Mint) == before + CALLS);
        for _ in 0..10 {
            assert!(matches!(desk.ask(get(&desk, "acme/web")), Ok(Reply::Lease(_))), "it is at hand");
        }
        assert!(matches!(desk.ask(Call::Status {}), Ok(Reply::Status(_))));
        let host = Host::parse(desk.github.host()).unwrap();
        let erase = Erase { host, hashed_token: TokenHash::of(b"unknown") };
        assert!(matches!(desk.ask(Call::Erase(erase)), Ok(Reply::Erased { dropped: false })));
        assert!(matches!(desk.ask(Call::Lock(Lock::default())), Ok(Reply::Locked(_))));
        assert!(matches!(desk.ask(Call::Stop(Stop::default())), Ok(Reply::Stopping { .. })));
        assert_eq!(answered.load(Ordering::SeqCst), 0, "all of that came before the first of them was over");
        hold.release();
    });
    assert_eq!(desk.github.calls().of(Endpoint::Mint), before + CALLS, "none was begun behind the lock");
}

#[test]
fn a_configuration_that_another_program_keeps_locked_keeps_git_from_nothing() {
    let desk = Desk::ready();
    desk.token("acme/web");
    let directory = File::open(desk.config_file().parent().unwrap()).unwrap();
    flock(&directory, FlockOperation::LockExclusive).unwrap();
    let other = desk.github.create_app("other-bot", "acme");
    thread::scope(|scope| {
        let login = scope.spawn(|| desk.log_in_as(&other, "memory"));
        // The lock is let go of only when it has been refused.
        let refused = login.join().unwrap();
        refused.failed().stderr_contains("keeps").stderr_contains("try again");
    });
    assert!(matches!(desk.ask(get(&desk, "acme/web")), Ok(Reply::Lease(_))));
    drop(directory);
    desk.log_in_as(&other, "memory").ok();
    assert!(!desk.ghapp(["apps"]).ok().stdout().contains(ErrorCode::Internal.id()));
}
