//! `ghapp`, the control program: translates a command line into questions to the agent, and the answers into text.
//!
//! It holds a key only until the agent has it, and never talks to GitHub itself. There is a room for each job of the user and a
//! file for each command; `connection` is the way to the agent, `terminal` the way to the user, `failure` why a command failed.
//!
//! Rooms import only downwards:
//!
//! ```text
//! commands                                  runs the command that was given
//! doctor                                    checks everything below
//! agent                                     start and stop it, expose, lock
//! login                                     Apps and their keys
//! reports                                   what is there, and what happened
//! tokens                                    for a person, a script or a command
//! git    manual    config    known_apps     what several of these need
//! session                                   what every command is given
//! connection    arguments    process        the agent, the command line, other programs
//! terminal                                  the user
//! failure                                   why a command failed
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
