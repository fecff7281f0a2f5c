//! Rules 17 to 21: what git is answered. And rules 27 and 33: what is never said.

use std::io::{self, Write};

use ghapp_protocol::credential::{Attributes, Request, write_answer};
use ghapp_protocol::token_hash::TokenHash;
use proptest::prelude::*;

use crate::parse;

const USER: &str = "x-access-token";
const TOKEN: &str = "ghs_example.not-a_real.token";
const EXPIRY: i64 = 1_790_000_000;

fn answer(username: &str, token: &str, expiry: i64) -> io::Result<String> {
    let mut output = Vec::new();
    let outcome = write_answer(&mut output, username, token, expiry);
    let output = String::from_utf8(output).unwrap();
    assert!(outcome.is_ok() || output.is_empty(), "half an answer");
    outcome.map(|()| output)
}

#[test]
fn rules_17_and_18_success_is_exactly_three_attributes_in_this_order() {
    assert_eq!(
        answer(USER, TOKEN, EXPIRY).unwrap(),
        format!("username={USER}\npassword={TOKEN}\npassword_expiry_utc={EXPIRY}\n")
    );
}

#[test]
fn rule_19_the_answer_leaves_in_one_write() {
    struct Writes(Vec<usize>);
    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut writes = Writes(Vec::new());
    write_answer(&mut writes, USER, TOKEN, EXPIRY).unwrap();
    let length = answer(USER, TOKEN, EXPIRY).unwrap().len();
    assert_eq!(writes.0, [length]);
}

#[test]
fn rule_20_tokens_that_would_not_be_one_line_are_refused_without_being_repeated() {
    for broken in ["\n", "\r", "\r\n", "\0", "\u{1b}", "\u{7f}", "\u{85}", "\t"] {
        for token in [format!("ghs_1{broken}quit=1"), format!("ghs_1{broken}")] {
            let error = answer(USER, &token, EXPIRY).unwrap_err();
            assert!(!error.to_string().contains("ghs"), "{error}");
        }
        let name = format!("x{broken}host=evil.example");
        assert!(answer(&name, TOKEN, EXPIRY).is_err(), "{broken:?}");
    }
    assert!(answer(USER, "", EXPIRY).is_err());
    // Older helpers in the same list read into fixed buffers: a longer line would become two.
    assert!(answer(USER, &"g".repeat(65_536), EXPIRY).is_err());
    assert!(answer(USER, &"g".repeat(60_000), EXPIRY).is_ok());
}

#[test]
fn rule_21_an_expiry_that_git_would_read_as_never_is_refused() {
    for expiry in [0, -1, -60, i64::MIN] {
        assert!(answer(USER, TOKEN, expiry).is_err(), "{expiry}");
    }
}

#[test]
fn rule_27_what_is_said_about_a_hostile_request_never_repeats_it() {
    let (start, canary) = ("protocol=https\nhost=github.com\n", "canary\u{1b}[31m\u{202e}");
    for request in [
        format!("{start}{canary}\n"),
        format!("{start}={canary}\n"),
        format!("{start}path={canary}\r{canary}\n"),
        format!("{start}{canary}=\0\n"),
        format!("{start}host={canary}\n"),
        format!("{start}password={canary}\npassword={canary}\n"),
        format!("{start}url=https://{canary}@evil.example\n"),
        format!("{start}x={}\n", canary.repeat(10_000)),
        format!("{start}{}", format!("{canary}=\n").repeat(100_000)),
        format!("{start}path={canary}\n"),
        format!("{start}username={canary}\n"),
        format!("protocol={canary}\nhost={canary}\n"),
        format!("protocol=https\nhost={canary}\n"),
        format!("path={canary}\n"),
    ] {
        let shown = match parse(request.as_bytes()) {
            Err(error) => format!("{error} {error:?}"),
            Ok(request) => format!("{request:?}"),
        };
        assert!(!shown.contains("canary"), "{shown}");
        assert!(!shown.contains(char::is_control), "{shown}");
        assert!(!shown.contains('='), "{shown}");
    }
}

#[test]
fn rule_33_of_a_password_only_its_hash_is_left() {
    let request = format!(
        "protocol=https\nhost=github.com\nusername={USER}\npassword={TOKEN}\nurl=https://a:{TOKEN}@github.com\n"
    );
    let attributes = Attributes::read(&mut request.as_bytes()).unwrap();
    let shown = format!("{attributes:?}");
    assert!(!shown.contains("ghs_"), "{shown}");
    let Ok(Request::Https(question)) = attributes.into_request() else {
        panic!("not a request to us");
    };
    assert_eq!(question.password, Some(TokenHash::of(TOKEN.as_bytes())));
    let shown = format!("{question:?}");
    assert!(!shown.contains("ghs_"), "{shown}");
}

fn token() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9_.=-]{1,300}",
        "\\PC{0,40}",
        proptest::collection::vec(any::<char>(), 0..20).prop_map(|characters| characters.into_iter().collect()),
    ]
}

proptest! {
    #[test]
    fn an_answer_is_read_again_as_what_was_meant_or_not_written(
        token in token(),
        expiry in any::<i64>(),
    ) {
        if let Ok(answer) = answer(USER, &token, expiry) {
            prop_assert_eq!(answer.lines().count(), 3);
            let request = format!("protocol=https\nhost=github.com\n{answer}");
            let Ok(Request::Https(question)) = parse(request.as_bytes()) else {
                panic!("the answer is unreadable");
            };
            prop_assert_eq!(question.password, Some(TokenHash::of(token.as_bytes())));
            prop_assert!(expiry > 0);
        }
    }
}
