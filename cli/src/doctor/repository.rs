//! Checks of one repository: does the route lead to an installation, and does git get a token?

use std::process::Command;
use std::time::Duration;

use ghapp_protocol::TOKEN_USERNAME;
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{Call, Reply, Which};

use super::facts::Facts;
use super::fix::Fix;
use super::outcome::Outcome;
use crate::connection::NETWORK_TIMEOUT;
use crate::failure::CliError;
use crate::process::bounded;
use crate::terminal::json::Time;

/// How long git may take: the helper gives up after 20 s.
const FILL_TIMEOUT: Duration = Duration::from_secs(25);
/// Variables that make git write what it gets.
const TRACES: &[&str] = &["GIT_TRACE", "GIT_TRACE2", "GIT_TRACE2_EVENT", "GIT_TRACE2_PERF", "GIT_TRACE_CURL"];

/// Does an App cover the repository, and may git have a token for it?
pub(super) fn route(facts: &mut Facts<'_>) -> Outcome {
    let Some(subject) = &facts.subject else {
        return Outcome::skip("name one: ghapp doctor OWNER/REPO");
    };
    let call = Call::Which(Which {
        host: Some(subject.host.clone()),
        repository: subject.target.full_name.clone(),
        app: facts.session.app.as_ref().map(ToString::to_string),
    });
    match facts.session.agent.ask_running(call, NETWORK_TIMEOUT) {
        Ok(Some(Reply::Route(route))) if route.covered => Outcome::ok(route.reason),
        Ok(Some(Reply::Route(route))) => {
            let code = route.code.unwrap_or(ErrorCode::NotCovered);
            CliError { hint: route.hint, ..CliError::new(code, route.reason) }.into()
        }
        Ok(_) => facts.session.agent.unexpected().into(),
        Err(error) => error.into(),
    }
}

/// Does git itself get a token, in the way that every clone does?
pub(super) fn token(facts: &mut Facts<'_>) -> Outcome {
    let Some(subject) = &facts.subject else {
        return Outcome::skip("name a repository: ghapp doctor OWNER/REPO");
    };
    // Another helper may open a window and wait for a person.
    if facts.places.iter().any(|place| facts.chain(place).up_to_ours().is_none_or(|(before, _)| !before.is_empty())) {
        return Outcome::skip("git asks another helper first");
    }
    let name = &subject.target.full_name;
    let question = format!("protocol=https\nhost={}\npath={name}.git\n\n", subject.host);
    let mut command = Command::new("git");
    command.args(["credential", "fill"]);
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS", "")
        .env("GCM_INTERACTIVE", "never");
    for trace in TRACES {
        command.env_remove(trace);
    }
    let advice = Fix::Advice(format!("GHAPP_TRACE=1 git ls-remote https://{}/{name}.git", subject.host));
    let answer = match bounded::run(&mut command, question.as_bytes(), FILL_TIMEOUT) {
        Ok(answer) => answer,
        Err(trouble) => return Outcome::fail(ErrorCode::Git, format!("git got no token: {trouble}"), advice),
    };
    // The password in the answer is not looked at.
    let lines = || answer.stdout.split(|byte| *byte == b'\n');
    let ours = format!("username={TOKEN_USERNAME}");
    let has_token = lines().any(|line| line == ours.as_bytes()) && lines().any(|line| line.starts_with(b"password="));
    if !has_token {
        let words = String::from_utf8_lossy(&answer.stderr);
        let words = words.lines().next().unwrap_or("nobody answered");
        let words = words.trim_start_matches("ghapp: ").trim_start_matches("fatal: ");
        return Outcome::fail(ErrorCode::Git, format!("git got no token: {words}"), advice);
    }
    let expiry =
        lines().find_map(|line| std::str::from_utf8(line).ok()?.strip_prefix("password_expiry_utc=")?.parse().ok());
    Outcome::ok(match expiry {
        Some(expiry) => format!("git gets one, to be used until {}", Time(expiry)),
        None => "git gets one".to_owned(),
    })
}
