//! Child processes with a deadline: run until they exit, or started and killed when the test drops them.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::Duration;

/// How long anything in a test may take. Generous, because it only decides how long a *failing* test takes.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What a finished process left behind.
#[derive(Debug)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// How it exited.
    pub status: ExitStatus,
    /// Everything it wrote to standard output.
    pub stdout: Vec<u8>,
    /// Everything it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Asserts that the process succeeded.
    #[track_caller]
    pub fn ok(&self) -> &Output {
        assert!(self.status.success(), "expected success\n{}", self.report());
        self
    }

    /// Asserts that the process failed.
    #[track_caller]
    pub fn failed(&self) -> &Output {
        assert!(!self.status.success(), "expected a failure\n{}", self.report());
        self
    }

    /// Asserts that standard error contains `text`.
    #[track_caller]
    pub fn stderr_contains(&self, text: &str) -> &Output {
        assert!(self.stderr().contains(text), "expected {text:?} on stderr\n{}", self.report());
        self
    }

    /// Standard output as text.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    fn report(&self) -> String {
        report(&self.command, &self.status.to_string(), &self.stdout, &self.stderr)
    }
}

/// Runs a command until it exits, with `input` on standard input.
///
/// It waits until the process has exited *and* both its output streams are closed: a daemon that keeps one of them
/// open makes git wait for ever, so it makes the test fail.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    let mut running = Running::spawn_with(command, Stdio::piped());
    let mut stdin = running.child.as_mut().and_then(|child| child.stdin.take());
    let input = input.to_vec();
    let feeder = thread::spawn(move || {
        if let Some(stdin) = stdin.as_mut() {
            // A process may exit without reading all of its input; the test looks at what it did.
            let _ = stdin.write_all(&input);
        }
    });
    let output = running.finish();
    feeder.join().expect("writing to a pipe does not panic");
    output
}

/// A process that runs beside the test. It is killed, with its children, and waited for on drop.
#[derive(Debug)]
pub struct Running {
    command: String,
    pid: u32,
    /// Taken by `finish`; none afterwards.
    child: Option<Child>,
    transcript: Arc<Transcript>,
}

impl Running {
    /// Starts a command with nothing on standard input.
    #[track_caller]
    pub fn spawn(command: &mut Command) -> Running {
        Running::spawn_with(command, Stdio::null())
    }

    /// Starts a command with something of the caller's on standard input.
    #[track_caller]
    pub fn spawn_with(command: &mut Command, stdin: Stdio) -> Running {
        in_own_group(command);
        let line = format!("{command:?}");
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {line}: {error}"));
        let transcript = Arc::new(Transcript::default());
        let stdout = child.stdout.take().expect("stdout was piped");
        let stderr = child.stderr.take().expect("stderr was piped");
        transcript.record(stdout, |written| &mut written.stdout);
        transcript.record(stderr, |written| &mut written.stderr);
        Running { command: line, pid: child.id(), child: Some(child), transcript }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the process has written a line that contains `text`, on either stream, and returns that line.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> String {
        let line = self.transcript.wait(|written| {
            let found = written.line_with(text);
            if found.is_some() || written.open_streams == 0 { Some(found) } else { None }
        });
        if let Some(Some(line)) = line {
            return line;
        }
        panic!("no line with {text:?}\n{}", self.report("not waited for"));
    }

    /// Everything written so far, standard output first.
    pub fn written(&self) -> String {
        let written = self.transcript.lock();
        format!("{}{}", String::from_utf8_lossy(&written.stdout), String::from_utf8_lossy(&written.stderr))
    }

    /// Waits for the process to exit by itself.
    #[track_caller]
    pub fn finish(mut self) -> Output {
        let closed = self.transcript.wait(|written| (written.open_streams == 0).then_some(()));
        assert!(closed.is_some(), "still running at the deadline\n{}", self.report("killed"));

        let child = self.child.take().expect("only `finish` takes the child");
        let Some(status) = end(child) else {
            kill_group(self.pid);
            panic!("closed its output but did not exit\n{}", self.report("killed"));
        };
        let written = self.transcript.lock();
        Output { command: self.command.clone(), status, stdout: written.stdout.clone(), stderr: written.stderr.clone() }
    }

    fn report(&self, status: &str) -> String {
        let written = self.transcript.lock();
        report(&self.command, status, &written.stdout, &written.stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill_group(self.pid);
            // Fails only when the process is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Waits for a child to exit; nothing if it still runs at the deadline.
pub fn end(mut child: Child) -> Option<ExitStatus> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait()));
    let status = receiver.recv_timeout(DEADLINE).ok()?;
    Some(status.expect("a child that was not waited for can be waited for"))
}

/// What a process has written, filled by one thread per stream.
#[derive(Debug, Default)]
struct Transcript {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Written {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    open_streams: usize,
}

impl Written {
    fn line_with(&self, text: &str) -> Option<String> {
        [&self.stdout, &self.stderr].into_iter().find_map(|stream| {
            let stream = String::from_utf8_lossy(stream);
            // A line counts once it is complete; the last one may still be growing.
            let complete = &stream[..=stream.rfind('\n')?];
            complete.lines().find(|line| line.contains(text)).map(str::to_owned)
        })
    }
}

impl Transcript {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().expect("nothing panics while it holds a transcript")
    }

    fn record(self: &Arc<Self>, mut stream: impl Read + Send + 'static, select: fn(&mut Written) -> &mut Vec<u8>) {
        self.lock().open_streams += 1;
        let transcript = Arc::clone(self);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                select(&mut transcript.lock()).extend_from_slice(&buffer[..length]);
                transcript.changed.notify_all();
            }
            transcript.lock().open_streams -= 1;
            transcript.changed.notify_all();
        });
    }

    /// Waits until `check` returns something; `None` at the deadline.
    fn wait<T>(&self, check: impl Fn(&Written) -> Option<T>) -> Option<T> {
        let mut found = None;
        let missing = |written: &mut Written| {
            found = check(written);
            found.is_none()
        };
        let waited = self.changed.wait_timeout_while(self.lock(), DEADLINE, missing);
        drop(waited.expect("nothing panics while it holds a transcript"));
        found
    }
}

fn report(command: &str, status: &str, stdout: &[u8], stderr: &[u8]) -> String {
    format!(
        "command: {command}\nstatus: {status}\n--- stdout\n{}\n--- stderr\n{}",
        String::from_utf8_lossy(stdout),
        String::from_utf8_lossy(stderr)
    )
}

/// Puts the process into a group of its own, so that git's children die with git.
#[cfg(unix)]
fn in_own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(not(unix))]
fn in_own_group(_command: &mut Command) {}

#[cfg(unix)]
fn kill_group(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // Fails only when the whole group is gone already.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill_group(_pid: u32) {}
