//! Answers of a healthy agent, and what git is told.

use ghapp_protocol::error::{ErrorCode, GitNext, WireError};
use ghapp_protocol::message::{Lease, Reply};
use ghapp_protocol::secret::Secret;
use ghapp_protocol::{BUILD_VERSION, TOKEN_USERNAME};

use crate::agent::{Place, reply};
use crate::program::{Outcome, REQUEST, command, get, run};

fn lease(token: &str, expires_at: i64) -> Reply {
    Reply::Lease(Lease { username: TOKEN_USERNAME.to_owned(), token: Secret::new(token.to_owned()), expires_at })
}

fn answered(answer: Reply) -> Outcome {
    let place = Place::new();
    place.answering(&reply(answer), || get(&place)).0
}

// rule 17
#[test]
fn a_lease_becomes_exactly_three_lines() {
    let place = Place::new();
    let answer = reply(lease("ghs_example.not-a_real.token", 1_790_000_000));
    let (outcome, asked) = place.answering(&answer, || get(&place));
    let expected = Outcome {
        code: Some(0),
        stdout: "username=x-access-token\npassword=ghs_example.not-a_real.token\n\
                 password_expiry_utc=1789999940\n"
            .to_owned(),
        stderr: String::new(),
    };
    assert_eq!(outcome, expected);
    assert_eq!(
        asked,
        format!(r#"{{"v":1,"client":"{BUILD_VERSION}","call":"get","host":"github.com","repository":"acme/web"}}"#)
    );
}

#[test]
fn owners_and_a_missing_path_reach_the_agent_as_they_are() {
    let place = Place::new();
    let get = command(&place, &["--owner=acme", "--owner=Octo-Org", "get"]);
    let input = "protocol=https\nhost=GHE.example.com:8443\n\n";
    let (outcome, asked) = place.answering(&reply(Reply::NoMatch {}), || run(get, input));
    outcome.assert_silent();
    assert!(asked.ends_with(r#""call":"get","host":"ghe.example.com:8443","owners":["acme","Octo-Org"]}"#), "{asked}");
}

#[test]
fn no_match_is_silence() {
    answered(Reply::NoMatch {}).assert_silent();
}

// rule 26
#[test]
fn an_error_that_stops_git_is_quit_and_one_line() {
    let error = WireError::new(ErrorCode::Suspended, "the installation on acme is suspended");
    let outcome = answered(Reply::Error(error.hint("ask an owner of acme")));
    let expected = Outcome {
        code: Some(0),
        stdout: "quit=1\n".to_owned(),
        stderr: "ghapp: the installation on acme is suspended; ask an owner of acme\n".to_owned(),
    };
    assert_eq!(outcome, expected);
}

#[test]
fn an_error_that_lets_git_go_on_is_one_line() {
    let code = WireError::new(ErrorCode::NotCovered, "acme/web is not included");
    let rule = WireError {
        git_next: Some(GitNext::NextHelper),
        ..WireError::new(ErrorCode::Denied, "acme/web is not included")
    };
    for error in [code, rule] {
        let outcome = answered(Reply::Error(error));
        assert_eq!(outcome.only_line(), "ghapp: acme/web is not included");
    }
}

#[test]
fn an_error_text_that_looks_like_attributes_becomes_one_line_that_is_none() {
    let text = "a\nhost=evil.example\r\npassword=x\u{1b}[31m";
    let error = WireError::new(ErrorCode::NotCovered, text).hint("username=x\nquit=1");
    let outcome = answered(Reply::Error(error));
    assert!(outcome.only_line().len() < 200, "{outcome:?}");
    let long = WireError::new(ErrorCode::NotCovered, "x".repeat(20_000));
    let outcome = answered(Reply::Error(long));
    assert!(outcome.only_line().len() < 1000);
}

#[test]
fn a_token_that_is_not_one_line_or_never_expires_is_not_given_to_git() {
    for answer in [
        lease("ghs_canary\nquit=1", 1_790_000_000),
        lease("ghs_canary\r", 1_790_000_000),
        lease("ghs_canary\0", 1_790_000_000),
        lease("", 1_790_000_000),
        lease("ghs_canary", 0),
        lease("ghs_canary", 60),
        lease("ghs_canary", i64::MIN),
        Reply::Lease(Lease {
            username: "x\nhost=evil.example".to_owned(),
            token: Secret::new("ghs_canary".to_owned()),
            expires_at: 1_790_000_000,
        }),
    ] {
        let outcome = answered(answer);
        assert!(!outcome.stderr.contains("canary"), "{outcome:?}");
        let line = outcome.only_line();
        assert!(line.contains("unusable"), "{line}");
    }
}

#[test]
fn an_answer_to_another_question_is_one_line() {
    for answer in [Reply::Erased { dropped: true }, Reply::Reloaded {}, Reply::Unknown] {
        let outcome = answered(answer);
        assert!(outcome.only_line().contains("does not know"), "{outcome:?}");
    }
}

#[test]
fn the_trace_says_what_happens_and_never_shows_a_secret() {
    let place = Place::new();
    let answer = reply(lease("ghs_canary", 1_790_000_000));
    let mut traced = command(&place, &["get"]);
    traced.env("GHAPP_TRACE", place.path().join("trace"));
    let (outcome, _) = place.answering(&answer, || run(traced, REQUEST));
    assert!(outcome.stdout.contains("ghs_canary"));
    assert_eq!(outcome.stderr, "");
    let trace = std::fs::read_to_string(place.path().join("trace")).unwrap();
    assert!(trace.contains("acme/web"), "{trace}");
    assert!(!trace.contains("canary"), "{trace}");
}

#[test]
fn rules_23_to_25_capabilities_of_git_change_nothing() {
    let place = Place::new();
    let request = format!(
        "capability[]=authtype\ncapability[]=state\n{REQUEST}wwwauth[]=Bearer\nstate[]=ghapp:1\n\
         oauth_refresh_token=x\ncontinue=1\n"
    );
    let answer = reply(lease("ghs_canary", 1_790_000_060));
    let (outcome, _) = place.answering(&answer, || run(command(&place, &["get"]), request));
    assert_eq!(outcome.stdout, "username=x-access-token\npassword=ghs_canary\npassword_expiry_utc=1790000000\n");
}

/// A repository's configuration can set some of these through hooks and aliases, and CI systems set others (CVE-2024-53858).
#[test]
fn rule_53_the_environment_changes_no_answer() {
    let answer = reply(lease("ghs_canary", 1_790_000_060));
    let plain = Place::new();
    let expected = plain.answering(&answer, || get(&plain));
    let place = Place::new();
    let mut hostile = command(&place, &["get"]);
    for (name, value) in [
        ("GH_HOST", "evil.example"),
        ("GH_TOKEN", "evil"),
        ("GITHUB_TOKEN", "evil"),
        ("GITHUB_SERVER_URL", "https://evil.example"),
        ("GITHUB_API_URL", "https://evil.example"),
        ("GITHUB_REPOSITORY", "evil/repository"),
        ("CODESPACES", "true"),
        ("GIT_DIR", "/evil"),
        ("GIT_CONFIG_PARAMETERS", "'ghapp.owner'='evil'"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "credential.username"),
        ("GIT_CONFIG_VALUE_0", "evil"),
        ("GHAPP_OWNER", "evil"),
        ("GHAPP_HOST", "evil.example"),
        ("https_proxy", "http://evil.example"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("RUST_LOG", "trace"),
    ] {
        hostile.env(name, value);
    }
    assert_eq!(place.answering(&answer, || run(hostile, REQUEST)), expected);
}
