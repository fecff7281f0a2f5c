//! The process that a private agent runs for (`ghapp agent run`): when that process exits, for any reason, the agent exits.

use std::io;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::interval;

/// How often the process is looked for where the system does not tell when it exits.
const INTERVAL: Duration = Duration::from_secs(1);

/// A process that is watched.
pub(super) struct WatchedProcess {
    pid: u32,
    /// Told when the process has exited, even if it is still a zombie. `None` if the process has to be looked for.
    exit: Option<oneshot::Receiver<()>>,
}

impl WatchedProcess {
    /// Watches a process. An error if there is none with that id.
    #[cfg(target_os = "linux")]
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        use rustix::event::{PollFd, PollFlags, poll};
        use rustix::io::Errno;
        use rustix::process::{PidfdFlags, pidfd_open};
        let process = match pidfd_open(raw(pid)?, PidfdFlags::empty()) {
            Ok(process) => process,
            Err(Errno::SRCH) => return Err(Errno::SRCH.into()),
            // A kernel before 5.3, or a sandbox that forbids it.
            Err(_) => return Ok(Self { pid, exit: None }),
        };
        let (sender, exit) = oneshot::channel();
        // The thread waits for as long as the agent runs, and is gone with it.
        std::thread::Builder::new().name("watched-process".to_owned()).spawn(move || {
            let end = loop {
                match poll(&mut [PollFd::new(&process, PollFlags::IN)], None) {
                    Err(Errno::INTR) => {}
                    end => break end,
                }
            };
            // The channel is closed without a message if the system cannot tell.
            end.ok().and_then(|_| sender.send(()).ok())
        })?;
        Ok(Self { pid, exit: Some(exit) })
    }

    /// Watches a process. An error if there is none with that id.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        if lives(pid) { Ok(Self { pid, exit: None }) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Waits until the process has exited.
    pub(super) async fn ended(self) {
        if let Some(exit) = self.exit
            && exit.await.is_ok()
        {
            return;
        }
        let mut looks = interval(INTERVAL);
        while lives(self.pid) {
            looks.tick().await;
        }
    }
}

#[cfg(unix)]
fn raw(pid: u32) -> io::Result<rustix::process::Pid> {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

#[cfg(unix)]
fn lives(pid: u32) -> bool {
    raw(pid).is_ok_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

/// There are no private agents.
#[cfg(not(unix))]
fn lives(_pid: u32) -> bool {
    false
}
