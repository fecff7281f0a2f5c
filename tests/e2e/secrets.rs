//! No token, JWT or key in anything that is written, printed or visible to other processes, whatever happens.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

use ghapp_tests::github::{Endpoint, Fault};
use ghapp_tests::process::{self, DEADLINE, Output};
use ghapp_tests::secrets::Secrets;
use ghapp_tests::{Desk, binary};

/// A secret that GitHub or a client puts where it does not belong.
const CANARY: &str = "ghs_canaryThatNobodyMayRepeat";
/// Of an encrypted file.
const PASSPHRASE: &str = "a passphrase that nobody may repeat either";
/// The pause between two looks at the processes. A helper lives for some milliseconds.
const LOOK: Duration = Duration::from_millis(2);

/// A desk that records everything that it sees.
struct Witness {
    desk: Desk,
    seen: Vec<(String, Vec<u8>)>,
}

impl Witness {
    /// With all three programs at the highest log level.
    fn new() -> Witness {
        let mut desk = Desk::new();
        let trace = desk.path("trace.log");
        desk.set_env("GHAPP_TRACE", trace);
        Witness { desk, seen: Vec::new() }
    }

    fn note(&mut self, outcome: &Output) {
        self.seen.push((format!("stdout of {}", outcome.command), outcome.stdout.clone()));
        self.seen.push((format!("stderr of {}", outcome.command), outcome.stderr.clone()));
    }

    fn ghapp(&mut self, arguments: &[&str], input: &[u8]) {
        let mut command = self.desk.command(binary("ghapp"));
        let outcome = process::run(command.arg("-v").args(arguments), input);
        self.note(&outcome);
    }

    fn git(&mut self, arguments: &[&str]) -> bool {
        let outcome = self.desk.git(arguments.iter().copied());
        self.note(&outcome);
        outcome.status.success()
    }

    /// Runs the helper; a token belongs in its answer to a `get`, which is not searched.
    fn helper(&mut self, operation: &str, request: &str) {
        let mut command = self.desk.command(binary("git-credential-ghapp"));
        let mut outcome = process::run(command.arg(operation), request.as_bytes());
        if operation == "get" {
            outcome.stdout.clear();
        }
        self.note(&outcome);
    }

    fn log_in(&mut self, pem: &[u8], app_id: &str, host: &str) {
        let ca_file = self.desk.github.ca_file().display().to_string();
        let (login, place) = (["login", "--pem", "-", "--app-id", app_id], ["--host", host, "--ca-file", &ca_file]);
        self.ghapp(&[login.as_slice(), &place, &["--store", "memory"]].concat(), pem);
    }

    /// Runs a command that succeeds, while GitHub keeps these programs waiting until the watch has seen them.
    fn look_at(&mut self, watch: &Watch, programs: &[&str], endpoint: Endpoint, command: &mut Command, input: &[u8]) {
        let hold = self.desk.github.hold(endpoint);
        let outcome = thread::scope(|scope| {
            let running = scope.spawn(|| process::run(command, input));
            for program in programs {
                watch.wait_for(program);
            }
            hold.release();
            running.join().expect("it ends")
        });
        self.note(outcome.ok());
    }

    fn keep_file(&mut self, file: &Path) {
        let text = fs::read(file).expect("it is there");
        assert!(!text.is_empty(), "{} would prove nothing", file.display());
        self.seen.push((file.display().to_string(), text));
    }

    /// Sends bytes that are no request to the agent's socket.
    fn send(&self, bytes: &[u8]) {
        let mut stream = UnixStream::connect(self.desk.endpoint().path()).expect("the agent runs");
        let length = u32::try_from(bytes.len()).expect("it is short");
        stream.write_all(&length.to_be_bytes()).and_then(|()| stream.write_all(bytes)).expect("it reads");
    }

    /// Everything that goes right and most of what goes wrong.
    fn live_through_it(&mut self, watch: &Watch) {
        let host = self.desk.github.host().to_owned();
        let (app, pem) = (self.desk.app.app_id.to_string(), self.desk.app.pem().to_owned());
        let other = self.desk.github.create_app("other-bot", "acme");
        let closed = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a loopback");
            listener.local_addr().expect("it has an address").port()
        };
        let path = |name: &str| format!("protocol=https\nhost={host}\npath={name}.git\n\n");

        // Logins that fail: no key, half a key, another App's, a host that is not there, one that is not GitHub.
        self.log_in(b"-----BEGIN RSA PRIVATE KEY-----\ngarbage\n", &app, &host);
        self.log_in(&pem.as_bytes()[..1200], &app, &host);
        self.log_in(pem.replace('\n', " ").replace("RSA PRIVATE", "EC PRIVATE").as_bytes(), &app, &host);
        self.log_in(other.pem().as_bytes(), &app, &host);
        self.log_in(pem.as_bytes(), "424242", &host);
        self.log_in(pem.as_bytes(), &app, &format!("localhost:{closed}"));
        self.desk.github.fault(Endpoint::AppGet, garbage(200), 1);
        self.log_in(pem.as_bytes(), &app, &host);
        self.desk.github.fault(Endpoint::AppGet, garbage(401), 1);
        self.log_in(pem.as_bytes(), &app, &host);
        // One that succeeds, and what follows.
        let mut login = self.desk.command(binary("ghapp"));
        login.args(["-v", "login", "--pem", "-"]).args(self.desk.login_flags(&self.desk.app, "memory"));
        self.look_at(watch, &["login", "ghapp-agent"], Endpoint::AppGet, &mut login, pem.as_bytes());
        self.ghapp(&["setup-git", "--host", &host], b"");
        let mut clone = self.desk.command("git");
        clone.args(["clone", &self.desk.github.clone_url("acme/web")]);
        self.look_at(watch, &["git-remote-https", "git-credential-ghapp"], Endpoint::Mint, &mut clone, b"");
        for arguments in
            [&["status"][..], &["status", "--json"], &["leases"], &["leases", "--json"], &["apps", "--json"]]
        {
            self.ghapp(arguments, b"");
        }
        self.ghapp(&["installations", "--refresh"], b"");
        self.ghapp(&["which", "acme/web", "--json"], b"");
        self.ghapp(&["token", "octo/none"], b"");
        self.desk.ghapp_json(["token", "acme/web"]);
        // A token that dies, and passwords of other helpers.
        let token = self.desk.token("acme/web");
        self.desk.github.revoke_token(&token);
        self.git(&["-C", "web", "fetch"]);
        assert!(self.git(&["-C", "web", "fetch"]));
        for operation in ["erase", "store", "capability", "nonsense"] {
            self.helper(operation, &format!("protocol=https\nhost={host}\nusername=mona\npassword={CANARY}\n\n"));
        }
        self.helper("get", &format!("protocol=https\nhost={host}\npath={CANARY}\npassword={CANARY}\n\n"));
        // Requests that make no sense.
        self.send(format!("{{\"v\":1,\"client\":\"x\",\"call\":\"get\",\"host\":\"{CANARY}@x\"}}").as_bytes());
        self.send(format!("{{\"v\":1,\"call\":\"{CANARY}\"").as_bytes());
        self.send(CANARY.as_bytes());
        // GitHub on a bad day.
        for fault in [
            garbage(201),
            garbage(200),
            garbage(401),
            garbage(403),
            garbage(422),
            garbage(502),
            Fault::Close,
            Fault::LoseAnswer,
        ] {
            self.desk.github.fault(Endpoint::Mint, fault, 1);
            self.helper("get", &path("acme/api"));
            self.ghapp(&["revoke", "--all"], b"");
        }
        // An encrypted file, opened wrongly and rightly.
        let mine = self.desk.path("mine.pem");
        fs::write(&mine, &pem).expect("the sandbox is writable");
        let (mine, ca_file) = (mine.display().to_string(), self.desk.github.ca_file().display().to_string());
        let place = ["--app-id", &app, "--host", &host, "--ca-file", &ca_file, "--store", "encrypted-file"];
        self.ghapp(&[&["login", "--pem", &mine, "--passphrase-file", "-"], &place[..]].concat(), PASSPHRASE.as_bytes());
        self.ghapp(&["lock"], b"");
        self.ghapp(&["unlock"], format!("{PASSPHRASE}s").as_bytes());
        self.ghapp(&["unlock"], PASSPHRASE.as_bytes());
        self.helper("get", &path("acme/web"));
        self.desk.github.remove_key(&self.desk.app, &pem);
        self.ghapp(&["agent", "reload"], b"");
        self.helper("get", &path("acme/api"));
        self.helper("get", &path("acme/web"));
        // The end: everything is revoked, and the App is logged out.
        self.keep_file(&self.desk.config_file());
        self.ghapp(&["revoke", "L1"], b"");
        self.ghapp(&["lock", "--revoke"], b"");
        self.helper("get", &path("acme/web"));
        self.ghapp(&["unlock"], PASSPHRASE.as_bytes());
        self.ghapp(&["logout"], b"");
        self.ghapp(&["agent", "stop", "--revoke"], b"");
    }
}

/// An answer that is not what it should be and has a secret in it.
fn garbage(status: u16) -> Fault {
    Fault::Answer {
        status,
        headers: Vec::new(),
        body: format!("{{\"token\":\"{CANARY}\",\"expires_at\":\"{CANARY}\", oops"),
    }
    .with_header("content-type", "application/json; charset=utf-8")
}

/// The command lines and environments of all processes of the sandbox, watched all the time.
#[derive(Default)]
struct Watch {
    seen: Mutex<Vec<(String, Vec<u8>)>>,
    changed: Condvar,
}

impl Watch {
    /// Watches while `deeds` are done; returns what was seen.
    fn during(home: &str, deeds: impl FnOnce(&Watch)) -> Vec<(String, Vec<u8>)> {
        let watch = Watch::default();
        let (done, end) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(|| {
                let end = end;
                while end.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    look_at_processes(home, &mut watch.seen.lock().expect("looking does not panic"));
                    watch.changed.notify_all();
                }
            });
            let _done = done; // also when a deed fails
            deeds(&watch);
        });
        watch.seen.into_inner().expect("looking does not panic")
    }

    /// Waits until the watch has seen a process of that program.
    fn wait_for(&self, program: &str) {
        let missing = |seen: &mut Vec<(String, Vec<u8>)>| {
            let is_it = |(what, line): &(String, Vec<u8>)| {
                what.starts_with("command") && String::from_utf8_lossy(line).contains(program)
            };
            !seen.iter().any(is_it)
        };
        let seen = self.seen.lock().expect("looking does not panic");
        let waited = self.changed.wait_timeout_while(seen, DEADLINE, missing).expect("looking does not panic");
        assert!(!waited.1.timed_out(), "no process of {program} was seen");
    }
}

fn look_at_processes(home: &str, seen: &mut Vec<(String, Vec<u8>)>) {
    for process in fs::read_dir("/proc").expect("this is Linux").flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let read = |file: &str| fs::read(process.path().join(file)).unwrap_or_default();
        let environ = read("environ");
        // Other sandboxes and the machine's own processes are not checked.
        if !String::from_utf8_lossy(&environ).contains(home) {
            continue;
        }
        for (what, bytes) in [("command line", read("cmdline")), ("environment", environ)] {
            if !seen.iter().any(|(_, known)| *known == bytes) {
                seen.push((format!("{what} of {pid}"), bytes));
            }
        }
    }
}

#[test]
fn nothing_secret_is_logged_printed_or_visible_whatever_goes_wrong() {
    let mut witness = Witness::new();
    let home = witness.desk.home().display().to_string();
    let processes = Watch::during(&home, |watch| witness.live_through_it(watch));
    for file in ["trace.log", "home/.local/state/ghapp/audit.jsonl", "home/.gitconfig"] {
        witness.keep_file(&witness.desk.path(file));
    }
    let Witness { desk, mut seen } = witness;
    seen.extend(processes);
    let trace = fs::read_to_string(desk.path("trace.log")).unwrap();
    assert!(trace.contains("DEBUG") && trace.contains("answer: "), "the agent and the helper traced");

    let secrets = Secrets::of(&desk).and("passphrase", PASSPHRASE);
    // The search itself must work.
    let mint = desk.github.mints().remove(0);
    assert_eq!(secrets.found_in(mint.token.as_bytes()).keys().collect::<Vec<_>>(), [&"token"]);
    assert_eq!(secrets.found_in(desk.github.jwts()[0].as_bytes()).keys().collect::<Vec<_>>(), [&"JWT"]);
    let one_line: String = desk.app.pem().split('\n').filter(|line| !line.starts_with('-')).collect();
    assert_eq!(secrets.found_in(one_line.as_bytes()).keys().collect::<Vec<_>>(), [&"key"]);
    for (place, bytes) in &seen {
        let text = String::from_utf8_lossy(bytes);
        let found = secrets.found_in(bytes);
        assert!(found.is_empty(), "{found:?} in the {place}: {text}");
        for mark in ["ghs_", "eyJ", "PRIVATE KEY-----", CANARY] {
            assert!(!text.contains(mark), "{mark} in the {place}: {text}");
        }
    }
}
