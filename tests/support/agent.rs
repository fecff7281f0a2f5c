//! The agent of a sandbox, seen from outside: asked over its socket, stopped when the sandbox goes.

use std::sync::mpsc;
use std::thread;

use ghapp_protocol::client::{self, ClientError, Deadline};
use ghapp_protocol::endpoint::{self, Endpoint};
use ghapp_protocol::message::{Call, Reply, Request, Status, Stop};

use crate::Sandbox;
use crate::process::DEADLINE;

/// What an agent occupies.
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Copy)]
pub struct Footprint {
    /// Resident memory.
    pub memory_kb: usize,
    /// Threads.
    pub threads: usize,
    /// Files and sockets, if this process may know.
    pub files: Option<usize>,
}

impl Sandbox {
    /// Where the agent of this sandbox listens.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::at(self.runtime_directory().join("ghapp/agent.sock")).expect("the sandbox's paths are short")
    }

    /// Asks the agent one thing, without starting one.
    pub fn ask(&self, call: Call) -> Result<Reply, ClientError> {
        client::ask(&self.endpoint(), &Request::new(call), Deadline::after(DEADLINE))
    }

    /// The status of the agent, if there is one.
    pub fn agent(&self) -> Option<Status> {
        match self.ask(Call::Status {}) {
            Ok(Reply::Status(status)) => Some(*status),
            Ok(reply) => panic!("not a status: {reply:?}"),
            Err(_) => None,
        }
    }

    /// Kills the agent, as the system does when memory runs out, and waits until it is gone.
    #[cfg(unix)]
    pub fn kill_agent(&self) {
        let status = self.agent().expect("there is an agent to kill");
        let pid = i32::try_from(status.pid).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.expect("the agent told its process id");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is this user's");
        self.wait_for_agents_end();
    }

    /// What the running agent occupies of the machine.
    #[cfg(target_os = "linux")]
    pub fn footprint(&self) -> Footprint {
        let pid = self.agent().expect("there is an agent").pid;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("everybody may look");
        let number = |label: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(label)).expect("every process has it");
            line.trim().trim_end_matches(" kB").parse().expect("it is a number")
        };
        // It made itself undumpable, so only root can count its files; without root there is no number to compare.
        let is_root = rustix::process::geteuid().is_root();
        let files = || std::fs::read_dir(format!("/proc/{pid}/fd")).expect("root may look").count();
        Footprint { memory_kb: number("VmRSS:"), threads: number("Threads:"), files: is_root.then(files) }
    }

    /// Stops the agent, if there is one, and waits until it is gone.
    pub fn stop_agent(&self) {
        if self.ask(Call::Stop(Stop::default())).is_ok() {
            self.wait_for_agents_end();
        }
    }

    /// Waits for the lock that an agent holds for as long as it lives.
    fn wait_for_agents_end(&self) {
        let path = self.endpoint().run_lock();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let gone = endpoint::open_lock(&path).and_then(|lock| endpoint::lock(&lock));
            // The test may have failed in the meantime.
            let _ = sender.send(gone);
        });
        receiver.recv_timeout(DEADLINE).expect("the agent ends").expect("its lock can be opened");
    }
}
