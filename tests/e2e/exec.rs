//! `ghapp exec`: a command with tokens in its environment.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::os::unix::process::ExitStatusExt;

use ghapp_tests::process::{self, Output};
use ghapp_tests::{Desk, binary};

/// Prints what `gh` looks at.
const TELL: &str = "for name in GH_TOKEN GITHUB_TOKEN GH_ENTERPRISE_TOKEN GITHUB_ENTERPRISE_TOKEN GH_HOST; do \
                    eval \"echo $name=\\$$name\"; done";

fn exec(desk: &Desk, arguments: &[&str]) -> Output {
    process::run(desk.command(binary("ghapp")).arg("exec").args(arguments), b"")
}

#[test]
fn a_command_gets_a_token_in_its_environment_and_inherits_no_other() {
    let mut desk = Desk::ready();
    for name in ["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GH_HOST"] {
        desk.set_env(name, "somebody-elses");
    }
    let out = exec(&desk, &["acme/web", "--permissions", "contents=read", "--", "sh", "-c", TELL]);
    let mints = desk.github.mints();
    assert_eq!(mints.len(), 1);
    assert_eq!(mints[0].permissions.level("contents"), Some("read"));
    assert!(mints[0].permissions.level("workflows").is_none());
    let (token, host) = (&mints[0].token, desk.github.host());
    assert_eq!(
        out.ok().stdout(),
        format!(
            "GH_TOKEN={token}\nGITHUB_TOKEN=\nGH_ENTERPRISE_TOKEN={token}\nGITHUB_ENTERPRISE_TOKEN=\nGH_HOST={host}\n"
        )
    );
    assert_eq!(out.stderr(), "");
}

#[test]
fn each_variable_holds_the_token_of_its_own_repository() {
    let desk = Desk::ready();
    let script = "echo \"$WEB $API ${GH_TOKEN-none}\"";
    let out = exec(&desk, &["-e", "WEB=acme/web", "-e", "API=acme/api", "--", "sh", "-c", script]);
    let mints = desk.github.mints();
    assert_eq!(mints.len(), 2);
    assert_eq!(out.ok().stdout(), format!("{} {} none\n", mints[0].token, mints[1].token));
    assert_ne!(mints[0].token, mints[1].token);
}

#[cfg(target_os = "linux")] // it looks into /proc
#[test]
fn the_command_takes_the_place_of_ghapp_and_no_argument_holds_the_token() {
    let desk = Desk::ready();
    let script = "tr '\\0' ' ' < /proc/$$/cmdline; echo; tr '\\0' ' ' < /proc/$PPID/cmdline; echo; echo \"$GH_TOKEN\"";
    let out = exec(&desk, &["acme/web", "--", "sh", "-c", script]).ok().stdout();
    let (arguments, token) = out.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(token, desk.github.mints()[0].token);
    assert!(!arguments.contains(token), "{arguments}");
    // The parent is this test and no ghapp that stays.
    assert!(!arguments.lines().nth(1).unwrap().contains("ghapp exec"), "{arguments}");
}

#[test]
fn the_exit_code_and_the_signal_are_those_of_the_command() {
    let desk = Desk::ready();
    let code = |command: &[&str]| exec(&desk, &[&["acme/web", "--"], command].concat()).status.code();
    assert_eq!(code(&["sh", "-c", "exit 7"]), Some(7));
    assert_eq!(code(&["/nowhere/there-is-no-such-program"]), Some(127));
    assert_eq!(code(&["/"]), Some(126));
    assert_eq!(code(&["printf", "%s", "--json"]), Some(0));
    let killed = exec(&desk, &["acme/web", "--", "sh", "-c", "kill -TERM $$"]);
    assert_eq!(killed.status.signal(), Some(15));
}

#[test]
fn without_a_token_the_command_does_not_run() {
    let desk = Desk::ready();
    let out = exec(&desk, &["octo/lib", "--", "echo", "ran"]);
    assert_eq!((out.status.code(), out.stdout().as_str()), (Some(111), ""));
    out.stderr_contains("error[E17]");
    // The second variable is refused: the first one's token is not enough.
    let second = exec(&desk, &["-e", "A=acme/web", "-e", "B=octo/lib", "--", "echo", "ran"]);
    assert_eq!((second.status.code(), second.stdout().as_str()), (Some(111), ""));
    for wrong in [&["-e", "A-B=acme/web"][..], &["-e", "A=acme/web", "-e", "A=acme/api"], &["-e", "A=nonsense"]] {
        let out = exec(&desk, &[wrong, &["--", "echo", "ran"]].concat());
        assert_eq!((out.status.code(), out.stdout().as_str()), (Some(111), ""), "{wrong:?}");
    }
}
