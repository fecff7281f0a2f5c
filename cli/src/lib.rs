//! `ghapp`, the control program: translates a command line into questions to the agent, and the answers into text.
//!
//! It holds no key longer than the hand-over to the agent takes, and it never talks to GitHub itself. A room for each job of the
//! person, a file for each command; `connection` is the way to the agent, `terminal` the way to the person, `failure` what ends a
//! command.

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
