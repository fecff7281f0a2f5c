//! Standard streams that end at the deadline: a client that neither writes nor closes its end, or that does not read what it is
//! answered, must not keep the helper alive.

use std::io::{Read, Write};

use ghapp_protocol::client::Deadline;

/// Standard input until `deadline`; after that reading fails.
pub(crate) fn input(deadline: Deadline) -> impl Read {
    platform::Stdin::new(deadline)
}

/// Standard output until `deadline`; after that writing fails.
pub(crate) fn output(deadline: Deadline) -> impl Write {
    platform::output(deadline)
}

/// Standard error until `deadline`; after that writing fails.
pub(crate) fn errors(deadline: Deadline) -> impl Write {
    platform::errors(deadline)
}

#[cfg(unix)]
mod platform {
    use std::io::{self, Read, Write};
    use std::os::fd::{AsFd, BorrowedFd};

    use ghapp_protocol::client::Deadline;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    /// What a pipe takes without blocking when `poll` says that it takes something: `PIPE_BUF` on Linux. Every answer of today is
    /// shorter, and so leaves in one write; 512 would be what POSIX promises.
    const PIECE: usize = 4096;

    /// Waits in `poll` before each read.
    pub(super) struct Stdin {
        deadline: Deadline,
    }

    impl Stdin {
        pub(super) fn new(deadline: Deadline) -> Self {
            Self { deadline }
        }
    }

    impl Read for Stdin {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let stdin = rustix::stdio::stdin();
            wait(stdin, PollFlags::IN, self.deadline)?;
            Ok(rustix::io::read(stdin, buffer)?)
        }
    }

    /// Waits in `poll` before each write.
    struct Output {
        stream: BorrowedFd<'static>,
        deadline: Deadline,
    }

    pub(super) fn output(deadline: Deadline) -> impl Write {
        Output { stream: rustix::stdio::stdout(), deadline }
    }

    pub(super) fn errors(deadline: Deadline) -> impl Write {
        Output { stream: rustix::stdio::stderr(), deadline }
    }

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            loop {
                wait(self.stream, PollFlags::OUT, self.deadline)?;
                match rustix::io::write(self.stream, &bytes[..bytes.len().min(PIECE)]) {
                    // Another process made it non-blocking, and another writer was quicker.
                    Err(Errno::AGAIN) => {}
                    outcome => return Ok(outcome?),
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn wait(stream: impl AsFd, what_for: PollFlags, deadline: Deadline) -> io::Result<()> {
        let left = deadline.left().ok_or(io::ErrorKind::TimedOut)?;
        let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(&stream, what_for)], Some(&left))? {
            0 => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use std::io::{self, Read, Write};
    use std::sync::mpsc::{self, Receiver};

    use ghapp_protocol::client::Deadline;

    /// How much the reading thread takes at once.
    const CHUNK: usize = 4096;

    /// Pipes cannot be waited for there; git reads what it asked for.
    pub(super) fn output(_deadline: Deadline) -> impl Write {
        io::stdout().lock()
    }

    pub(super) fn errors(_deadline: Deadline) -> impl Write {
        io::stderr().lock()
    }

    /// Takes what a thread reads; the thread ends with the process.
    pub(super) struct Stdin {
        deadline: Deadline,
        chunks: Receiver<io::Result<Vec<u8>>>,
        rest: Vec<u8>,
    }

    impl Stdin {
        pub(super) fn new(deadline: Deadline) -> Self {
            let (sender, chunks) = mpsc::sync_channel(1);
            std::thread::spawn(move || {
                loop {
                    let mut chunk = vec![0; CHUNK];
                    let outcome = io::stdin().lock().read(&mut chunk).map(|count| {
                        chunk.truncate(count);
                        chunk
                    });
                    let last = !matches!(&outcome, Ok(chunk) if !chunk.is_empty());
                    if sender.send(outcome).is_err() || last {
                        return;
                    }
                }
            });
            Self { deadline, chunks, rest: Vec::new() }
        }
    }

    impl Read for Stdin {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.rest.is_empty() {
                let left = self.deadline.left().ok_or(io::ErrorKind::TimedOut)?;
                self.rest = match self.chunks.recv_timeout(left) {
                    Ok(chunk) => chunk?,
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(0),
                };
            }
            let count = self.rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.rest[..count]);
            self.rest.drain(..count);
            Ok(count)
        }
    }
}
