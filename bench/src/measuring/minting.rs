//! Cold questions: how many calls they make, and how much time they take beside GitHub's own.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ghapp_protocol::frame;
use ghapp_protocol::message::{Call, Get, Request};
use ghapp_protocol::remote::{FullName, Host};
use ghapp_tests::Desk;
use ghapp_tests::desk::GIT_PERMISSIONS;
use ghapp_tests::github::{AccountKind, Endpoint, Fault, Selection};

use super::answering::exchange;
use super::report::{Budget, Report, Row};

/// Repositories, and owners, of the questions.
const EACH: usize = 50;
/// How long each call to the API takes in a part of the measurements; the rest is our time and the simulator's.
const DELAY: Duration = Duration::from_millis(20);
/// Questions for one repository at the same time.
const BURST: usize = 1000;

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let desk = Desk::ready();
    let owners: Vec<String> = (0..EACH).map(|number| format!("owner{number}")).collect();
    for owner in &owners {
        desk.github.create_account(owner, AccountKind::Organization);
        desk.github.install(&desk.app, owner, Selection::All, GIT_PERMISSIONS);
        desk.github.create_repository(&format!("{owner}/one"));
        desk.github.create_repository(&format!("{owner}/two"));
    }
    desk.token("acme/web"); // the key is read, a JWT signed, a connection made
    for endpoint in [Endpoint::UserInstallation, Endpoint::Mint] {
        desk.github.fault(endpoint, Fault::Delay(DELAY), 2 * EACH);
    }
    for (name, what, calls) in [("one", "new owner", 2.0), ("two", "known owner", 1.0)] {
        let (api, git, connections) = (desk.github.calls().api(), desk.github.calls().git(), desk.github.connections());
        let times: Vec<f64> =
            owners.iter().map(|owner| timed(&desk, &format!("{owner}/{name}"))).collect::<Result<_>>()?;
        let each = |count: usize| count as f64 / EACH as f64;
        let made = each(desk.github.calls().api() - api);
        report.add(Row::number(format!("cold get, {what}: API calls"), "", made).budget(Budget::Exactly(calls)));
        let proofs = each(desk.github.calls().git() - git);
        report.add(
            Row::number(format!("cold get, {what}: proofs at the git server"), "", proofs).budget(Budget::Exactly(1.0)),
        );
        let opened = desk.github.connections() - connections;
        let row = Row::number(format!("cold get, {what}: new connections in {EACH}"), "", opened as f64);
        report.add(row.budget(Budget::Exactly(0.0)));
        let delay = made * DELAY.as_secs_f64() * 1e3;
        let above: Vec<f64> = times.iter().map(|time| time - delay).collect();
        report.add(Row::sample(format!("cold get, {what}: above GitHub's {delay:.0} ms"), "ms", &above));
    }
    burst(report)
}

/// The milliseconds from question to answer.
fn timed(desk: &Desk, repository: &str) -> Result<f64> {
    let question = question(desk, repository)?;
    let begin = Instant::now();
    let answer = exchange(desk.endpoint().path(), &question)?;
    let elapsed = begin.elapsed();
    ensure!(String::from_utf8_lossy(&answer).contains("\"reply\":\"lease\""), "no token for {repository}");
    Ok(elapsed.as_secs_f64() * 1e3)
}

/// All clients ask for the same at once.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn burst(report: &mut Report) -> Result<()> {
    let desk = Desk::ready();
    let question = question(&desk, "acme/web")?;
    let (place, before) = (desk.endpoint().path().to_owned(), desk.github.calls().api());
    let barrier = Barrier::new(BURST);
    let answered = std::thread::scope(|scope| {
        let ask = || {
            barrier.wait();
            exchange(&place, &question)
                .is_ok_and(|answer| String::from_utf8_lossy(&answer).contains("\"reply\":\"lease\""))
        };
        let threads: Vec<_> = (0..BURST).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|answered| *answered).count()
    });
    let what = format!("{BURST} parallel cold gets");
    report.add(Row::number(format!("{what}: answered"), "", answered as f64).budget(Budget::Exactly(BURST as f64)));
    let calls = desk.github.calls();
    let minted = calls.of(Endpoint::Mint) as f64;
    report.add(Row::number(format!("{what}: mints"), "", minted).budget(Budget::Exactly(1.0)));
    let others = (calls.api() - before) as f64 - minted;
    report.add(Row::number(format!("{what}: lookups"), "", others).budget(Budget::Exactly(1.0)));
    Ok(())
}

fn question(desk: &Desk, repository: &str) -> Result<Vec<u8>> {
    let host = Host::parse(desk.github.host()).map_err(|error| anyhow::anyhow!("{error}"))?;
    let repository = FullName::parse(repository).map_err(|error| anyhow::anyhow!("{error}"))?;
    let get = Get { host, repository: Some(repository), owners: Vec::new() };
    Ok(frame::encode(&Request::new(Call::Get(get)))?.to_vec())
}
