//! Runs another program with bounds: how long it may take, and how much of its output is read.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use ghapp_protocol::client::Deadline;
use ghapp_protocol::trace;
use zeroize::Zeroizing;

/// Most that is read of each of its streams. A git configuration with thousands of credential sections is below it.
const MAX_STREAM: u64 = 1024 * 1024;

/// A program's exit status and output.
pub(crate) struct Answer {
    pub(crate) status: ExitStatus,
    /// Wiped when dropped: what git says may be a password.
    pub(crate) stdout: Zeroizing<Vec<u8>>,
    pub(crate) stderr: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// There is no such program.
    #[error("it is not there")]
    NotFound,
    /// It cannot be run.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It took too long and was killed.
    #[error("it did not answer within {} s", .0.as_secs())]
    TooSlow(Duration),
}

/// Runs a program until it exits, with `input` as its standard input.
pub(crate) fn run(command: &mut Command, input: &[u8], limit: Duration) -> Result<Answer, Trouble> {
    // Its arguments may be addresses with a password in them.
    trace::event(|| format!("running {}", command.get_program().to_string_lossy()));
    let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
    let child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Trouble::NotFound,
        _ => Trouble::Io(error),
    })?;
    let deadline = Deadline::after(limit);
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        // A program that does not read its input must not block this one, nor is it an error: its answer counts.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
    }
    if let (Some(stdout), Some(mut stderr)) = (wait(&stdout, deadline), wait(&stderr, deadline)) {
        // It has closed both streams, so it is about to exit.
        return Ok(Answer { status: child.wait()?, stdout, stderr: std::mem::take(&mut *stderr) });
    }
    end(child);
    Err(Trouble::TooSlow(limit))
}

fn end(mut child: Child) {
    // It may exit at this very moment; either way it is gone afterwards.
    drop(child.kill());
    drop(child.wait());
}

/// Reads a stream on a thread of its own: a program must not block on one stream while the other is read.
fn collect(stream: Option<impl Read + Send + 'static>) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        if let Some(stream) = stream {
            // What cannot be read is missing, and the exit status says whether that matters.
            drop(stream.take(MAX_STREAM).read_to_end(&mut bytes));
        }
        drop(sender.send(bytes));
    });
    receiver
}

fn wait(stream: &Receiver<Zeroizing<Vec<u8>>>, deadline: Deadline) -> Option<Zeroizing<Vec<u8>>> {
    stream.recv_timeout(deadline.left().unwrap_or_default()).ok()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::{Trouble, run};

    #[test]
    fn a_program_reads_its_input_and_both_its_streams_are_read() {
        let mut command = Command::new("sh");
        let answer = run(command.args(["-c", "cat; echo well >&2"]), b"said", Duration::from_secs(60)).unwrap();
        assert_eq!((answer.stdout.as_slice(), answer.stderr.as_slice()), (&b"said"[..], &b"well\n"[..]));
        assert!(answer.status.success());
    }

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let outcome = run(Command::new("sh").args(["-c", "exec sleep 600"]), b"", Duration::from_millis(10));
        assert!(matches!(outcome, Err(Trouble::TooSlow(_))));
        assert!(matches!(run(&mut Command::new("/nowhere/x"), b"", Duration::ZERO), Err(Trouble::NotFound)));
    }
}
