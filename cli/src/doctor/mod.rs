//! `ghapp doctor`: checks everything between git and a token, in the order in which it fails, and shows how to fix it.
//!
//! `order` knows the checks and what they need; a file for each group of them has the looks, which return an `Outcome` with a
//! `Fix`; `facts` is what they have learned.

mod agents;
mod apps;
mod bypass;
mod configuration;
mod facts;
mod fix;
mod helper_chain;
mod keys;
mod large_files;
mod order;
mod outcome;
mod programs;
mod reach;
mod report;
mod repository;
mod subject;

use std::process::ExitCode;

use ghapp_agent::config;
use ghapp_protocol::error::ErrorCode;
use serde::Serialize;

use crate::arguments::{Doctor, Global};
use crate::failure::CliError;
use crate::session::Session;
use crate::terminal::json::SCHEMA;
use crate::terminal::output::Mark;
use crate::terminal::wording;
use facts::Facts;
use fix::Fix;
use order::Finding;
use outcome::{Outcome, State};
use subject::Subject;

#[derive(Serialize)]
struct DoctorOutput<'a> {
    schema: u32,
    ok: bool,
    checks: Vec<CheckOutput<'a>>,
}

/// What is not known is `null`, so that the keys are always there.
#[derive(Serialize)]
struct CheckOutput<'a> {
    id: &'a str,
    title: &'a str,
    app: Option<&'a str>,
    state: &'a str,
    detail: &'a str,
    fix: Option<String>,
    code: Option<ErrorCode>,
}

pub(crate) fn run(session: &Session<'_>, global: &Global, arguments: &Doctor) -> Result<ExitCode, CliError> {
    let mut findings = look(session, global, arguments)?;
    if arguments.fix {
        findings = repair(session, findings, || look(session, global, arguments))?;
    }
    if arguments.form.json {
        print_json(session, &findings)?;
    } else {
        print(session, &findings, arguments.fix)?;
    }
    if let Some(path) = &arguments.report {
        report::write(path, &findings)?;
        session.output.talk(&format!(
            "the report is in {}; there is no key and no token in it, but names of hosts, owners and repositories",
            path.display()
        ));
    }
    let first = findings.iter().find_map(|finding| finding.outcome.code);
    Ok(ExitCode::from(first.map_or(0, ErrorCode::exit)))
}

fn look(session: &Session<'_>, global: &Global, arguments: &Doctor) -> Result<Vec<Finding>, CliError> {
    // The check of the file reports what is wrong with it; here a bad file counts as an empty one.
    let config = config::load(&session.config).unwrap_or_default();
    let subject = Subject::find(arguments.target.as_deref(), &config)?;
    let mut facts = Facts::new(session, options(global), config, subject);
    Ok(order::look(&mut facts))
}

/// The options of this run that every pasted command needs too.
fn options(global: &Global) -> Vec<String> {
    let option = |name: &str, value: &Option<std::path::PathBuf>| {
        value.iter().flat_map(|value| [name.to_owned(), value.display().to_string()]).collect::<Vec<_>>()
    };
    [option("--socket", &global.socket), option("--config", &global.config)].concat()
}

/// Runs the safe fixes, then all checks again: a check that was skipped before may have a fix too. No command runs twice.
fn repair(
    session: &Session<'_>,
    mut findings: Vec<Finding>,
    look: impl Fn() -> Result<Vec<Finding>, CliError>,
) -> Result<Vec<Finding>, CliError> {
    let mut done: Vec<Fix> = Vec::new();
    loop {
        let fixes = findings.iter().filter_map(|finding| finding.outcome.fix.as_ref());
        let next = fixes.filter(|fix| matches!(fix, Fix::Safe(_))).find(|fix| !done.contains(fix)).cloned();
        let Some(fix) = next else { return Ok(findings) };
        match fix.perform() {
            Ok(()) => session.output.talk(&format!("done: {}", fix.text())),
            Err(error) => session.output.warning(&error.message),
        }
        done.push(fix);
        findings = look()?;
    }
}

fn print_json(session: &Session<'_>, findings: &[Finding]) -> Result<(), CliError> {
    let checks = findings.iter().map(|Finding { id, title, app, outcome, .. }| CheckOutput {
        id,
        title,
        app: app.as_deref(),
        state: outcome.state.as_str(),
        detail: &outcome.detail,
        fix: outcome.fix.as_ref().map(Fix::text),
        code: outcome.code,
    });
    let ok = findings.iter().all(|finding| finding.outcome.state != State::Fail);
    session.output.json(&DoctorOutput { schema: SCHEMA, ok, checks: checks.collect() })
}

fn print(session: &Session<'_>, findings: &[Finding], fixed: bool) -> Result<(), CliError> {
    let output = session.output;
    let width = findings.iter().map(|finding| finding.title.chars().count()).max().unwrap_or(0);
    for Finding { title, outcome: Outcome { state, detail, fix, .. }, .. } in findings {
        let mark = match state {
            State::Ok => Mark::Good,
            State::Warn => Mark::Attention,
            State::Fail => Mark::Bad,
            State::Skip => Mark::Absent,
        };
        let worth = matches!(state, State::Warn | State::Fail);
        if worth || !output.is_quiet() {
            output.marked(mark, &format!("{title:width$}  {detail}"))?;
        }
        if let (true, Some(fix)) = (worth, fix) {
            output.advice(&fix.text())?;
        }
    }
    output.report(&summary(findings, fixed))
}

/// One line at the end.
fn summary(findings: &[Finding], fixed: bool) -> String {
    let count = |state| findings.iter().filter(|finding| finding.outcome.state == state).count();
    let (failed, warned) = (count(State::Fail), count(State::Warn));
    if failed == 0 && warned == 0 {
        return "all is well".to_owned();
    }
    let parts = [(failed, "failure"), (warned, "warning")];
    let parts: Vec<_> =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, noun)| wording::count(*number, noun)).collect();
    let safe = |finding: &&Finding| matches!(finding.outcome.fix, Some(Fix::Safe(_)));
    let offer = match findings.iter().filter(safe).count() {
        0 => String::new(),
        _ if fixed => String::new(),
        safe => format!("; {safe} of them can be mended by: ghapp doctor --fix"),
    };
    format!("{}{offer}", parts.join(", "))
}
