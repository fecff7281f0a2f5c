//! The agent and the `ghapp` command line.
//!
//! Follow one `get`: [`server`] reads a frame and checks who sent it; [`broker`] asks [`policy`] which App may serve the
//! repository; [`installation`] and [`token`] remember what GitHub said, and what they do not know [`github`] asks for, with an
//! app JWT that [`signer`] makes of the key that [`keystore`] holds; [`audit`] writes down what was decided.
//!
//! Modules import only downwards; `tests/floors.rs` checks it:
//!
//! ```text
//! 5  main, bin/ghapp                           wire things; nobody imports them
//! 4  cli        server        lifecycle        doors: translate in, call the broker, translate out
//! 3  broker                                    the use case; the only place where both wings meet
//! 2  policy installation numbers         ||  config keystore signer github audit lineage
//!    token patience attempts failed_keys     socket_file
//!    RULES: decide, no I/O      ||  EDGES: I/O, decide nothing (the wings do not import each other)
//! 1  model    clock    memory                  nouns, and what every room may use
//!    regular_file      private_directory
//! 0  ghapp-protocol                            bytes, words and paths shared with the helper
//! ```

pub mod attempts;
pub mod audit;
pub mod broker;
pub mod clock;
pub mod config;
pub mod failed_keys;
pub mod github;
pub mod installation;
pub mod keystore;
pub mod lifecycle;
pub mod lineage;
pub mod memory;
pub mod model;
pub mod numbers;
pub mod patience;
pub mod policy;
pub mod private_directory;
pub mod regular_file;
pub mod server;
pub mod signer;
#[cfg(unix)]
pub mod socket_file;
pub mod token;
