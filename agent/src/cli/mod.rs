//! `ghapp`, the control program: translates a command line into questions to the agent, and the answers into text.
//!
//! It holds no key longer than the hand-over to the agent takes, and it never talks to GitHub itself. One file per command;
//! `connection` is the way to the agent, `output` the way to the person, `failure` what ends a command.

mod additions;
mod agent;
mod apps;
mod arguments;
mod bounded;
mod browser;
mod chain;
mod commands;
mod config;
mod connection;
mod create;
mod doctor;
mod exec;
mod expose;
mod failure;
mod git_config;
mod help;
mod identity;
mod in_place;
mod installing;
mod json;
mod key;
mod known_apps;
mod leases;
mod lock;
mod login;
mod logout;
mod logs;
mod manual;
mod output;
mod passphrase;
mod pem;
mod private_agent;
mod private_directory;
mod program_version;
mod progress;
mod prompt;
mod renewal;
mod repos;
mod revoke;
mod search_path;
mod session;
mod setup_git;
mod shell_exports;
mod status;
mod target;
mod token;
mod which;
mod wiring;
mod wizard;
mod wording;

pub use commands::main;
