//! The first five minutes as a user has them, and what of it differs from run to run.

use ghapp_tests::keyring::Keyring;
use ghapp_tests::{Desk, process};

/// When the commit is made, so that its id is the same every time.
const COMMITTED: &str = "1700000600 +0000";

/// Stands for the simulator's `localhost:PORT`: a reserved name (RFC 2606).
pub(crate) const HOST: &str = "github.example";

/// Stands for the fingerprint of a key that is made for each run.
const FINGERPRINT: &str = "SHA256:Xy3vK8mQ0d5rT7uWb1cZ9eF2gH4jL6nP8sAoBiCqDkE=";

/// Stands for every process id.
const PID: &str = "(4242)";

/// A command line and what it printed, ready to be shown.
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) output: Vec<String>,
}

/// Runs the commands, one after the other, at a desk of their own.
pub(crate) fn run() -> Vec<Step> {
    let mut desk = Desk::new();
    let _keyring = Keyring::start(&mut desk);
    let ca_file = desk.github.ca_file().to_owned();
    desk.set_env("SSL_CERT_FILE", ca_file);
    desk.set_env("GIT_AUTHOR_DATE", COMMITTED);
    desk.set_env("GIT_COMMITTER_DATE", COMMITTED);
    std::fs::write(desk.work().join("acme-bot.pem"), desk.app.pem()).expect("the sandbox is writable");
    commands(&desk).iter().map(|(directory, command)| step(&desk, directory, command)).collect()
}

/// The directory that each command runs in, and its line.
fn commands(desk: &Desk) -> Vec<(&'static str, String)> {
    let (host, id) = (desk.github.host(), desk.app.app_id);
    vec![
        (".", format!("ghapp login --pem acme-bot.pem --app-id {id} --host {host} --delete-pem")),
        (".", format!("ghapp setup-git --host {host} --owner acme")),
        (".", format!("git clone https://{host}/acme/web.git && cd web")),
        ("web", "echo hello > hello.txt && git add hello.txt && git commit -m 'Say hello'".into()),
        ("web", "git push".into()),
        ("web", "ghapp leases".into()),
        ("web", "ghapp which .".into()),
    ]
}

/// Types a line at a shell, which the agent sees as the one that asks.
fn step(desk: &Desk, directory: &str, line: &str) -> Step {
    // A shell replaces itself with its last command; `exit` keeps it, like the shell of a person.
    let script = format!("exec 2>&1\n{line}\nexit $?");
    let mut shell = desk.command("sh");
    shell.args(["-c", &script]).current_dir(desk.work().join(directory));
    let printed = process::run(&mut shell, b"").ok().stdout();
    Step { command: redact(desk, line), output: printed.lines().map(|line| redact(desk, line)).collect() }
}

/// Replaces what is different in every run, and nothing else.
fn redact(desk: &Desk, line: &str) -> String {
    let home = desk.home().display().to_string();
    let line = line
        .replace(desk.github.host(), HOST)
        .replace(desk.app.fingerprint(), FINGERPRINT)
        .replace(&home, "~")
        .replace(" 60m ", " 59m ") // before the first minute is over
        .replace("< dash ", "< sh ") // what `sh` is differs between systems
        .replace("< bash ", "< sh ");
    without_pid(&line)
}

/// The line with another number for the process in brackets at its end.
fn without_pid(line: &str) -> String {
    let inner = line.strip_suffix(')').and_then(|line| line.rsplit_once('('));
    match inner {
        Some((before, pid)) if is_number(pid) => format!("{before}{PID}"),
        _ => line.to_owned(),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
