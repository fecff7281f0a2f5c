//! Commands from start to exit: the helper alone, and the git commands that run it.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ghapp_tests::{Desk, process};

use super::programs::Programs;
use super::report::{Budget, Report, Row};
use super::rounds::{self, Contender};

/// What every answer with a token has.
const ANSWERED: Option<&str> = Some("password=");
/// A git command with TLS takes as long as thirty without, and varies less.
const FEWER: usize = 5;
/// What a warm `get` may take on any machine, in microseconds.
const WARM: f64 = 5_000.0;
/// What an agent that never answers may cost, in seconds: the deadline of 20 of the helper, and what it does before and after it (20.4
/// to 21.0 when this was written).
const GIVES_UP: f64 = 22.0;

/// Warm `get`, from start to exit.
pub(crate) fn helper(programs: &Programs, desk: &Desk, count: usize, report: &mut Report) -> Result<()> {
    let (question, cached) = (question(desk)?, cached(programs, desk)?);
    let ours = |program: &Path| {
        let mut command = desk.command(program);
        command.arg("get").env("GHAPP_SOCKET", desk.endpoint().path());
        command
    };
    let contender = |name, command, input: &PathBuf, prints| Contender { name, command, input: input.clone(), prints };
    let mut cache = desk.command(&programs.cache);
    cache.arg("get");
    let mut contenders = vec![
        contender("packaged helper", ours(&programs.packaged), &question, ANSWERED),
        contender("plain helper", ours(&programs.plain), &question, ANSWERED),
        contender("git-credential-cache", cache, &cached, ANSWERED),
        contender("C with glibc", ours(&programs.floor_glibc), &question, ANSWERED),
        contender("/bin/true", desk.command("/bin/true"), &question, None),
    ];
    if let Some(floor) = &programs.floor_musl {
        contenders.push(contender("C with musl", ours(floor), &question, ANSWERED));
    }
    let times = rounds::run(&contenders, count)?;
    let [packaged, plain, cache, glibc, nothing] = [0, 1, 2, 3, 4].map(|at| &times[at]);
    let row = |what, values| Row::sample(what, "us", values);
    let packaged_row = || row("packaged helper, warm get", packaged);
    report.add(packaged_row().against("git-credential-cache", packaged, cache).budget(Budget::AtMost(0.35)));
    let plain_row = || row("plain helper, warm get", plain);
    report.add(plain_row().against("git-credential-cache", plain, cache).budget(Budget::AtMost(0.75)));
    if let Some(musl) = times.get(5) {
        report.add(packaged_row().against("C with musl", packaged, musl).budget(Budget::AtMost(1.25)));
    }
    report.add(plain_row().against("C with glibc", plain, glibc).budget(Budget::AtMost(1.25)));
    report.add(packaged_row().against("/bin/true", packaged, nothing));
    report.add(row("plain helper, warm get (rule 51 of a helper)", plain).budget(Budget::AtMost(WARM)));
    give_up(programs, desk, report)
}

/// How long an agent that never answers keeps git, from the helper's start to its exit. The tests have only a generous
/// upper limit for it.
fn give_up(programs: &Programs, desk: &Desk, report: &mut Report) -> Result<()> {
    let socket = desk.path("silent.sock");
    let _silent = UnixListener::bind(&socket)?;
    let mut command = desk.command(&programs.packaged);
    command.arg("get").env("GHAPP_SOCKET", &socket);
    let request = fs::read(question(desk)?)?;
    let begin = Instant::now();
    let outcome = process::run(&mut command, &request);
    let seconds = begin.elapsed().as_secs_f64();
    ensure!(outcome.stderr().contains("did not answer in time"), "{outcome:?}");
    let row = Row::number("packaged helper, get from an agent that never answers", "s", seconds);
    report.add(row.budget(Budget::AtMost(GIVES_UP)));
    Ok(())
}

/// `git credential fill`, and `git ls-remote` over TLS, through us, through other helpers and without one.
pub(crate) fn git(programs: &Programs, desk: &Desk, count: usize, report: &mut Report) -> Result<()> {
    let (question, cached) = (question(desk)?, cached(programs, desk)?);
    let fill = |helper: &Path| {
        let mut command = desk.command("git");
        let helper = format!("credential.helper={}", helper.display());
        // `setup-git` wrote a section for the host; an empty value in the command's own configuration comes later and clears it.
        command.args(["-c", "credential.helper=", "-c", &helper, "-c", "credential.useHttpPath=true"]);
        command.args(["credential", "fill"]).env("GHAPP_SOCKET", desk.endpoint().path());
        command
    };
    let contender =
        |name, command, input: &PathBuf| Contender { name, command, input: input.clone(), prints: ANSWERED };
    let mut contenders = vec![
        contender("fill, packaged helper", fill(&programs.packaged), &question),
        contender("fill, plain helper", fill(&programs.plain), &question),
        contender("fill, git-credential-cache", fill(&programs.cache), &cached),
    ];
    let times = rounds::run(&contenders, count)?;
    for (what, ours) in
        [("git credential fill, packaged helper", &times[0]), ("git credential fill, plain helper", &times[1])]
    {
        let row = Row::sample(what, "us", ours).against("git-credential-cache", ours, &times[2]);
        report.add(row.budget(Budget::AtMost(1.0)));
    }
    if let Some(gh) = &programs.gh {
        compare_with_gh(gh, desk, contenders.swap_remove(0), count / FEWER, report)?;
    }
    ls_remote(programs, desk, count / FEWER, report)
}

fn compare_with_gh(gh: &Path, desk: &Desk, ours: Contender, count: usize, report: &mut Report) -> Result<()> {
    let input = desk.path("gh.question");
    fs::write(&input, "protocol=https\nhost=github.com\n\n")?;
    let mut command = desk.command("git");
    let helper = format!("credential.helper=!{} auth git-credential", gh.display());
    command.args(["-c", "credential.helper=", "-c", &helper, "credential", "fill"]);
    command.env("GH_TOKEN", "ghs_0000000000000000000000000000000000000000");
    let gh = Contender { name: "fill, gh", command, input, prints: ANSWERED };
    let times = rounds::run(&[ours, gh], count)?;
    let row = Row::sample("git credential fill, packaged helper", "us", &times[0]);
    report.add(row.against("gh", &times[0], &times[1]));
    Ok(())
}

fn ls_remote(programs: &Programs, desk: &Desk, count: usize, report: &mut Report) -> Result<()> {
    let token = desk.token("acme/web");
    let nothing = desk.path("nothing");
    fs::write(&nothing, "")?;
    let url = desk.github.clone_url("acme/web");
    let with_password = url.replace("https://", &format!("https://x-access-token:{token}@"));
    let ls_remote = |helper: Option<&Path>, url: &str| {
        let mut command: Command = desk.command("git");
        command.args(["-c", "credential.helper="]);
        if let Some(helper) = helper {
            let section = format!("credential.https://{}.helper", desk.github.host());
            command.args(["-c", &format!("{section}="), "-c", &format!("{section}={}", helper.display())]);
        }
        command.args(["ls-remote", url]).env("GHAPP_SOCKET", desk.endpoint().path());
        command
    };
    let contender = |name, command| Contender { name, command, input: nothing.clone(), prints: None };
    let contenders = [
        contender("ls-remote, packaged helper", ls_remote(Some(&programs.packaged), &url)),
        contender("ls-remote, git-credential-cache", ls_remote(Some(&programs.cache), &url)),
        contender("ls-remote, password in the URL", ls_remote(None, &with_password)),
    ];
    let times = rounds::run(&contenders, count)?;
    let row = || Row::sample("git ls-remote over TLS, packaged helper", "us", &times[0]);
    report.add(row().against("git-credential-cache", &times[0], &times[1]));
    report.add(row().against("no helper: password in the URL", &times[0], &times[2]));
    Ok(())
}

/// The question that git asks us; its token is in the agent's cache from now on.
fn question(desk: &Desk) -> Result<PathBuf> {
    desk.token("acme/web");
    let path = desk.path("question");
    fs::write(&path, format!("protocol=https\nhost={}\npath=acme/web.git\n\n", desk.github.host()))?;
    Ok(path)
}

/// The same for `git-credential-cache`, whose daemon knows the same token for every repository of the host.
fn cached(programs: &Programs, desk: &Desk) -> Result<PathBuf> {
    let (host, token) = (desk.github.host(), desk.token("acme/web"));
    let (question, answer) = (desk.path("cached"), format!("username=x-access-token\npassword={token}\n"));
    let asked = format!("protocol=https\nhost={host}\npath=acme/web.git\n");
    fs::write(&question, format!("{asked}\n"))?;
    let mut command = desk.command(&programs.cache);
    // For as long as the slowest run takes; the daemon exits when its socket's directory is gone.
    let outcome = process::run(command.args(["--timeout", "3600", "store"]), format!("{asked}{answer}\n").as_bytes());
    outcome.status.success().then_some(question).context("git-credential-cache keeps nothing")
}
