//! The table of what the agent guarantees (`guarantees.md`) is complete, and what it names is there.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::path::Path;

/// How many guarantees there are.
const GUARANTEES: u32 = 48;
/// Guarantees that cannot be given yet, or have no object.
const WITHOUT_A_TEST: &[u32] = &[16, 42];

/// The rows: a number, and its tests, each with its file.
fn table() -> Vec<(u32, Vec<(&'static str, &'static str)>)> {
    let rows = include_str!("guarantees.md").lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let [number, _, tests] = cells[..] else { return None };
        let names: Vec<_> = tests.split('`').skip(1).step_by(2).collect();
        Some((number.parse().ok()?, names.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()))
    });
    rows.collect()
}

#[test]
fn every_guarantee_is_in_the_table_once_and_in_order() {
    let numbers: Vec<_> = table().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=GUARANTEES).collect::<Vec<_>>());
}

#[test]
fn every_guarantee_has_a_test_or_says_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (number, tests) in table() {
        assert_eq!(tests.is_empty(), WITHOUT_A_TEST.contains(&number), "guarantee {number}");
        for (file, name) in tests {
            let source = fs::read_to_string(root.join(file));
            let source = source.unwrap_or_else(|error| panic!("guarantee {number}: {file}: {error}"));
            let is_test = source.split("#[").any(|part| {
                let is_test = part.starts_with("test]") || part.starts_with("tokio::test");
                is_test && part.contains(&format!("fn {name}("))
            });
            assert!(is_test, "guarantee {number}: {file} has no test {name}");
        }
    }
}
