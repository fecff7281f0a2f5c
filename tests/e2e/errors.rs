//! The ids of errors: the table of their tests (`errors.md`) is complete, and the errors that no other test reaches are here.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{Call, Reply, Unlock};
use ghapp_tests::github::{AccountKind, Endpoint, Fault, Selection};
use ghapp_tests::process::{self, Output};
use ghapp_tests::terminal::Terminal;
use ghapp_tests::{Desk, binary, desk};
use jiff::Timestamp;

/// Errors that no test can provoke from outside, or only after too long a wait.
const WITHOUT_A_TEST: &[&str] = &["E16", "E41", "E54"];

/// The rows: an id, and its tests, each with its file.
fn table() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let rows = include_str!("errors.md").lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix("| E")?.strip_suffix(" |")?.split(" | ").collect();
        let [_, tests] = cells[..] else { return None };
        let names: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        Some((&line[2..5], names.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()))
    });
    rows.collect()
}

#[test]
fn every_error_id_is_in_the_table_once_and_in_order() {
    let ids: Vec<_> = table().into_iter().map(|(id, _)| id).collect();
    let all: Vec<_> = ErrorCode::ALL.iter().map(|code| code.id()).collect();
    assert_eq!(ids, all, "tests/e2e/errors.md has a row for each id of protocol/src/error.rs");
}

#[test]
fn every_error_id_has_a_test_or_says_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (id, tests) in table() {
        assert_eq!(tests.is_empty(), WITHOUT_A_TEST.contains(&id), "{id}");
        for (file, name) in tests {
            let source = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{id}: {file}: {error}"));
            let is_test = |part: &str| part.starts_with("test]") && part.contains(&format!("fn {name}("));
            assert!(source.split("#[").any(is_test), "{id}: {file} has no test {name}");
        }
    }
}

#[track_caller]
fn fails_with(output: &Output, id: &str) {
    let code = ErrorCode::ALL.iter().find(|code| code.id() == id).unwrap();
    output.failed().stderr_contains(&format!("error[{id}]: "));
    assert_eq!(output.status.code(), Some(i32::from(code.exit())), "{}", output.stderr());
}

fn token(desk: &Desk) -> Output {
    desk.ghapp(["token", "acme/web"])
}

#[test]
fn behind_an_exposed_socket_that_is_gone_no_agent_is_started() {
    let mut desk = Desk::ready();
    let gone = desk.runtime_directory().join("ghapp/exposed-box/exposed.sock");
    desk.set_env("GHAPP_SOCKET", gone);
    fails_with(&token(&desk), "E02");
}

#[test]
fn an_agent_that_never_answers_is_silent() {
    let mut desk = Desk::new();
    let socket = desk.path("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    // It reads the question and never answers.
    thread::spawn(move || {
        let mut kept = Vec::new();
        listener.incoming().for_each(|connection| kept.push(connection));
    });
    desk.set_env("GHAPP_NO_AUTOSTART", "1");
    desk.set_env("GHAPP_SOCKET", socket);
    fails_with(&desk.ghapp(["leases"]), "E03");
}

#[test]
fn without_an_app_there_is_nothing_to_ask_for() {
    let desk = Desk::new();
    fails_with(&token(&desk), "E07");
}

#[test]
fn a_suspended_installation_gives_no_token() {
    let desk = Desk::ready();
    desk.github.suspend(desk.installation);
    fails_with(&token(&desk), "E19");
}

#[test]
fn a_rate_limit_is_named() {
    let desk = Desk::ready();
    let reset = Timestamp::now().as_second() + 600;
    desk.github.fault(Endpoint::Mint, Fault::primary_rate_limit(reset), usize::MAX);
    fails_with(&token(&desk), "E23");
}

#[test]
fn two_apps_on_one_owner_need_a_rule() {
    let desk = Desk::ready();
    let other = desk.github.create_app("other-bot", "acme");
    desk.github.install(&other, "acme", Selection::All, desk::GIT_PERMISSIONS);
    desk.log_in_as(&other, "memory").ok();
    fails_with(&token(&desk), "E31");
}

#[test]
fn a_token_is_not_printed_on_a_terminal() {
    let desk = Desk::ready();
    let mut terminal = Terminal::start(desk.command(binary("ghapp")).args(["token", "acme/web"]));
    terminal.expect("error[E33]:");
}

#[test]
fn a_key_in_memory_is_gone_with_the_agent() {
    let desk = Desk::ready();
    desk.kill_agent();
    fails_with(&token(&desk), "E37");
}

#[test]
fn a_key_behind_a_passphrase_needs_it() {
    let desk = Desk::new();
    desk.log_in_with_passphrase(&desk.app, "correct horse battery").ok();
    desk.ghapp(["lock"]).ok();
    // `ghapp` asks for a passphrase or exits with a usage error; an agent that gets none says this.
    let Ok(Reply::Error(error)) = desk.ask(Call::Unlock(Unlock { app: None, passphrase: None })) else {
        panic!("it wants a passphrase")
    };
    assert_eq!(error.code, ErrorCode::PassphraseNeeded);
}

#[test]
fn a_refusal_of_githubs_without_an_id_of_its_own_has_its_words() {
    let desk = Desk::ready();
    desk.github.fault(Endpoint::Mint, Fault::message(403, "Not on a Tuesday"), usize::MAX);
    let refused = token(&desk);
    fails_with(&refused, "E43");
    refused.stderr_contains("Not on a Tuesday");
}

#[test]
fn a_token_that_ends_too_soon_is_not_handed_out() {
    let desk = Desk::ready();
    desk.github.token_lifetime(Duration::from_secs(300));
    fails_with(&token(&desk), "E44");
}

#[test]
fn tokens_that_servers_refuse_again_and_again_are_not_minted() {
    let desk = Desk::ready();
    for _ in 0..2 {
        let password = desk.token("acme/web");
        let host = desk.github.host();
        let attributes =
            format!("protocol=https\nhost={host}\npath=acme/web.git\nusername=x-access-token\npassword={password}\n\n");
        desk.git_credential("reject", &attributes).ok();
    }
    fails_with(&token(&desk), "E50");
}

#[test]
fn the_ids_that_only_git_meets_are_in_the_helpers_trace() {
    let mut desk = Desk::ready();
    desk.set_env("GHAPP_TRACE", "1");
    let get = |desk: &Desk, attributes: &str| {
        process::run(desk.command(binary("git-credential-ghapp")).arg("get"), attributes.as_bytes())
    };
    // Another account, so that the App has two owners.
    desk.github.create_account("umbrella", AccountKind::Organization);
    desk.github.install(&desk.app, "umbrella", Selection::All, desk::GIT_PERMISSIONS);
    let host = desk.github.host().to_owned();
    get(&desk, &format!("protocol=https\nhost={host}\n\n")).ok().stderr_contains("answer: error E29");
    let hold = desk.github.hold(Endpoint::Mint);
    let late = get(&desk, &format!("protocol=https\nhost={host}\npath=acme/web.git\n\n"));
    hold.release();
    late.ok().stderr_contains("answer: error E48");
}
