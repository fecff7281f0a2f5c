//! What the programs occupy: on the disk, and the agent in memory with few and with many tokens.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ghapp_protocol::message::{Call, Reply, TokenCall};
use ghapp_protocol::remote::{FullName, RepositoryName};
use ghapp_tests::Desk;

use super::programs::Programs;
use super::report::{Budget, Report, Row};

/// The most tokens that the agent keeps.
const TOKENS: usize = 10_000;
/// Repositories, enough for that many pairs.
const REPOSITORIES: usize = 142;
/// Threads that ask for them.
const CLIENTS: usize = 8;
/// By then the agent has freed the memory that minting took (it checks every 5 s).
const AT_REST: Duration = Duration::from_secs(11);
/// How often the agent is started, to measure how long that takes.
const STARTS: usize = 20;

#[expect(clippy::cast_precision_loss, reason = "sizes in bytes are far below 2^52")]
pub(crate) fn measure(programs: &Programs, report: &mut Report) -> Result<()> {
    for (what, path, most) in [
        ("packaged helper", &programs.packaged, if programs.has_musl { 0.5 } else { 1.3 }),
        ("plain helper", &programs.plain, 1.3),
        ("agent", &programs.agent, 10.0),
    ] {
        let bytes = fs::metadata(path)?.len() as f64;
        report.add(Row::number(format!("{what}, file"), "MB", bytes / 1e6).budget(Budget::AtMost(most)));
    }
    start(programs, report)?;
    let desk = Desk::new();
    desk.ghapp(["agent", "start"]).ok();
    let memory =
        |what: &str| Row::number(format!("agent, memory {what}"), "MiB", desk.footprint().memory_kb as f64 / 1024.0);
    report.add(memory("after its start"));
    desk.log_in("memory").ok();
    desk.set_up_git();
    desk.token("acme/web");
    rest();
    report.add(memory("after the first mint, at rest").budget(Budget::AtMost(9.0)));
    mint(&desk, TOKENS)?;
    rest();
    report.add(memory("with 10,000 tokens, at rest").budget(Budget::AtMost(32.0)));
    Ok(())
}

/// Lets the agent do its idle work.
#[expect(clippy::disallowed_methods, reason = "time has to pass, and nothing says when it has")]
fn rest() {
    std::thread::sleep(AT_REST);
}

/// From its start until it listens.
fn start(programs: &Programs, report: &mut Report) -> Result<()> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let desk = Desk::new();
        let mut command = desk.command(&programs.agent);
        command.arg("--daemonize").arg("--socket").arg(desk.endpoint().path());
        desk.endpoint().prepare().map_err(|error| anyhow::anyhow!("{error}"))?;
        let begin = Instant::now();
        let mut starting = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut line = [0; 64];
        let stdout = starting.stdout.as_mut().context("it is piped")?;
        let count = std::io::Read::read(stdout, &mut line)?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
        ensure!(line[..count].starts_with(ghapp_protocol::start::READY_LINE.as_bytes()), "the agent does not start");
        starting.wait()?;
    }
    report.add(Row::sample("agent, start to ready, in the background", "ms", &times));
    Ok(())
}

/// Mints so many tokens, each for another pair of repositories.
fn mint(desk: &Desk, count: usize) -> Result<()> {
    let names: Vec<String> = (0..REPOSITORIES).map(|number| format!("r{number}")).collect();
    for name in &names {
        desk.github.create_repository(&format!("acme/{name}"));
    }
    let pairs = names.iter().enumerate().flat_map(|(at, one)| names[at + 1..].iter().map(move |other| (one, other)));
    let pairs: Vec<_> = pairs.take(count).collect();
    ensure!(pairs.len() == count, "too few pairs");
    std::thread::scope(|scope| {
        let threads: Vec<_> = pairs
            .chunks(count.div_ceil(CLIENTS))
            .map(|pairs| scope.spawn(move || pairs.iter().all(|(one, other)| token(desk, one, other))))
            .collect();
        threads.into_iter().all(|thread| thread.join().is_ok_and(|all| all))
    })
    .then_some(())
    .context("a token was not minted")?;
    let leases = desk.agent().context("the agent is gone")?.leases;
    ensure!(leases == count, "{leases} leases");
    Ok(())
}

fn token(desk: &Desk, one: &str, other: &str) -> bool {
    let (Ok(repository), Ok(other)) = (FullName::parse(&format!("acme/{one}")), RepositoryName::parse(other)) else {
        return false;
    };
    let permissions = [("contents".to_owned(), "read".to_owned())].into();
    let call = TokenCall { host: None, repository, repositories: vec![other], permissions, min_ttl: None, app: None };
    matches!(desk.ask(Call::Token(call)), Ok(Reply::Token(_)))
}
