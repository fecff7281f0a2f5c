//! Interleaved measurement: in each round every contender runs once, in another order each time, so that other work of the machine
//! meets all of them alike.
//!
//! A small process of its own starts them. From a process with a simulator in its memory a start costs several times as much.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

/// Rounds at the beginning that are not counted: files are read for the first time, frequencies settle.
const WARM_UP: usize = 20;
/// The hidden argument of the process that measures.
pub(crate) const MEASURE: &str = "measure";

/// A command whose time from start to exit is measured.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) command: Command,
    /// What it reads.
    pub(crate) input: PathBuf,
    /// A line that it has to print, so that no command is quick because it fails.
    pub(crate) prints: Option<&'static str>,
}

/// The same, on its way to the process that measures.
#[derive(Serialize, Deserialize)]
struct Plan {
    count: usize,
    commands: Vec<Planned>,
}

#[derive(Serialize, Deserialize)]
struct Planned {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: PathBuf,
    input: PathBuf,
    prints: Option<String>,
}

impl Planned {
    fn of(contender: &Contender) -> Result<Planned> {
        let Contender { name, command, input, prints } = contender;
        let text = |text: &std::ffi::OsStr| text.to_str().map(str::to_owned).context("it is no UTF-8");
        // Removed variables are left out: sandboxes begin without any.
        let environment = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        Ok(Planned {
            name: (*name).to_owned(),
            program: command.get_program().into(),
            arguments: command.get_args().map(text).collect::<Result<_>>()?,
            environment: environment.map(|(name, value)| Ok((text(name)?, text(value)?))).collect::<Result<_>>()?,
            directory: command.get_current_dir().context("it has no directory")?.to_owned(),
            input: input.clone(),
            prints: prints.map(str::to_owned),
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().current_dir(&self.directory);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Runs all contenders `count` times. Returns the microseconds of each, in the order of the rounds.
pub(crate) fn run(contenders: &[Contender], count: usize) -> Result<Vec<Vec<f64>>> {
    let plan = Plan { count, commands: contenders.iter().map(Planned::of).collect::<Result<_>>()? };
    let mut measuring = Command::new(std::env::current_exe()?)
        .arg(MEASURE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("the measuring process does not start")?;
    measuring.stdin.take().context("it is piped")?.write_all(&serde_json::to_vec(&plan)?)?;
    let output = measuring.wait_with_output()?;
    ensure!(output.status.success(), "a measurement failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The process that measures: a plan on standard input, times on standard output.
pub(crate) fn measure() -> Result<()> {
    let Plan { count, commands } = serde_json::from_reader(std::io::stdin().lock())?;
    let mut contenders: Vec<_> = commands.iter().map(|planned| (planned, planned.command())).collect();
    for (planned, command) in &mut contenders {
        prove(planned, command)?;
    }
    let mut times = vec![Vec::with_capacity(count); contenders.len()];
    let mut random = fastrand::Rng::with_seed(1);
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    for round in 0..count + WARM_UP {
        random.shuffle(&mut order);
        for &at in &order {
            let (planned, command) = &mut contenders[at];
            let elapsed = once(planned, command)?;
            if round >= WARM_UP {
                times[at].push(elapsed);
            }
        }
    }
    Ok(serde_json::to_writer(std::io::stdout().lock(), &times)?)
}

fn once(planned: &Planned, command: &mut Command) -> Result<f64> {
    command.stdin(File::open(&planned.input)?).stdout(File::create("/dev/null")?).stderr(File::create("/dev/null")?);
    let begin = Instant::now();
    let status = command.status().with_context(|| planned.name.clone())?;
    let elapsed = begin.elapsed();
    ensure!(status.success(), "{} failed: {status}", planned.name);
    Ok(elapsed.as_secs_f64() * 1e6)
}

/// Runs it once and checks what it prints.
fn prove(planned: &Planned, command: &mut Command) -> Result<()> {
    let stdin = File::open(&planned.input)?;
    let output = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let prints = planned.prints.as_ref().is_none_or(|text| stdout.lines().any(|line| line.contains(text.as_str())));
    ensure!(output.status.success() && prints, "{}: {}: {stdout}{stderr}", planned.name, output.status);
    Ok(())
}
