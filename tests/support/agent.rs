//! The agent of a sandbox, seen from outside: asked over its socket, stopped when the sandbox goes.

use std::sync::mpsc;
use std::thread;

use ghapp_protocol::client::{self, ClientError, Deadline};
use ghapp_protocol::endpoint::{self, Endpoint};
use ghapp_protocol::message::{Call, Reply, Request, Status, Stop};

use crate::Sandbox;
use crate::process::DEADLINE;

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

    /// Kills the agent as the system does when memory runs out, and waits until it is gone.
    #[cfg(unix)]
    pub fn kill_agent(&self) {
        let status = self.agent().expect("there is an agent to kill");
        let pid = i32::try_from(status.pid).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.expect("the agent told its process id");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it is this user's");
        self.wait_for_agents_end();
    }

    /// Ends the agent, if there is one, and waits until it is gone.
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
