//! Whole requests from the files in `attributes/`: byte for byte as clients write them, or as attacks look. What becomes of each
//! stands in `attributes.txt`.
//!
//! The start of a name says what a helper has to do: `ours-` is answered, so that one that refuses everything fails; `elsewhere-`
//! is a well-formed question about another host; `not-ours-` is left to the next helper without a word; `refused-` is refused
//! with one. The helper's own tests run the program on each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::outcome;

// rule 49
#[test]
fn requests_of_real_clients_and_real_attacks_are_told_apart() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let table = fs::read_to_string(tests.join("attributes.txt")).unwrap();
    let expected: BTreeMap<_, _> = table
        .lines()
        .map(|line| line.split_once(": ").expect("NAME: OUTCOME"))
        .map(|(name, outcome)| (name.to_owned(), outcome.to_owned()))
        .collect();
    let files = fs::read_dir(tests.join("attributes")).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    let outcomes: BTreeMap<_, _> = files
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, outcome(fs::read(path).unwrap()))
        })
        .collect();
    for (name, outcome) in &outcomes {
        assert_eq!(Some(outcome), expected.get(name), "{name}");
    }
    assert_eq!(outcomes.len(), expected.len(), "every line of the table has its file");
}

/// rules 3 to 16, 49: none of them may be obeyed by refusing, or by letting through, everything.
#[test]
fn the_start_of_a_name_agrees_with_the_outcome() {
    let table = include_str!("../attributes.txt");
    let mut counts = BTreeMap::new();
    for line in table.lines() {
        let (name, outcome) = line.split_once(": ").unwrap();
        let kind = match outcome {
            _ if outcome.starts_with("refused: ") => "refused-",
            _ if outcome.starts_with("not ours: ") => "not-ours-",
            _ if outcome.starts_with("github.com ") || outcome.starts_with("ghe.example.com:8443 ") => "ours-",
            _ => "elsewhere-",
        };
        assert!(name.starts_with(kind), "{line}");
        *counts.entry(kind).or_insert(0) += 1;
    }
    for (kind, least) in [("ours-", 30), ("elsewhere-", 10), ("not-ours-", 100), ("refused-", 60)] {
        assert!(counts[kind] >= least, "{kind}: {}", counts[kind]);
    }
}
