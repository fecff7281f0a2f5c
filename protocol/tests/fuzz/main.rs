//! A bounded run of the fuzz targets, the same each time: all seeds as they are, and then so many of their mutations.
//!
//! The fuzzer itself is in `fuzz/`; it measures which bytes reach new code and so finds more, given time. What it found becomes
//! a seed. `GHAPP_FUZZ_RUNS` makes this run longer.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod mutate;
mod targets;

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;

use mutate::Mutator;

/// Mutations for each target: a second or two without optimization.
const RUNS: u64 = 20_000;

/// The files of some directories, named from the workspace's root. The order does not depend on the file system.
fn seeds(directories: &[&str]) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files: Vec<_> = directories
        .iter()
        .flat_map(|directory| fs::read_dir(root.join(directory)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != ".gitattributes")
        .collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Runs a target on the seeds and their mutations; a panic says which bytes it was.
fn hold_out(target: fn(&[u8]), seeds: &[Vec<u8>]) {
    assert!(seeds.len() >= 10, "{} seeds", seeds.len());
    let attempt = |bytes: &[u8]| {
        let outcome = panic::catch_unwind(AssertUnwindSafe(|| target(bytes)));
        assert!(outcome.is_ok(), "these bytes: {:?}", bytes.escape_ascii().to_string());
    };
    for seed in seeds {
        attempt(seed);
    }
    let runs = std::env::var("GHAPP_FUZZ_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS);
    let mut mutator = Mutator::new(seeds);
    for _ in 0..runs {
        attempt(&mutator.mutate());
    }
}

#[test]
fn attributes_hold_out() {
    hold_out(targets::attributes, &seeds(&["protocol/tests/attributes"]));
}

#[test]
fn hosts_and_names_hold_out() {
    hold_out(targets::remote, &seeds(&["fuzz/seeds/remote"]));
}

#[test]
fn frames_hold_out() {
    hold_out(targets::frame, &seeds(&["fuzz/seeds/frame"]));
}

#[test]
fn messages_hold_out() {
    hold_out(targets::messages, &seeds(&["protocol/tests/messages", "protocol/tests/messages-from-the-future"]));
}

/// A target that accepts everything would hold out as well.
#[test]
fn a_target_that_does_not_hold_is_found() {
    let breaks = |bytes: &[u8]| assert!(bytes.windows(2).all(|pair| pair != b"\r\r"));
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let outcome = panic::catch_unwind(|| hold_out(breaks, &vec![b"host=github.com\r\n".to_vec(); 10]));
    panic::set_hook(hook);
    assert!(outcome.is_err());
}
