//! A busy machine: a thousand questions at once, hundreds of repositories, a thousand tokens. GitHub is asked once for each, and
//! the agent stays small.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ghapp_protocol::message::{Call, Get, Reply, TokenCall};
use ghapp_protocol::remote::{FullName, Host, RepositoryName};
use ghapp_tests::github::{Endpoint, TokenShape};
use ghapp_tests::process::DEADLINE;
use ghapp_tests::tools::can_see_open_files;
use ghapp_tests::{Desk, binary, eventually};

/// More than any `git submodule update --jobs`, more than the agent serves at once, and more than most backlogs hold.
const BURST: usize = 1000;
/// As many as the agent serves at once; later ones wait in the socket's backlog.
const SERVED_AT_ONCE: usize = 64;
/// How long GitHub does not answer, so that the whole burst can gather. Half of what the agent gives a call: after that it rightly
/// asks again. A machine that is too slow for the whole burst gathers what it can.
const LONGEST_HOLD: Duration = Duration::from_secs(5);
/// Repositories of one owner; as a mirror or a build machine has them.
const REPOSITORIES: usize = 200;
/// Tokens for the measurement of memory.
const TOKENS: usize = 1000;
/// Clients that ask at the same time where the number is not the point.
const CLIENTS: usize = 16;
/// What a debug build with [`TOKENS`] long tokens may occupy. A release build is smaller; its budget is a benchmark's business.
const MOST_MEMORY_KB: usize = 64 * 1024;
/// What [`TOKENS`] more tokens may add, each with what it takes to mint its successor.
const MOST_GROWTH_KB: usize = 3 * 1024;
/// Connections to GitHub that the agent may keep open for the next call.
const KEPT_CONNECTIONS: usize = 2;

#[test]
fn a_thousand_cold_questions_are_all_answered_with_one_lookup_and_one_mint() {
    let desk = Desk::ready();
    let (before, open) = (desk.github.calls(), desk.footprint().files);
    let hold = desk.github.hold(Endpoint::Mint);
    let helpers = thread::scope(|scope| {
        let start = || (0..BURST).map(|number| Helper::start(&desk, "acme/web", number)).collect();
        let starting = scope.spawn(start);
        desk.github.wait_until(|calls| calls.of(Endpoint::Mint) == 1);
        let patience = Instant::now() + LONGEST_HOLD;
        eventually("the burst has gathered", || match connections(&desk) {
            BURST.. => true,
            waiting => waiting > SERVED_AT_ONCE && Instant::now() > patience,
        });
        hold.release();
        starting.join().expect("all helpers start")
    });
    let answers = finish(helpers);

    let token = &desk.github.mints()[0];
    let expiry = token.expires_at.as_second() - 60;
    let expected = format!("username=x-access-token\npassword={}\npassword_expiry_utc={expiry}\n", token.token);
    for (status, stdout, stderr) in &answers {
        assert!(status.success(), "{status}: {stderr}");
        assert_eq!((stdout.as_str(), stderr.as_str()), (expected.as_str(), ""));
    }
    assert_eq!(answers.len(), BURST);
    let calls = desk.github.calls();
    assert_eq!((calls.of(Endpoint::UserInstallation), calls.of(Endpoint::Mint)), (1, 1));
    assert_eq!(calls.api() - before.api(), 2);
    assert_eq!(calls.git(), 1, "the token was proved once");

    let outcomes: Vec<_> = desk.audit().into_iter().filter(|line| line["call"] == "get").collect();
    let with = |outcome: &str| outcomes.iter().filter(|line| line["outcome"] == outcome).count();
    assert_eq!(outcomes.len(), BURST, "every one is in the audit log");
    assert_eq!((with("mint"), with("joined") + with("hit")), (1, BURST - 1));
    if can_see_open_files() {
        let most = open.map(|open| open + KEPT_CONNECTIONS);
        eventually("what the burst opened is closed", || desk.footprint().files <= most);
    }
}

#[test]
fn each_repository_of_an_owner_costs_one_mint_and_the_owner_one_lookup() {
    let desk = Desk::ready();
    let names = create_repositories(&desk, REPOSITORIES);
    let tokens = ask_for(&desk, &names);
    assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), REPOSITORIES, "no two share a token");
    let open = desk.footprint().files;
    assert_eq!(ask_for(&desk, &names), tokens, "and each is kept");
    let calls = desk.github.calls();
    assert_eq!((calls.of(Endpoint::UserInstallation), calls.of(Endpoint::Mint)), (1, REPOSITORIES));
    let minted: BTreeSet<_> = desk.github.mints().into_iter().filter_map(|mint| mint.repositories).collect();
    let expected: BTreeSet<_> = names.iter().map(|name| vec![name.repository.to_string()]).collect();
    assert_eq!(minted, expected);
    assert_eq!(desk.agent().unwrap().leases, REPOSITORIES);
    if can_see_open_files() {
        eventually("answers from the cache leave nothing open", || desk.footprint().files <= open);
    }

    // The same, with one token for all repositories.
    let host = desk.github.host();
    let rule = format!("\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\nrepositories = \"installation\"\n");
    desk.configure(&rule).ok();
    let shared: BTreeSet<_> = ask_for(&desk, &names).into_iter().collect();
    assert_eq!(shared.len(), 1);
    let after = desk.github.calls();
    assert_eq!(after.of(Endpoint::Mint) - calls.of(Endpoint::Mint), 1);
    assert_eq!(
        after.of(Endpoint::UserInstallation) - calls.of(Endpoint::UserInstallation),
        1,
        "asked anew after a reload"
    );
    assert_eq!(desk.github.mints().last().unwrap().repositories, None);
}

#[test]
fn a_thousand_tokens_fit_into_little_memory() {
    let desk = Desk::ready();
    desk.github.token_shape(TokenShape::Long);
    // Every pair of a few repositories is a set of its own, and so a token of its own.
    let names = create_repositories(&desk, 46);
    let pairs =
        names.iter().enumerate().flat_map(|(at, first)| names[at + 1..].iter().map(move |other| (first, other)));
    let pairs: Vec<_> = pairs.map(|(first, other)| (first.clone(), other.repository.clone())).take(TOKENS).collect();
    let token = |(first, other): &(FullName, RepositoryName)| {
        let call = TokenCall {
            host: None,
            repository: first.clone(),
            repositories: vec![other.clone()],
            permissions: [("contents".to_owned(), "read".to_owned())].into(),
            min_ttl: None,
            app: None,
        };
        match desk.ask(Call::Token(call)) {
            Ok(Reply::Token(reply)) => reply.id,
            reply => panic!("no token: {reply:?}"),
        }
    };
    in_parallel(&pairs[..CLIENTS], token);
    let few = desk.footprint().memory_kb;
    let ids: BTreeSet<_> = in_parallel(&pairs, token).into_iter().collect();
    assert_eq!(ids.len(), TOKENS);
    assert_eq!(desk.github.mints().len(), TOKENS);
    assert_eq!(desk.agent().unwrap().leases, TOKENS);
    let many = desk.footprint().memory_kb;
    assert!(many <= MOST_MEMORY_KB, "{many} kB");
    assert!(many.saturating_sub(few) <= MOST_GROWTH_KB, "from {few} to {many} kB");
}

/// A helper that git would have started. Its streams are files: a thousand of them need neither threads nor pipes.
///
/// It exits at its own deadline whatever happens, so a test that fails leaves none behind.
struct Helper {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Helper {
    fn start(desk: &Desk, repository: &str, number: usize) -> Helper {
        let [stdin, stdout, stderr] = ["in", "out", "err"].map(|name| desk.path(format!("{number}.{name}")));
        let request = format!("protocol=https\nhost={}\npath={repository}.git\n\n", desk.github.host());
        fs::write(&stdin, request).expect("the sandbox is writable");
        let create = |path: &Path| Stdio::from(File::create(path).expect("the sandbox is writable"));
        let child = desk
            .command(binary("git-credential-ghapp"))
            .arg("get")
            .stdin(File::open(&stdin).expect("it has just been written"))
            .stdout(create(&stdout))
            .stderr(create(&stderr))
            .spawn()
            .expect("the helper starts");
        Helper { child, stdout, stderr }
    }
}

/// Waits until the helpers exit. Returns each one's status and what it wrote.
fn finish(helpers: Vec<Helper>) -> Vec<(ExitStatus, String, String)> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for mut helper in helpers {
            let status = helper.child.wait().expect("a child can be waited for");
            let read = |path| fs::read_to_string(path).expect("helpers write text");
            let (stdout, stderr) = (read(helper.stdout), read(helper.stderr));
            // The test may have failed in the meantime.
            let _ = sender.send((status, stdout, stderr));
        }
    });
    let deadline = Instant::now() + DEADLINE;
    let left = || deadline.saturating_duration_since(Instant::now());
    std::iter::from_fn(|| match receiver.recv_timeout(left()) {
        Ok(answer) => Some(answer),
        Err(mpsc::RecvTimeoutError::Disconnected) => None,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("a helper did not exit"),
    })
    .collect()
}

/// Creates repositories of `acme`.
fn create_repositories(desk: &Desk, count: usize) -> Vec<FullName> {
    let name = |number| FullName::parse(&format!("acme/r{number}")).expect("it is a name");
    let names: Vec<_> = (0..count).map(name).collect();
    in_parallel(&names, |name| desk.github.create_repository(&name.to_string()));
    names
}

/// Asks as the helper does, for each repository.
fn ask_for(desk: &Desk, names: &[FullName]) -> Vec<String> {
    let host = Host::parse(desk.github.host()).expect("it is a host");
    in_parallel(names, |name| {
        let get = Get { host: host.clone(), repository: Some(name.clone()), owners: Vec::new() };
        match desk.ask(Call::Get(get)) {
            Ok(Reply::Lease(lease)) => lease.token.expose().to_owned(),
            reply => panic!("no token for {name}: {reply:?}"),
        }
    })
}

/// Does something for each item, with [`CLIENTS`] threads, in the order of the items.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let work = &work;
    thread::scope(|scope| {
        let parts = items.chunks(items.len().div_ceil(CLIENTS).max(1));
        let threads: Vec<_> =
            parts.map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("the test fails where it failed")).collect()
    })
}

/// Connections to the agent: those that it serves, and those that wait. The kernel lists them with the name of the socket that
/// they were made to, and so the listening one itself, which is not counted.
fn connections(desk: &Desk) -> usize {
    let directory = desk.runtime_directory().display().to_string();
    let sockets = fs::read_to_string("/proc/net/unix").expect("the kernel lists its sockets");
    sockets.lines().filter(|line| line.contains(&directory)).count().saturating_sub(1)
}
