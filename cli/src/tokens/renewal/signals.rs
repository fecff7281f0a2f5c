//! Signals that are meant for the command, but reach ghapp because it is the process that was started.

#[cfg(unix)]
pub(super) use unix::{Signals, pass_on};
#[cfg(not(unix))]
pub(super) use unsupported::{Signals, pass_on};

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io;

    use rustix::process::{Pid, Signal, getpgrp, kill_process};
    use rustix::termios::tcgetpgrp;
    use tokio::signal::unix::{SignalKind, signal};

    /// The signals that terminate a process, or that a program may use for its own purposes.
    pub(in super::super) struct Signals {
        interrupt: tokio::signal::unix::Signal,
        quit: tokio::signal::unix::Signal,
        hangup: tokio::signal::unix::Signal,
        terminate: tokio::signal::unix::Signal,
        user_1: tokio::signal::unix::Signal,
        user_2: tokio::signal::unix::Signal,
    }

    impl Signals {
        /// From now on they do not terminate this process.
        pub(in super::super) fn catch() -> io::Result<Self> {
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
                hangup: signal(SignalKind::hangup())?,
                terminate: signal(SignalKind::terminate())?,
                user_1: signal(SignalKind::user_defined1())?,
                user_2: signal(SignalKind::user_defined2())?,
            })
        }

        /// Waits for the next one.
        pub(in super::super) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.interrupt.recv() => Signal::INT,
                _ = self.quit.recv() => Signal::QUIT,
                _ = self.hangup.recv() => Signal::HUP,
                _ = self.terminate.recv() => Signal::TERM,
                _ = self.user_1.recv() => Signal::USR1,
                _ = self.user_2.recv() => Signal::USR2,
            }
        }
    }

    /// Passes a signal on to the command, unless it has exited.
    pub(in super::super) fn pass_on(signal: Signal, command: Option<u32>) {
        let command = command.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(command) = command.filter(|_| !was_typed(signal)) {
            // The command may exit at this very moment.
            let _ = kill_process(command, signal);
        }
    }

    /// Whether the terminal has sent the signal. It sends one to every process in its foreground, so the command has it already, and
    /// many programs react to a second one differently (termios(3), `ISIG`). The kernel does not tell where a signal comes from.
    fn was_typed(signal: Signal) -> bool {
        let typed = signal == Signal::INT || signal == Signal::QUIT;
        let terminal = || File::open("/dev/tty").ok();
        typed && terminal().and_then(|terminal| tcgetpgrp(terminal).ok()).is_some_and(|group| group == getpgrp())
    }
}

#[cfg(not(unix))]
mod unsupported {
    /// The console sends Ctrl-C to the command as well, so ghapp only has to survive it.
    pub(in super::super) struct Signals(());

    /// Ctrl-C.
    pub(in super::super) struct Interrupt;

    impl Signals {
        pub(in super::super) fn catch() -> std::io::Result<Self> {
            Ok(Self(()))
        }

        pub(in super::super) async fn next(&mut self) -> Interrupt {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            Interrupt
        }
    }

    pub(in super::super) fn pass_on(_: Interrupt, _: Option<u32>) {}
}
