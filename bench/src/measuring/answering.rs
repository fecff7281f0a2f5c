//! How many one-shot connections the agent answers, and how fast, against a mere echo server.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ghapp_protocol::frame;
use ghapp_protocol::message::{Call, Get, Request};
use ghapp_protocol::remote::{FullName, Host};
use ghapp_tests::Desk;
use ghapp_tests::github::Endpoint;

use super::programs::Programs;
use super::report::{Budget, Report, Row};
use super::statistics::Summary;

/// Clients that ask at the same time.
const CLIENTS: [usize; 3] = [1, 16, 256];
/// Questions of one block, over all clients: a tenth of a second.
const BLOCK: usize = 4096;
/// Pairs of blocks, one with the agent and one with the echo server.
const PAIRS: usize = 21;

/// What one block measured.
struct Block {
    per_second: f64,
    /// Of each question, in microseconds.
    latencies: Vec<f64>,
}

pub(crate) fn measure(programs: &Programs, desk: &Desk, report: &mut Report) -> Result<()> {
    desk.token("acme/web");
    let host = Host::parse(desk.github.host()).map_err(|error| anyhow::anyhow!("{error}"))?;
    let repository = FullName::parse("acme/web").map_err(|error| anyhow::anyhow!("{error}"))?;
    let get = Get { host, repository: Some(repository), owners: Vec::new() };
    let question = frame::encode(&Request::new(Call::Get(get)))?;
    let echo = Echo::start(&programs.echo, desk.path("echo.sock"))?;
    let agent = desk.endpoint().path().to_owned();
    let answer = exchange(&agent, &question)?;
    ensure!(String::from_utf8_lossy(&answer).contains("\"reply\":\"lease\""), "the agent has no token");
    for clients in CLIENTS {
        let (mut ours, mut theirs, mut latencies) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..=PAIRS {
            // They take turns, and the first pair only warms up.
            let block = |place: &Path| block(place, &question, clients);
            let (agent, echo) = if pair % 2 == 0 {
                let agent = block(&agent)?;
                (agent, block(&echo.socket)?)
            } else {
                let echo = block(&echo.socket)?;
                (block(&agent)?, echo)
            };
            if pair > 0 {
                ours.push(agent.per_second);
                theirs.push(echo.per_second);
                latencies.extend(agent.latencies);
            }
        }
        let what = format!("agent, one-shot connections, {clients} clients");
        let row = Row::sample(what, "/s", &ours).against("echo in C", &ours, &theirs);
        report.add(if clients == 1 { row.budget(Budget::AtLeast(0.5)) } else { row });
        let what = format!("agent, connection to answer, {clients} clients");
        let median = Summary::of(&latencies).median;
        report.add(Row { value: median, ..Row::sample(what, "us", &latencies) });
    }
    beside_waiting(desk, &agent, &question, report)
}

/// Questions that wait for GitHub: more than the agent answers at once.
const WAITING: usize = 100;
/// Calls of GitHub that the agent makes at once.
const CALLS: usize = 64;
/// Questions of each round, beside those that wait and without them.
const ROUND: usize = 500;

/// How long an answer from the cache takes while other questions wait for GitHub.
fn beside_waiting(desk: &Desk, agent: &Path, question: &[u8], report: &mut Report) -> Result<()> {
    let host = Host::parse(desk.github.host()).map_err(|error| anyhow::anyhow!("{error}"))?;
    let (mut idle, mut beside) = (Vec::new(), Vec::new());
    for round in 0..3 {
        idle.push(median_of(agent, question)?);
        let names: Vec<_> = (0..WAITING).map(|number| format!("acme/waits-{round}-{number}")).collect();
        let questions = names.iter().map(|name| {
            desk.github.create_repository(name);
            let repository = FullName::parse(name).map_err(|error| anyhow::anyhow!("{error}"))?;
            let get = Get { host: host.clone(), repository: Some(repository), owners: Vec::new() };
            Ok(frame::encode(&Request::new(Call::Get(get)))?)
        });
        let questions = questions.collect::<Result<Vec<_>>>()?;
        let before = desk.github.calls().of(Endpoint::Mint);
        let hold = desk.github.hold(Endpoint::Mint);
        let measured = std::thread::scope(|scope| {
            for question in &questions {
                scope.spawn(move || exchange(agent, question));
            }
            desk.github.wait_until(|calls| calls.of(Endpoint::Mint) == before + CALLS);
            let measured = median_of(agent, question);
            hold.release();
            measured
        });
        beside.push(measured?);
    }
    let what = format!("agent, connection to answer, beside {WAITING} questions that wait for GitHub");
    report.add(Row::sample(what, "us", &beside).against("without them", &beside, &idle).budget(Budget::AtMost(3.0)));
    Ok(())
}

/// The median of so many answers, in microseconds.
fn median_of(agent: &Path, question: &[u8]) -> Result<f64> {
    let mut latencies = Vec::with_capacity(ROUND);
    for _ in 0..ROUND {
        let begin = Instant::now();
        exchange(agent, question)?;
        latencies.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    Ok(Summary::of(&latencies).median)
}

/// Asks [`BLOCK`] times, each on a connection of its own, by so many threads.
fn block(place: &Path, question: &[u8], clients: usize) -> Result<Block> {
    let barrier = Barrier::new(clients + 1);
    let each = BLOCK / clients;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| -> Result<Vec<f64>> {
                    barrier.wait();
                    let mut latencies = Vec::with_capacity(each);
                    for _ in 0..each {
                        let begin = Instant::now();
                        exchange(place, question)?;
                        latencies.push(begin.elapsed().as_secs_f64() * 1e6);
                    }
                    Ok(latencies)
                })
            })
            .collect();
        barrier.wait();
        let begin = Instant::now();
        let mut latencies = Vec::with_capacity(BLOCK);
        for thread in threads {
            latencies.extend(thread.join().expect("a client does not panic")?);
        }
        #[expect(clippy::cast_precision_loss, reason = "it is small")]
        let per_second = latencies.len() as f64 / begin.elapsed().as_secs_f64();
        Ok(Block { per_second, latencies })
    })
}

/// One connection with one question, as the helper makes it.
pub(crate) fn exchange(place: &Path, question: &[u8]) -> Result<Vec<u8>> {
    let mut stream = UnixStream::connect(place)?;
    stream.write_all(question)?;
    let mut answer = vec![0; 4096];
    let mut filled = 0;
    loop {
        let count = stream.read(&mut answer[filled..])?;
        ensure!(count > 0, "the connection ended");
        filled += count;
        if let Some(header) = answer[..filled].first_chunk().copied() {
            let end = frame::HEADER + frame::length(header)?;
            if answer.len() < end {
                answer.resize(end, 0);
            }
            if filled >= end {
                answer.truncate(end);
                return Ok(answer);
            }
        }
    }
}

/// The echo server, for as long as it is needed.
struct Echo {
    server: Child,
    socket: PathBuf,
}

impl Echo {
    fn start(program: &Path, socket: PathBuf) -> Result<Echo> {
        let mut server = Command::new(program).arg(&socket).stdout(Stdio::piped()).spawn()?;
        let stdout = server.stdout.take().context("it is piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line == "ready\n", "the echo server does not start");
        Ok(Echo { server, socket })
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It has no work to finish.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
