//! `ghapp exec`: a command with tokens in its environment, or with one in a file that is renewed.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::io::{PipeWriter, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::Duration;

use ghapp_tests::github::{Endpoint, Fault};
use ghapp_tests::process::{self, Output, Running};
use ghapp_tests::terminal::Terminal;
use ghapp_tests::{Desk, binary, eventually};
use rustix::process::{Pid, Signal, kill_process};

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
    // The parent is this test: no ghapp stays in between.
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
    // The second variable is refused: the first variable's token is not enough.
    let second = exec(&desk, &["-e", "A=acme/web", "-e", "B=octo/lib", "--", "echo", "ran"]);
    assert_eq!((second.status.code(), second.stdout().as_str()), (Some(111), ""));
    for wrong in [
        &["-e", "A-B=acme/web"][..],
        &["-e", "A=acme/web", "-e", "A=acme/api"],
        &["-e", "A=nonsense"],
        &["acme/web", "-e", "A=acme/api"],
    ] {
        let out = exec(&desk, &[wrong, &["--", "echo", "ran"]].concat());
        assert_eq!((out.status.code(), out.stdout().as_str()), (Some(111), ""), "{wrong:?}");
    }
}

/// How long tokens live here: `ghapp exec --renew` replaces them with a quarter of it left.
const SHORT_LIFE: Duration = Duration::from_secs(12);

/// A command that is accompanied: it has said where its token is, and runs until its input ends.
struct Accompanied {
    running: Running,
    file: PathBuf,
    input: PipeWriter,
}

impl Accompanied {
    /// Starts a script, which is to begin with `TELL_FILE`.
    fn start(desk: &Desk, script: &str) -> Accompanied {
        let (reader, input) = std::io::pipe().unwrap();
        let mut command = desk.command(binary("ghapp"));
        command.args(["exec", "acme/web", "--renew", "--min-ttl", "1s", "--", "sh", "-c"]).arg(script);
        let running = Running::spawn_with(&mut command, reader.into());
        let line = running.wait_for_line("token file: ");
        let file = PathBuf::from(line.strip_prefix("token file: ").unwrap());
        Accompanied { running, file, input }
    }

    fn token(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }

    fn signal(&self, signal: Signal) {
        send(self.running.pid(), signal);
    }
}

fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

const TELL_FILE: &str = "echo \"token file: $GHAPP_TOKEN_FILE\"; ";

#[test]
fn a_file_has_a_whole_token_whenever_somebody_looks_and_a_new_one_before_the_old_one_dies() {
    let desk = Desk::ready();
    desk.github.token_lifetime(SHORT_LIFE);
    let command = Accompanied::start(&desk, &format!("{TELL_FILE} read line; echo \"$GH_TOKEN\"; exit 7"));
    let first = command.token();
    assert_eq!(first, desk.github.mints()[0].token);
    let (file, directory) = (command.file.clone(), command.file.parent().unwrap().to_owned());
    assert!(directory.starts_with(desk.runtime_directory()), "{}", directory.display());
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(&directory)), (0o600, 0o700));

    // Replaced and not rewritten: a file that is open stays as it was, so no reader sees half a token.
    let mut opened = fs::File::open(&file).unwrap();
    let mut seen = vec![desk.github.mints().remove(0)];
    eventually("the token is renewed twice", || {
        let token = command.token();
        let mint = desk.github.mints().into_iter().find(|mint| mint.token == token).expect("it is a whole token");
        let last = &seen[seen.len() - 1];
        if last.token != token {
            assert!(mint.minted_at < last.expires_at, "it came too late: {mint:?} after {last:?}");
            seen.push(mint);
        }
        seen.len() == 3
    });
    let mut kept = String::new();
    opened.read_to_string(&mut kept).unwrap();
    assert_eq!(kept, first);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing is left of the ones before");
    drop(command.input);
    let ended = command.running.finish();
    assert_eq!(ended.status.code(), Some(7));
    assert!(ended.stdout().ends_with(&format!("{first}\n")), "the variable has the first one");
    assert_eq!(ended.stderr(), "");
    assert!(!directory.exists());
}

#[test]
fn signals_reach_the_command_and_the_file_goes_however_it_ends() {
    let desk = Desk::ready();
    for (signal, name) in [(Signal::INT, "INT"), (Signal::TERM, "TERM"), (Signal::HUP, "HUP"), (Signal::USR1, "USR1")] {
        let script = format!("trap 'echo caught; exit 9' {name}; {TELL_FILE} read line");
        let command = Accompanied::start(&desk, &script);
        command.signal(signal);
        let ended = command.running.finish();
        assert_eq!(ended.status.code(), Some(9), "{name}");
        assert!(ended.stdout().ends_with("caught\n"), "{name}");
        assert!(!command.file.parent().unwrap().exists(), "{name}");
    }
    // Without a trap the signal kills the command, and ghapp reports it as shells do.
    for (signal, code) in [(Signal::TERM, 143), (Signal::QUIT, 131)] {
        let command = Accompanied::start(&desk, &format!("{TELL_FILE} read line"));
        command.signal(signal);
        let ended = command.running.finish();
        assert_eq!(ended.status.code(), Some(code));
        assert!(!command.file.parent().unwrap().exists());
    }
    let killed = exec(&desk, &["acme/web", "--renew", "--", "sh", "-c", "kill -KILL $$"]);
    assert_eq!(killed.status.code(), Some(137));
}

#[cfg(target_os = "linux")] // setsid(1) is Linux's
#[test]
fn ctrl_c_reaches_the_command_once() {
    let desk = Desk::ready();
    let script = "n=0; trap 'n=$((n+1)); echo caught' INT; trap 'echo told' USR1; echo ready; \
                  while read line; [ \"$line\" != end ]; do :; done; echo \"caught it $n times\"";
    let mut command = desk.command("setsid");
    // The terminal is this session's own, so it signals every process in its foreground.
    command.args(["--ctty", "--wait"]).arg(binary("ghapp"));
    let mut terminal = Terminal::start(command.args(["exec", "acme/web", "--renew", "--", "sh", "-c", script]));
    drop(command); // it has the terminal open, too
    terminal.expect("ready");
    // ghapp stands still until the command has caught the first one: two signals that are pending at once would be one.
    send(terminal.pid(), Signal::STOP);
    terminal.answer("\u{3}");
    terminal.expect("caught");
    send(terminal.pid(), Signal::CONT);
    // Signals that ghapp passes on after that arrive behind whatever it does about Ctrl-C.
    for _ in 0..2 {
        send(terminal.pid(), Signal::USR1);
        terminal.expect("told");
    }
    terminal.answer("end");
    terminal.expect("caught it 1 times");
    assert!(terminal.end().0.success());
}

#[test]
fn a_renewal_that_fails_is_said_once_and_tried_again() {
    let desk = Desk::ready();
    desk.github.token_lifetime(SHORT_LIFE);
    let command = Accompanied::start(&desk, &format!("{TELL_FILE} read line; exit 0"));
    let first = command.token();
    desk.github.fault(Endpoint::Mint, Fault::message(403, "not now"), 2);
    command.running.wait_for_line("ghapp: warning: the token in the file could not be renewed: ");
    eventually("the renewal is tried again", || command.token() != first);
    drop(command.input);
    let ended = command.running.finish();
    assert_eq!(ended.ok().stderr().matches("could not be renewed").count(), 1);
}

#[test]
fn without_a_token_or_a_command_there_is_no_file_left() {
    let desk = Desk::ready();
    assert_eq!(exec(&desk, &["octo/lib", "--renew", "--", "echo", "ran"]).status.code(), Some(111));
    assert_eq!(
        exec(&desk, &["acme/web", "--renew", "--", "/nowhere/there-is-no-such-program"]).status.code(),
        Some(127)
    );
    assert_eq!(exec(&desk, &["acme/web", "--renew", "--", "/"]).status.code(), Some(126));
    let own = fs::read_dir(desk.runtime_directory().join("ghapp")).unwrap();
    let left: Vec<_> = own
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().starts_with("exec-"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
