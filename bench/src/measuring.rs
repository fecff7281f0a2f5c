//! What is measured, in which order, and under which circumstances.

mod answering;
mod commands;
mod minting;
mod occupying;
mod programs;
mod report;
mod rounds;
mod statistics;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Parser, ValueEnum};
use ghapp_tests::Desk;

use programs::Programs;
use report::Report;

/// Measure helper and agent against the budgets
#[derive(Parser)]
struct Arguments {
    /// How often each command is run
    #[arg(long, default_value_t = 1000, value_name = "N")]
    rounds: usize,
    /// Write what was measured as JSON as well
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure only this
    #[arg(long, value_name = "PART")]
    only: Option<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Occupying,
    Minting,
    Helper,
    Git,
    Answering,
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program")]
pub(super) fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(rounds::MEASURE) {
        return rounds::measure();
    }
    let arguments = Arguments::parse();
    ensure!(!cfg!(debug_assertions), "a debug build says nothing about speed: cargo run --release -p ghapp-bench");
    ensure!(arguments.rounds >= 100, "less than 100 rounds say nothing");
    eprintln!("building ...");
    let programs = Programs::build()?;
    // Its agent answers from its cache, unless a measurement says otherwise.
    let warm = Desk::ready();
    let mut report = Report { circumstances: circumstances(&programs)?, ..Report::default() };

    for part in Part::value_variants().iter().filter(|part| arguments.only.is_none_or(|only| only == **part)) {
        eprintln!("{part:?} ...");
        match part {
            Part::Occupying => occupying::measure(&programs, &mut report)?,
            Part::Minting => minting::measure(&mut report)?,
            Part::Helper => commands::helper(&programs, &warm, arguments.rounds, &mut report)?,
            Part::Git => commands::git(&programs, &warm, arguments.rounds, &mut report)?,
            Part::Answering => answering::measure(&programs, &warm, &mut report)?,
        }
    }

    println!("{}", report.table());
    if let Some(path) = arguments.json {
        std::fs::write(path, serde_json::to_string_pretty(&report)? + "\n")?;
    }
    Ok(())
}

fn circumstances(programs: &Programs) -> Result<Vec<(&'static str, String)>> {
    let line = |file: &str, label: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let found = text.lines().find_map(|line| line.strip_prefix(label)).unwrap_or("unknown");
        found.trim_start_matches([' ', '\t', ':']).to_owned()
    };
    let git = std::process::Command::new("git").arg("--version").output()?.stdout;
    let cores = std::thread::available_parallelism()?;
    Ok(vec![
        ("date", jiff::Zoned::now().date().to_string()),
        ("processor", format!("{cores} × {}", line("/proc/cpuinfo", "model name"))),
        ("kernel", line("/proc/sys/kernel/osrelease", "")),
        ("git", String::from_utf8_lossy(&git).trim().to_owned()),
        ("packaged helper", if programs.has_musl { "static musl" } else { "static glibc" }.to_owned()),
    ])
}
