//! `ghapp`, the control program: translates a command line into questions to the agent, and the answers into text.
//!
//! It holds no key longer than the hand-over to the agent takes, and it never talks to GitHub itself. A room for each job of the
//! person, a file for each command; `connection` is the way to the agent, `terminal` the way to the person, `failure` what ends a
//! command.
//!
//! Rooms import only downwards:
//!
//! ```text
//! commands                                  runs the command that was given
//! doctor                                    looks at everything below
//! agent                                     start and stop it, expose, lock
//! login                                     Apps and their keys
//! reports                                   what there is and what happened
//! tokens                                    for a person, a script or a command
//! git    manual    config    known_apps     what several of these need
//! session                                   what every command is given
//! connection    arguments    process        the agent, the command line, other programs
//! terminal                                  the person
//! failure                                   what ends a command
//! ```

mod agent;
mod arguments;
mod commands;
mod config;
mod connection;
mod doctor;
mod failure;
mod git;
mod known_apps;
mod login;
mod manual;
mod process;
mod reports;
mod session;
mod terminal;
mod tokens;

pub use commands::main;
