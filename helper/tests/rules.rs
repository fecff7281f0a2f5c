//! The table of the rules (`rules.md`) is complete, and what it names is there.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const RULES: u32 = 54;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The rows of the table: a rule's number and its tests, each with its file.
fn table() -> Vec<(u32, Vec<(String, String)>)> {
    let rows = include_str!("rules.md").lines().filter_map(|line| {
        let cells: Vec<_> = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ").collect();
        let [number, _, tests] = cells[..] else { return None };
        let names: Vec<_> = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let pairs = names.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        Some((number.parse().ok()?, pairs))
    });
    rows.collect()
}

/// A test with what stands directly above it, or nothing if the file has none of that name.
fn test_in<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    let at = source.find(&format!("fn {name}("))?;
    let start = source[..at].rfind("\n\n").unwrap_or(0);
    let line = source[..at].rfind('\n').map_or(0, |line| line + 1);
    let indent: String = source[line..].chars().take_while(|char| *char == ' ').collect();
    let end = at + source[at..].find(&format!("\n{indent}}}"))?;
    let is_test = source[start..at].contains("#[test]") || source[start..at].contains("#[tokio::test");
    is_test.then_some(&source[start..end])
}

/// The numbers that follow the word: `rule 7`, `rules_17_and_18`, `rules 3 to 16`.
fn rules_named_in(text: &str) -> BTreeSet<u32> {
    let text = text.to_lowercase().replace(['_', ','], " ");
    let mut words = text.split_whitespace().flat_map(|word| word.split('(').filter(|word| !word.is_empty())).peekable();
    let mut named = BTreeSet::new();
    while let Some(word) = words.next() {
        if !matches!(word, "rule" | "rules") {
            continue;
        }
        let (mut last, mut is_range) = (None, false);
        while let Some(word) = words.peek() {
            match word.trim_end_matches(|char: char| !char.is_ascii_alphanumeric()).parse::<u32>() {
                Ok(number) if is_range => named.extend(last.unwrap_or(number)..=number),
                Ok(number) => {
                    named.insert(number);
                    last = Some(number);
                }
                Err(_) if !matches!(*word, "and" | "to") => break,
                Err(_) => {}
            }
            is_range = *word == "to";
            words.next();
        }
    }
    named
}

#[test]
fn every_rule_is_in_the_table_once_and_in_order() {
    let numbers: Vec<_> = table().into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, (1..=RULES).collect::<Vec<_>>());
}

#[test]
fn every_test_of_the_table_is_there_and_names_its_rule() {
    let mut sources = BTreeMap::new();
    for (rule, tests) in table() {
        assert!(!tests.is_empty(), "rule {rule} has no test");
        for (file, name) in tests {
            let source = sources.entry(file.clone()).or_insert_with(|| {
                let text = fs::read_to_string(root().join(&file))
                    .unwrap_or_else(|_| panic!("rule {rule}: there is no {file}"));
                text.replace("\r\n", "\n")
            });
            let test = test_in(source, &name);
            let test = test.unwrap_or_else(|| panic!("rule {rule}: {file} has no test {name}"));
            assert!(rules_named_in(test).contains(&rule), "{file}: {name} does not name rule {rule}");
        }
    }
}

#[test]
fn a_name_of_a_rule_is_understood_in_all_its_forms() {
    let named = |text: &str| rules_named_in(text).into_iter().collect::<Vec<_>>();
    assert_eq!(named("fn rule_7_lines_up_to_65_535_bytes()"), [7]);
    assert_eq!(named("fn rules_17_and_18_success() // rule 4"), [4, 17, 18]);
    assert_eq!(named("/// rules 23 to 25, 49: none (rule 30)"), [23, 24, 25, 30, 49]);
    assert_eq!(named("a rule of 7 things"), []);
}

/// Whether nothing heavier comes in through others is checked on the whole tree by .ci/run.
#[test]
fn rule_42_the_helper_has_nothing_that_could_use_the_network_or_hold_a_key() {
    let manifest = include_str!("../Cargo.toml");
    let (_, dependencies) = manifest.split_once("\n[dependencies]\n").unwrap();
    let (dependencies, _) = dependencies.split_once("[dev-dependencies]").unwrap();
    let lines = dependencies.lines().filter(|line| !line.starts_with('['));
    let names: Vec<_> = lines.filter_map(|line| line.split_once([' ', '.'])).map(|(name, _)| name).collect();
    assert_eq!(names, ["ghapp-protocol", "zeroize", "rustix"]);
    for entry in fs::read_dir(root().join("helper/src")).unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read_to_string(&path).unwrap();
        for word in ["std::net", "TcpStream", "UdpSocket", "Command::new", "PRIVATE KEY"] {
            assert!(!source.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn rule_54_what_bypasses_helpers_is_documented() {
    let page = fs::read_to_string(root().join("docs/clients.md")).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let bypass = "`http.extraHeader` and passwords in URLs bypass helpers";
    for words in [bypass, "403 and 404 are not reported to helpers by git"] {
        assert!(page.contains(words), "docs/clients.md does not say: {words}");
    }
}
