//! A terminal with a person at it: a test can wait for what a program shows there, and type answers.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Instant;

use rustix::io::ioctl_fioclex;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::process::DEADLINE;

/// How a terminal is opened.
#[cfg(target_os = "linux")]
const MASTER: OpenptFlags = OpenptFlags::RDWR.union(OpenptFlags::NOCTTY).union(OpenptFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const MASTER: OpenptFlags = OpenptFlags::RDWR.union(OpenptFlags::NOCTTY);

/// A program that has a terminal for its three streams. It is killed when this is dropped.
pub struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// Everything that was shown so far.
    shown: String,
    /// How much of it has been waited for.
    seen: usize,
    child: Child,
}

impl Terminal {
    /// Starts a program at a new terminal.
    ///
    /// # Panics
    ///
    /// When there are no terminals to be had, or the program cannot be started.
    pub fn start(command: &mut Command) -> Terminal {
        let master = openpt(MASTER).expect("there are terminals");
        // A process that another thread starts before this inherits it, where `openpt` cannot set the flag.
        ioctl_fioclex(&master).expect("it is ours");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("the name is ASCII");
        let open = || File::options().read(true).write(true).open(&name).expect("it can be opened");
        let child = command
            .env("TERM", "xterm")
            .stdin(Stdio::from(open()))
            .stdout(Stdio::from(open()))
            .stderr(Stdio::from(open()))
            .spawn()
            .expect("the program can be started");
        let keyboard = File::from(master);
        let mut reader = keyboard.try_clone().expect("a file can be had twice");
        let (sender, screen) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The end is an error here: no process has the other side open any more.
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal { keyboard, screen, shown: String::new(), seen: 0, child }
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until a text is shown behind everything that was waited for before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(at) = self.shown[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            assert!(self.read_on(deadline), "{text:?} was never shown:\n{}", self.shown);
        }
    }

    /// Types a line.
    pub fn answer(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\r").as_bytes()).expect("the program reads");
    }

    /// Waits until it exits; returns its status and all that was shown.
    #[track_caller]
    pub fn end(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + DEADLINE;
        while self.read_on(deadline) {}
        assert!(Instant::now() < deadline, "it does not exit:\n{}", self.shown);
        let status = self.child.wait().expect("it can be waited for");
        (status, std::mem::take(&mut self.shown))
    }

    /// Reads what is shown next. False at the end, and at the deadline.
    fn read_on(&mut self, deadline: Instant) -> bool {
        match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(bytes) => {
                self.shown += &String::from_utf8_lossy(&bytes);
                true
            }
            Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => false,
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Fails only when it has exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
