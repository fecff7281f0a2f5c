//! The programs people use git with, each as it is: what they ask, what they get, and what it costs at GitHub.

mod bare_questions;
mod cargo;
mod editors;
mod gh;
mod git_addresses;
mod git_commands;
mod lfs;
mod libraries;
