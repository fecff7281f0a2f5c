//! Tests of the simulator itself: it must refuse what GitHub refuses, or the end-to-end tests prove nothing.

mod app_jwt;
mod client;
mod faults;
mod git_server;
mod large_files;
mod lookups;
mod manifest;
mod mint;
mod sandbox;
mod tokens;
