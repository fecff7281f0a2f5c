//! Every request of the protocol's corpus, through the real program: whether the agent is asked, and what git and the person read.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use ghapp_protocol::TOKEN_USERNAME;
use ghapp_protocol::message::{Lease, Reply};
use ghapp_protocol::secret::Secret;

use crate::agent::{Place, reply};
use crate::program::{PROGRAM, REQUEST, command, finish, run};

const ANSWER: &str = "username=x-access-token\npassword=ghs_example.not-a_real.token\npassword_expiry_utc=1790000000\n";

/// The requests, each with its name and what the table says about it.
fn requests() -> Vec<(String, String, Vec<u8>)> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests");
    let table = fs::read_to_string(tests.join("attributes.txt")).unwrap();
    let requests = table.lines().map(|line| {
        let (name, outcome) = line.split_once(": ").unwrap();
        let request = fs::read(tests.join(format!("attributes/{name}.txt"))).unwrap();
        (name.to_owned(), outcome.to_owned(), request)
    });
    requests.collect()
}

fn lease() -> Vec<u8> {
    let token = Secret::new("ghs_example.not-a_real.token".to_owned());
    reply(Reply::Lease(Lease { username: TOKEN_USERNAME.to_owned(), token, expires_at: 1_790_000_060 }))
}

// rules 28 and 50
#[test]
fn every_request_of_the_corpus_gets_what_its_name_says() {
    for (name, outcome, request) in requests() {
        let place = Place::new();
        let get = command(&place, &["--owner=octo", "get"]);
        match outcome.strip_prefix("refused: ") {
            Some(cause) => {
                let outcome = place.unasked(|| run(get, request));
                assert_eq!(outcome.only_line(), format!("ghapp: refusing git's request: {cause}"), "{name}");
            }
            None if outcome.starts_with("not ours: ") => place.unasked(|| run(get, request)).assert_silent(),
            None => {
                // An agent answers for the hosts that it was configured for, as a whole, and for no other.
                let is_ours = name.starts_with("ours-");
                let answer = if is_ours { lease() } else { reply(Reply::NoMatch {}) };
                let (answered, asked) = place.answering(&answer, || run(get, request));
                let (host, repository) = outcome.split_once(' ').unwrap();
                assert!(asked.contains(&format!(r#""host":"{host}""#)), "{name}: {asked}");
                let named = asked.contains(&format!(r#""repository":"{repository}""#));
                assert_eq!(named, repository != "-", "{name}: {asked}");
                assert_eq!((answered.code, answered.stderr.as_str()), (Some(0), ""), "{name}");
                assert_eq!(answered.stdout, if is_ours { ANSWER } else { "" }, "{name}");
            }
        }
    }
}

/// rules 31 and 33: what comes with the other operations gives git nothing to read, however it looks.
#[test]
fn store_and_erase_print_nothing_for_any_request_of_the_corpus() {
    for (name, _, request) in requests() {
        let place = Place::new();
        place.unasked(|| run(command(&place, &["store"]), &request)).assert_silent();
        let erased = run(command(&Place::new(), &["erase"]), &request);
        assert_eq!((erased.code, erased.stdout.as_str()), (Some(0), ""), "{name}");
        if name.starts_with("refused-") {
            erased.line();
        } else {
            erased.assert_silent();
        }
    }
}

#[test]
fn rule_7_a_million_attributes_and_endless_lines_are_refused_in_bounded_memory() {
    let million = format!("{REQUEST}{}", "x=y\n".repeat(1_000_000));
    let endless = format!("{REQUEST}x={}", "y".repeat(64 * 1024 * 1024));
    for (input, cause) in [(million, "larger than 1048576 bytes"), (endless, "longer than 65535 bytes")] {
        let place = Place::new();
        let mut shell = Command::new("/bin/sh");
        // In kilobytes of address space: much less than the longer input, and enough for the program.
        shell.args(["-c", r#"ulimit -v 40000; exec "$0" get"#, PROGRAM]).env_clear();
        shell.env("GHAPP_SOCKET", place.socket()).env("GHAPP_NO_AUTOSTART", "1");
        let outcome = place.unasked(|| run(shell, input));
        assert!(outcome.only_line().ends_with(cause), "{outcome:?}");
    }
}

/// rule 30: git may still be writing when the answer is known, and git before 2.18 dies of a closed pipe.
#[test]
fn a_large_request_of_another_helpers_is_read_to_its_end() {
    let large = format!("protocol=http\nhost=github.com\n{}", "wwwauth[]=Basic\n".repeat(30_000));
    let place = Place::new();
    let mut get = command(&place, &["get"]);
    get.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = get.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeder = thread::spawn(move || std::io::Write::write_all(&mut stdin, large.as_bytes()));
    place.unasked(|| finish(child)).assert_silent();
    feeder.join().unwrap().expect("all of it is read");
}
