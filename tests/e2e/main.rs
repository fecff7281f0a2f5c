//! The real binaries, real git and a strict GitHub: one file for each promise of the README.

#![cfg(unix)]

mod agent_lifecycle;
mod apps_and_owners;
mod audit_log;
mod bad_input;
mod clients;
mod clone_and_push;
mod coexistence;
mod concurrency;
mod control;
#[cfg(target_os = "linux")]
mod cost;
mod create;
mod credentials;
mod dead_tokens;
mod discovery;
mod doctor;
mod documents;
mod encrypted_file;
mod errors;
mod exec;
mod extra_sockets;
mod fresh_tokens;
#[cfg(target_os = "linux")] // what is told of keyrings and processes is another thing elsewhere
mod golden;
mod guarantees;
#[cfg(target_os = "linux")] // it looks into /proc
mod hardening;
mod hosts;
mod identity;
#[cfg(target_os = "linux")] // it looks into /proc
mod inherited;
#[cfg(target_os = "linux")] // only Linux keeps keys in the kernel
mod kernel_keyring;
mod keyring;
mod keys;
#[cfg(target_os = "linux")] // it looks into /proc
mod limits;
mod load;
mod lock;
mod logins;
mod manual;
#[cfg(target_os = "linux")] // it looks into /proc
mod memory;
mod patience;
mod peers;
#[cfg(target_os = "linux")] // it looks into /proc
mod places;
mod reached;
mod repos;
mod rules;
#[cfg(target_os = "linux")] // it looks into /proc
mod scale;
#[cfg(target_os = "linux")] // logind is there only
mod screen_lock;
#[cfg(target_os = "linux")] // it looks into /proc
mod secrets;
mod session_modes;
mod sick_agents;
#[cfg(target_os = "linux")] // elsewhere there is no Secret Service
mod slow_keyring;
#[cfg(target_os = "linux")] // it looks into /proc
mod soak;
#[cfg(target_os = "linux")] // it looks into /proc
mod starts;
mod version_skew;
mod which;
mod wizard;
