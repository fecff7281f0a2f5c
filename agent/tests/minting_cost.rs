//! bench/README.md and the program that computes what the agent costs GitHub say the same.

use std::fs;
use std::path::Path;

#[path = "../examples/minting_cost.rs"]
#[expect(dead_code, reason = "its main function prints the table")]
mod minting_cost;

#[test]
fn the_table_in_the_readme_is_what_the_program_prints() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/README.md");
    let readme = fs::read_to_string(readme).expect("bench/ is beside the crate");
    let table = minting_cost::table();
    assert!(readme.contains(&table), "paste this into \"What it costs GitHub\" in bench/README.md:\n{table}");
}
