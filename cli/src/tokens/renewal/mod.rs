//! `ghapp exec --renew`: keeps a fresh token in a file for as long as a command runs.
//!
//! The command runs beside ghapp then, and not in its place. ghapp only waits for events: the command exits, a signal comes, the
//! next token is due, the agent answers. If ghapp is killed (SIGKILL), the command goes on, and the file stays with a token that
//! expires within the hour.

mod signals;
mod timer;
mod token_file;

use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use ghapp_agent::clock::{Clock, SystemClock};
use ghapp_protocol::hardening;
use ghapp_protocol::message::{Call, Lease, Reply, TokenCall};
use tokio::sync::oneshot;

use crate::connection::DetachedConnection;
use crate::failure::CliError;
use crate::process::in_place;
use crate::session::Session;
use crate::terminal::output::Output;
use crate::tokens::repository_argument::Target;
use crate::tokens::token::{self, Scope};
use signals::Signals;
use token_file::TokenFile;

/// The variable that names the file to the command.
pub(super) const FILE_VARIABLE: &str = "GHAPP_TOKEN_FILE";

/// The part of its life that a token still has when it is replaced: a quarter, so 15 minutes of an hour. A program that read the
/// old token just before has that long to use it.
const LEFT: u64 = 4;
/// How long after a failure the agent is asked again.
const RETRY: Duration = Duration::from_secs(30);
/// Added to the number of the signal that killed a command, this is its exit code, as in shells.
#[cfg(unix)]
const SIGNALLED: i32 = 128;

/// A token that is renewed.
pub(super) struct Renewal {
    agent: DetachedConnection,
    call: TokenCall,
    file: TokenFile,
    /// Seconds since 1970.
    expires_at: i64,
    /// The last attempt failed, and the user has been told.
    failing: bool,
}

/// The agent's answer, on its way from the thread that waits for it.
type Answer = oneshot::Receiver<Result<Reply, CliError>>;

impl Renewal {
    /// Puts the first token into the file.
    pub(super) fn begin(session: &Session<'_>, scope: &Scope, target: &Target) -> Result<Self, CliError> {
        let first = token::ask(session, scope, target)?;
        let file = TokenFile::make()?;
        file.put(&first.lease.token).map_err(|error| CliError::file("write", &file.path(), error))?;
        Ok(Self {
            agent: session.agent.detached(),
            call: token::call(session, scope, target),
            file,
            expires_at: first.lease.expires_at,
            failing: false,
        })
    }

    /// Where the token is.
    pub(super) fn file(&self) -> PathBuf {
        self.file.path()
    }

    /// Runs the command until it exits, then removes the file.
    pub(super) fn run(mut self, output: &Output, command: Command) -> ExitCode {
        let program = command.get_program().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = runtime.and_then(|runtime| runtime.block_on(self.accompany(output, command)));
        outcome.unwrap_or_else(|error| in_place::cannot_run(output, &program, &error))
    }

    async fn accompany(&mut self, output: &Output, command: Command) -> std::io::Result<ExitCode> {
        // Before the command starts, so that no signal terminates ghapp alone.
        let mut signals = Signals::catch()?;
        hardening::release_command();
        let mut child = tokio::process::Command::from(command).spawn()?;
        let mut pause = Box::pin(timer::sleep(self.due_in()));
        let mut answer: Option<Answer> = None;
        loop {
            tokio::select! {
                ended = child.wait() => return ended.map(exit_code),
                signal = signals.next() => signals::pass_on(signal, child.id()),
                () = &mut pause, if answer.is_none() => answer = Some(self.ask()),
                reply = received(answer.as_mut()), if answer.is_some() => {
                    answer = None;
                    pause = Box::pin(timer::sleep(self.renew(reply, output)));
                }
            }
        }
    }

    /// Asks for a token that lives longer than the one in the file. A thread waits for the answer, and ends with this process.
    fn ask(&self) -> Answer {
        let left = self.left().saturating_add(1);
        let call = TokenCall { min_ttl: Some(self.call.min_ttl.unwrap_or(0).max(left)), ..self.call.clone() };
        let (sender, answer) = oneshot::channel();
        let agent = self.agent.clone();
        std::thread::spawn(move || drop(sender.send(agent.ask_slow(Call::Token(call)))));
        answer
    }

    /// Puts a new token into the file. Returns when the next is due.
    fn renew(&mut self, reply: Result<Reply, CliError>, output: &Output) -> Duration {
        let failure = match reply {
            Ok(Reply::Token(reply)) => {
                let Lease { token, expires_at, .. } = &reply.lease;
                match self.file.put(token) {
                    Ok(()) => {
                        self.expires_at = *expires_at;
                        self.failing = false;
                        output.detail("the token in the file is a new one");
                        return self.due_in();
                    }
                    Err(error) => CliError::file("write", &self.file.path(), error),
                }
            }
            Ok(_) => CliError::foreign_words(None),
            Err(error) => error,
        };
        if !self.failing {
            output.warning(&format!("the token in the file could not be renewed: {}; trying again", failure.message));
        }
        self.failing = true;
        // After a pause, but at the latest when the token in the file expires.
        RETRY.min(Duration::from_secs(self.left().max(1)))
    }

    /// Seconds that the token in the file still has.
    fn left(&self) -> u64 {
        u64::try_from(self.expires_at.saturating_sub(SystemClock.now().wall)).unwrap_or(0)
    }

    fn due_in(&self) -> Duration {
        due_in(self.left(), self.call.min_ttl.unwrap_or(0))
    }
}

/// How long a token with that much life, in seconds, may stay in the file; `least` is the life that it must always have left.
fn due_in(life: u64, least: u64) -> Duration {
    // A token with hardly more life than that may be the best there is, and must not be replaced all the time.
    let left = (life / LEFT).max(least).min(life - life / LEFT);
    Duration::from_secs((life - left).max(1))
}

/// Waits for an answer; for ever when nothing was asked.
async fn received(answer: Option<&mut Answer>) -> Result<Reply, CliError> {
    match answer {
        Some(answer) => answer.await.unwrap_or_else(|_| Err(CliError::foreign_words(None))),
        None => std::future::pending().await,
    }
}

/// The command's own exit code, or 128 and the number of the signal that killed it.
fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    let code =
        status.code().or(std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| SIGNALLED + signal));
    #[cfg(not(unix))]
    let code = status.code();
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::due_in;

    #[test]
    fn a_token_is_replaced_with_a_quarter_of_its_life_left_or_with_what_it_has_to_have() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(due_in(3600, 0), minutes(45));
        assert_eq!(due_in(3600, 600), minutes(45), "15 minutes are more than 10");
        assert_eq!(due_in(3600, 1800), minutes(30));
        assert_eq!(due_in(3600, 3500), minutes(15), "it cannot be had for longer, and is not asked for all the time");
        assert_eq!(due_in(0, 600), Duration::from_secs(1), "it is over: at once, but not in a loop");
    }
}
