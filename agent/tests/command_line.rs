//! The command line of the real `ghapp-agent` program: where it prints, and what it exits with.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::process::Command;

/// What the program says on standard output and standard error, and its exit code.
fn run(arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_ghapp-agent")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

#[test]
fn help_and_version_are_asked_for_and_no_failure() {
    let (help, nothing, code) = run(&["--help"]);
    assert!(help.starts_with("Sign with a GitHub App's key and serve short-lived tokens to git\n\nUsage: "), "{help}");
    assert!(!help.contains("patron") && help.ends_with("  -V, --version        Print version\n"), "{help}");
    assert_eq!((nothing.as_str(), code), ("", Some(0)));
    assert_eq!(run(&["-h"]).0, help);
    let version = (format!("ghapp-agent {}\n", env!("CARGO_PKG_VERSION")), String::new(), Some(0));
    assert_eq!(run(&["--version"]), version);
    assert_eq!(run(&["-V"]), version);
}

#[test]
fn a_command_line_that_is_none_of_ours_is_2_and_said_on_standard_error() {
    for (arguments, cause) in [
        (&[][..], "the following required arguments were not provided:"),
        (&["--foreground", "--daemonize"], "the argument '--foreground' cannot be used with '--daemonize'"),
        (&["--foreground", "--socket"], "a value is required for '--socket <PATH>' but none was supplied"),
        (&["start"], "unexpected argument 'start' found"),
    ] {
        let (nothing, error, code) = run(arguments);
        assert_eq!((nothing.as_str(), code), ("", Some(2)), "{arguments:?}");
        assert_eq!(error.lines().next(), Some(format!("error: {cause}").as_str()), "{arguments:?}");
        assert!(error.ends_with("\nFor more information, try '--help'.\n"), "{error}");
    }
}

#[cfg(unix)] // on Windows a name of that length is one
#[test]
fn a_place_that_cannot_be_is_1_and_told_to_who_started_it() {
    let long = format!("--socket=/{}", "x".repeat(200));
    for (mode, line) in [("--foreground", ""), ("--daemonize", "failed: "), ("--detached", "failed: ")] {
        let (told, error, code) = run(&[mode, &long]);
        assert!(told.starts_with(line) && told.is_empty() == line.is_empty(), "{mode}: {told}");
        assert!(error.starts_with("ghapp-agent: the agent's socket cannot be /x"), "{mode}: {error}");
        assert_eq!(code, Some(1), "{mode}");
    }
}
