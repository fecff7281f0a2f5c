//! Standard input that ends at the deadline: a client that neither writes nor closes it must not keep the helper alive.

use std::io::Read;

use ghapp_protocol::client::Deadline;

/// Standard input until `deadline`; after that reading fails.
pub(crate) fn within(deadline: Deadline) -> impl Read {
    platform::Stdin::new(deadline)
}

#[cfg(unix)]
mod platform {
    use std::io::{self, Read};

    use ghapp_protocol::client::Deadline;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

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
            let left = self.deadline.left().ok_or(io::ErrorKind::TimedOut)?;
            let left = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
            let stdin = rustix::stdio::stdin();
            match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&left))? {
                0 => Err(io::ErrorKind::TimedOut.into()),
                _ => Ok(rustix::io::read(stdin, buffer)?),
            }
        }
    }
}

#[cfg(not(unix))]
mod platform {
    use std::io::{self, Read};
    use std::sync::mpsc::{self, Receiver};

    use ghapp_protocol::client::Deadline;

    /// How much the reading thread takes at once.
    const CHUNK: usize = 4096;

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
