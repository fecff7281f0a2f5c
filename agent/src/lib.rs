//! The agent: holds key access and tokens, and serves the local socket.
//!
//! Follow one `get`: [`server`] checks which user sent it and reads the frame; [`broker`] asks [`policy`] which App may serve the
//! repository; [`installation`] and [`token`] remember what GitHub said. What they do not know, [`github`] asks for, with an app
//! JWT that [`signer`] makes of the key that [`keystore`] holds; [`audit`] writes down what was decided.
//!
//! Modules import only downwards; `tests/floors.rs` checks it:
//!
//! ```text
//! 5  main                                      wires things; nothing imports it
//! 4  server     lifecycle                      doors: translate in, call the broker, translate out
//! 3  broker                                    the use cases; the only place where both wings meet
//! 2  policy installation token failures  ||  config keystore signer github audit
//!    RULES: decide, no I/O      ||  EDGES: I/O, decide nothing (the wings do not import each other)
//! 1  model    clock    files    process        nouns, and what every room may use
//! 0  ghapp-protocol                            bytes, words and paths shared with the helper
//! ```
//!
//! The command line is a package of its own. It may know what people configure and what that means, and how their own files are
//! read. What serves tokens is private, so that the compiler keeps the command line out.

// A panic in one task or thread, of ours or of a library, ends that request: the keys in memory, the leases and the lock outlive it.
#[cfg(not(panic = "unwind"))]
compile_error!("the agent is built with panic = \"unwind\", so that a panic ends one request and not the agent");

pub mod audit;
mod broker;
pub mod clock;
pub mod config;
mod failures;
pub mod files;
mod github;
mod installation;
mod keystore;
mod lifecycle;
pub mod model;
mod policy;
mod process;
mod server;
pub mod signer;
mod token;

/// The rules that decide how often GitHub is asked. `examples/minting_cost.rs` counts with them, so that its table is what the agent
/// does.
pub mod minting {
    pub use crate::installation::Installations;
    pub use crate::token::Refresh;
}

/// The agent as a program, for its `main`.
pub mod program {
    use std::path::PathBuf;

    use ghapp_protocol::endpoint::Endpoint;

    pub use crate::lifecycle::{
        Outcome, Start, StartupError, arguments, close_inherited, detach, leave_session, tell_failure, tell_misplaced,
    };
    pub use crate::process::memory::WipingAllocator;

    /// Serves the endpoint until the agent is told to stop, has nothing left to do, or the process `watched` has exited.
    pub async fn run(
        start: Start,
        watched: Option<u32>,
        endpoint: Endpoint,
        config_file: PathBuf,
    ) -> Result<(), StartupError> {
        crate::lifecycle::run(start, watched, endpoint, config_file, crate::server::serve).await
    }
}
