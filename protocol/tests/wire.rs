//! The wire format, version 1: its specification is the JSON files in `messages/`, and this is what holds the code to them.
//!
//! A file is one message as one line. Its name begins with `request-` or `response-` and goes on with what it shows.
//! `messages-from-the-future/` has what a newer build may send and this one must be able to read.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use ghapp_protocol::error::{ErrorCode, GitNext};
use ghapp_protocol::frame;
use ghapp_protocol::message::{Call, GitCall, GitReply, GitRequest, GitResponse, Reply, Request, Response};
use serde_json::Value;

/// Every file of a directory below `tests/`, by name.
fn messages(directory: &str) -> BTreeMap<String, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(directory);
    let files: BTreeMap<_, _> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            assert_eq!(path.extension().unwrap(), "json", "{}", path.display());
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let line = fs::read_to_string(&path).unwrap();
            let line = line
                .strip_suffix('\n')
                .filter(|line| !line.contains('\n'))
                .unwrap_or_else(|| panic!("{name} is not one line with its LF"));
            (name, line.to_owned())
        })
        .collect();
    assert!(!files.is_empty());
    files
}

fn message(directory: &str, name: &str) -> String {
    messages(directory).remove(name).unwrap_or_else(|| panic!("there is no {name}.json"))
}

fn request(name: &str) -> Request {
    frame::decode(message("messages-from-the-future", name).as_bytes()).unwrap()
}

fn response(name: &str) -> Response {
    frame::decode(message("messages-from-the-future", name).as_bytes()).unwrap()
}

/// What a file becomes when it is read and written again, without the length in front.
fn rewritten(name: &str, line: &str) -> String {
    let bytes = if name.starts_with("request-") {
        frame::encode(&frame::decode::<Request>(line.as_bytes()).expect(name))
    } else if name.starts_with("response-") {
        frame::encode(&frame::decode::<Response>(line.as_bytes()).expect(name))
    } else {
        panic!("{name} is neither a request nor a response")
    };
    let bytes = bytes.unwrap();
    String::from_utf8(bytes[frame::HEADER..].to_vec()).unwrap()
}

/// The variants of a wire enumeration as they appear in JSON, read from the source.
///
/// The enumerations are non-exhaustive, so no `match` out here can notice a new variant.
fn tags(source: &str, enumeration: &str) -> BTreeSet<String> {
    let start = format!("pub enum {enumeration} {{\n");
    let (_, body) = source.split_once(&start).unwrap();
    let (body, _) = body.split_once("\n}\n").unwrap();
    let variants = body
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .map(|line| {
            let end = line.find(|char: char| !char.is_ascii_alphanumeric());
            snake_case(&line[..end.unwrap()])
        });
    variants.filter(|tag| tag != "unknown").collect()
}

fn snake_case(name: &str) -> String {
    name.char_indices().fold(String::new(), |tag, (at, char)| {
        let separator = if at > 0 && char.is_ascii_uppercase() { "_" } else { "" };
        format!("{tag}{separator}{}", char.to_ascii_lowercase())
    })
}

#[test]
fn every_golden_message_is_read_and_written_byte_for_byte() {
    for (name, line) in messages("messages") {
        assert_eq!(rewritten(&name, &line), line, "{name}");
    }
}

#[test]
fn every_golden_message_is_of_version_1_and_named_after_its_kind() {
    for (name, line) in messages("messages") {
        let message: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(message["v"], 1, "{name}");
        let (prefix, field) = if name.starts_with("request-") { ("request", "call") } else { ("response", "reply") };
        let kind = message[field].as_str().unwrap().replace('_', "-");
        assert!(name.starts_with(&format!("{prefix}-{kind}")), "{name}");
    }
}

#[test]
fn every_call_and_every_reply_has_a_golden_message() {
    let files = messages("messages");
    let shown = |field: &str| -> BTreeSet<String> {
        let kinds = files.values().filter_map(|line| {
            let message: Value = serde_json::from_str(line).unwrap();
            Some(message.get(field)?.as_str()?.to_owned())
        });
        kinds.collect()
    };
    assert_eq!(shown("call"), tags(include_str!("../src/message/request.rs"), "Call"));
    assert_eq!(shown("reply"), tags(include_str!("../src/message/response.rs"), "Reply"));
}

#[test]
fn secrets_in_golden_messages_are_visibly_none() {
    for directory in ["messages", "messages-from-the-future"] {
        for (name, line) in messages(directory) {
            let message: Value = serde_json::from_str(&line).unwrap();
            let examples = [
                ("token", "ghs_example.not-a_real.token"),
                ("key", "bm90IGEgcmVhbCBrZXk="), // "not a real key"
                ("passphrase", "not a real passphrase"),
            ];
            for (field, example) in examples {
                let secret = message.get(field).filter(|value| value.is_string());
                assert!(secret.is_none_or(|secret| secret == example), "{name}");
            }
        }
    }
}

#[test]
fn debug_output_of_golden_messages_shows_no_secret() {
    for (name, line) in messages("messages") {
        let shown = match frame::decode::<Request>(line.as_bytes()) {
            Ok(request) => format!("{request:?}"),
            Err(_) => format!("{:?}", frame::decode::<Response>(line.as_bytes()).unwrap()),
        };
        for secret in ["ghs_example", "bm90IGEg", "not a real"] {
            assert!(!shown.contains(secret), "{name}: {shown}");
        }
    }
}

#[test]
fn every_message_from_the_future_can_be_read() {
    for (name, line) in messages("messages-from-the-future") {
        rewritten(&name, &line);
    }
}

/// An agent that could not read the frozen calls of another version could not even say which version it speaks.
#[test]
fn frozen_calls_of_another_version_are_understood() {
    for (name, frozen) in [
        ("request-get-version-2", "request-get"),
        ("request-erase-version-2", "request-erase"),
        ("request-status-version-2", "request-status"),
        ("request-stop-version-2", "request-stop"),
    ] {
        let (newer, ours) = (request(name), message("messages", frozen));
        let ours: Request = frame::decode(ours.as_bytes()).unwrap();
        assert_eq!((newer.v, newer.client.as_str()), (2, "9.0.0"), "{name}");
        assert_eq!(format!("{:?}", newer.call), format!("{:?}", ours.call));
    }
}

#[test]
fn unknown_calls_and_replies_have_an_arm_of_their_own() {
    for name in ["request-unknown-call", "request-unknown-call-version-2", "request-unknown-call-with-only-a-tag"] {
        assert!(matches!(request(name).call, Call::Unknown), "{name}");
    }
    for (name, v) in [("response-unknown-reply", 1), ("response-unknown-reply-version-2", 2)] {
        let response = response(name);
        assert!(matches!(response.reply, Reply::Unknown), "{name}");
        assert_eq!(response.v, v);
    }
}

/// The helper's own form of a call is the same JSON.
#[test]
fn what_the_helper_writes_is_what_everybody_reads() {
    let mut seen = 0;
    for (name, line) in messages("messages").into_iter().filter(|(name, _)| name.starts_with("request-")) {
        let request: Request = frame::decode(line.as_bytes()).unwrap();
        let call = match request.call {
            Call::Get(get) => GitCall::Get(get),
            Call::Erase(erase) => GitCall::Erase(erase),
            Call::Status {} => GitCall::Status,
            _ => continue,
        };
        let bytes = frame::encode(&GitRequest::from(&call)).unwrap();
        assert_eq!(std::str::from_utf8(&bytes[frame::HEADER..]).unwrap(), line, "{name}");
        seen += 1;
    }
    assert!(seen >= 5, "{seen}");
}

/// The helper's own way of reading finds the same in every answer, of this version and of later ones.
#[test]
fn what_the_helper_reads_is_what_everybody_writes() {
    for directory in ["messages", "messages-from-the-future"] {
        for (name, line) in messages(directory).into_iter().filter(|(name, _)| name.starts_with("response-")) {
            let full: Response = frame::decode(line.as_bytes()).unwrap();
            let read: GitResponse = frame::decode(line.as_bytes()).expect(&name);
            assert_eq!((read.v, &read.agent), (full.v, &full.agent), "{name}");
            match (full.reply, read.reply) {
                (Reply::Lease(full), GitReply::Lease(read)) => {
                    assert_eq!(full.token.expose(), read.token.expose(), "{name}");
                    assert_eq!((full.username, full.expires_at), (read.username, read.expires_at), "{name}");
                }
                (Reply::Erased { dropped: full }, GitReply::Erased { dropped: read }) => {
                    assert_eq!(full, read, "{name}");
                }
                (Reply::Error(full), GitReply::Error(read)) => assert_eq!(full, read, "{name}"),
                (Reply::NoMatch {}, GitReply::NoMatch) => {}
                (Reply::Lease(_) | Reply::Erased { .. } | Reply::Error(_) | Reply::NoMatch {}, read) => {
                    panic!("{name}: {read:?}")
                }
                (_, read) => assert!(matches!(read, GitReply::Other), "{name}: {read:?}"),
            }
        }
    }
    for line in [
        r#"{"v":1,"agent":"0.1.0","reply":"lease","username":"x-access-token","token":"ghs_canary"}"#,
        r#"{"v":1,"agent":"0.1.0","reply":"lease","token":"ghs_canary","expires_at":1}"#,
        r#"{"v":1,"agent":"0.1.0","reply":"error","message":"ghs_canary"}"#,
        r#"{"v":1,"agent":"0.1.0","reply":"erased"}"#,
        r#"{"v":1,"agent":"0.1.0","token":"ghs_canary"}"#,
    ] {
        let error = frame::decode::<GitResponse>(line.as_bytes()).expect_err(line);
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

#[test]
fn unknown_fields_are_ignored_and_the_order_of_fields_means_nothing() {
    let Call::Get(get) = request("request-get-with-unknown-fields").call else {
        panic!("not a get");
    };
    assert_eq!(get.repository.unwrap().to_string(), "acme/web");
    let Reply::Lease(lease) = response("response-lease-with-unknown-fields").reply else {
        panic!("not a lease");
    };
    assert_eq!(lease.token.expose(), "ghs_example.not-a_real.token");
    let reply = response("response-no-match-with-unknown-fields").reply;
    assert!(matches!(reply, Reply::NoMatch {}));
}

#[test]
fn unknown_codes_stop_git_unless_the_agent_says_otherwise() {
    for (name, code, git_next) in [
        ("response-error-with-unknown-code", ErrorCode::Unknown, GitNext::Stop),
        // A third thing that git could do is not one that this build can do: it stays out of the way.
        ("response-error-with-unknown-git-next", ErrorCode::Denied, GitNext::NextHelper),
        ("response-error-with-unknown-code-and-git-next", ErrorCode::Unknown, GitNext::NextHelper),
    ] {
        let Reply::Error(error) = response(name).reply else {
            panic!("{name} is not an error");
        };
        assert_eq!((error.code, error.git_next()), (code, git_next), "{name}");
    }
}

/// A code that changes its word, its id, its exit code or what git does next breaks scripts and older helpers.
#[test]
fn error_codes_are_those_of_the_table() {
    let table = include_str!("error-codes.txt");
    let codes = ErrorCode::ALL.iter().map(|code| {
        let word = serde_json::to_value(code).unwrap();
        let next = serde_json::to_value(code.git_next()).unwrap();
        let (word, next) = (word.as_str().unwrap(), next.as_str().unwrap());
        format!("{} {word} {} {next}\n", code.id(), code.exit())
    });
    assert_eq!(codes.collect::<String>(), table);
}

// rule 39
#[test]
fn what_is_no_message_is_refused_without_being_repeated() {
    for line in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"v":1,"client":"0.1.0"}"#,
        r#"{"v":1,"client":"0.1.0","call":"get"}"#,
        r#"{"v":1,"client":"0.1.0","call":"get","host":"ghs_canary@github.com"}"#,
        r#"{"v":1,"client":"0.1.0","call":"get","host":"github.com","repository":"ghs_canary"}"#,
        r#"{"v":1,"client":"0.1.0","call":"get","host":"github.com","host":"ghs_canary"}"#,
        r#"{"v":1,"client":"0.1.0","call":"erase","host":"github.com","hashed_token":"ghs_canary"}"#,
        r#"{"v":-1,"client":"ghs_canary","call":"status"}"#,
        r#"{"v":1,"client":"0.1.0","call":"status"} ghs_canary"#,
        r#"{"v":1,"client":"0.1.0","call":"ghs_canary"#,
    ] {
        let error = frame::decode::<Request>(line.as_bytes()).expect_err(line);
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
