//! The whole helper as a function of its arguments, its streams and the agent.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::time::Duration;

use ghapp_protocol::BUILD_VERSION;
use ghapp_protocol::credential::{Attributes, CredentialError, Question, Request};
use ghapp_protocol::message::{Erase, Get, GitCall, GitReply};
use ghapp_protocol::trace;

use crate::agent::{Agent, Unreachable};
use crate::answer;
use crate::operation::{self, Invocation, Operation};

/// How long a `get` may take in all: reading git's request, starting an agent, and the agent's answer. git itself would wait
/// for ever.
pub(crate) const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);

/// How much longer it may take to say why there was no answer in time.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(2);

/// Most that is read of a request that is ignored, so that git never meets a closed pipe (git before 2.18 dies of one).
const DRAIN: u64 = 1024 * 1024;

const USAGE: &str = "usage: git-credential-ghapp [--owner=OWNER]... get|store|erase|capability";
const HELP: &str = "\
git-credential-ghapp answers git as a GitHub App, through ghapp-agent.

usage: git-credential-ghapp [--owner=OWNER]... get|store|erase|capability

git runs it; `ghapp setup-git` tells git to. It reads a request on standard
input and writes the answer to standard output, see gitcredentials(7).

options:
  --owner=OWNER  the owner that is meant when git names no repository; only
                 for rules that serve more than the requested repository
  --version      print the version
  -h, --help     print this text

environment:
  GHAPP_SOCKET        the agent's socket
  GHAPP_NO_AUTOSTART  do not start an agent when there is none
  GHAPP_TRACE         1: say on standard error what happens; an absolute
                      path: append it there. Never shows a secret
";

/// Exit code for success, refusal and silence alike: git ignores it, and other clients drop an answer that comes with
/// another one.
const OK: u8 = 0;
/// Exit code for a command line that makes no sense.
const USAGE_ERROR: u8 = 2;

/// Runs one operation. Returns the exit code; every failure has become at most one line on `stderr` by then.
pub(crate) fn run(
    arguments: &[OsString],
    stdin: &mut impl Read,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
    agent: &mut impl Agent,
) -> u8 {
    // The reader may have gone: that is no reason to panic or to fail (rule 29).
    let mut say = |text: &str| drop(stderr.write_all(answer::line(text).as_bytes()));
    let Invocation { operation, owners } = match operation::parse(arguments) {
        Ok(invocation) => invocation,
        Err(problem) => {
            say(&format!("{problem}; {USAGE}"));
            return USAGE_ERROR;
        }
    };
    match operation {
        Operation::Get => {
            let question = match read(stdin) {
                Ok(Some(question)) => question,
                Ok(None) => return OK,
                Err(error) => {
                    say(&refusal(&error));
                    return OK;
                }
            };
            let Question { host, full_name: repository, .. } = question;
            let reply = agent.ask(&GitCall::Get(Get { host, repository, owners }), true);
            let answer = answer::to_get(reply);
            if let Some(line) = &answer.stderr {
                say(line);
            }
            let failed = answer.write(stdout).err().and_then(|error| answer::complaint(&error));
            // One line at most (rule 27), and why there is no token says more than that it could not be written.
            if let Some(complaint) = failed.filter(|_| answer.stderr.is_none()) {
                say(&complaint);
            }
        }
        Operation::Erase => match read(stdin) {
            // Without a password there is nothing to compare with (rule 32). No agent is started for it: a new one has no token.
            Ok(Some(Question { host, password: Some(hashed_token), .. })) => {
                match agent.ask(&GitCall::Erase(Erase { host, hashed_token }), false) {
                    Ok(GitReply::Erased { dropped }) => {
                        trace::event(|| format!("erase: dropped={dropped}"));
                    }
                    Ok(_) | Err(Unreachable { .. }) => trace::event(|| "erase: not told".to_owned()),
                }
            }
            Ok(_) => {}
            Err(error) => say(&refusal(&error)),
        },
        // rules 30 and 31: read what git writes, keep nothing, and above all not other helpers' passwords
        Operation::Store | Operation::Unknown => drain(stdin),
        Operation::Capability => {
            drain(stdin);
            // gitcredentials(7): the version of this exchange, and the capabilities: none, since GitHub's git server takes
            // user name and password only.
            drop(stdout.write_all(b"version 0\n"));
        }
        Operation::None => {
            say(USAGE);
            drain(stdin);
        }
        Operation::Version => {
            drop(stdout.write_all(format!("git-credential-ghapp {BUILD_VERSION}\n").as_bytes()));
        }
        Operation::Help => drop(stdout.write_all(HELP.as_bytes())),
    }
    OK
}

/// Reads a request. `None` when it is well-formed and not for us.
fn read(stdin: &mut impl Read) -> Result<Option<Question>, CredentialError> {
    match Attributes::read(stdin)?.into_request()? {
        Request::Https(question) => {
            trace::event(|| {
                let name = question.full_name.as_ref().map_or("-".to_owned(), ToString::to_string);
                format!("request: host {} repository {name}", question.host)
            });
            Ok(Some(question))
        }
        Request::NotForUs(why) => {
            trace::event(|| format!("request: not for us because of its {why:?}"));
            Ok(None)
        }
    }
}

fn refusal(error: &CredentialError) -> String {
    format!("refusing git's request: {error}")
}

fn drain(stdin: &mut impl Read) {
    // What cannot be read need not be.
    drop(io::copy(&mut stdin.take(DRAIN), &mut io::sink()));
}
