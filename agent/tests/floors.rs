//! The rules of the house, checked on the sources as text: floors and circles, one owner per dependency, and where secrets, the
//! environment and new tasks may be touched.
//!
//! What nothing checks is a wish and not a rule. A rule that has to change is changed here, with its reason.

#[path = "floors/found.rs"]
mod found;
#[path = "floors/found_arrows.rs"]
mod found_arrows;
#[path = "floors/graph.rs"]
mod graph;
#[path = "floors/house.rs"]
mod house;
#[path = "floors/listed.rs"]
mod listed;
#[path = "floors/methods.rs"]
mod methods;
#[path = "floors/paths.rs"]
mod paths;
#[path = "floors/places.rs"]
mod places;
#[path = "floors/rooms.rs"]
mod rooms;
#[path = "floors/shapes.rs"]
mod shapes;
#[path = "floors/source.rs"]
mod source;
#[path = "floors/state_parts.rs"]
mod state_parts;
#[path = "floors/structure.rs"]
mod structure;
#[path = "floors/workspace.rs"]
mod workspace;

use std::sync::LazyLock;

use house::{Breach, House, Rule};

static SOURCES: LazyLock<Vec<(String, String)>> = LazyLock::new(house::sources);
static HOUSE: LazyLock<House<'_>> = LazyLock::new(|| House::new(&SOURCES));

/// Checks a rule on all sources.
fn holds(rule: &Rule) {
    let breaches = (rule.breaches)(&HOUSE);
    let line = |Breach { file, line, what }: &Breach| match line {
        0 => format!("  {file}: {what}\n"),
        line => format!("  {file}:{line}: {what}\n"),
    };
    let lines: String = breaches.iter().map(line).collect();
    assert!(breaches.is_empty(), "\n{}\n{lines}{} breaches", rule.text, breaches.len());
}

#[test]
fn no_file_uses_what_uses_it() {
    holds(&structure::CIRCLES);
}

#[test]
fn rooms_use_only_what_stands_below_them() {
    holds(&structure::FLOORS);
}

#[test]
fn the_command_line_uses_of_the_agent_only_what_is_lent_to_it() {
    holds(&structure::CONTRACT);
}

#[test]
fn no_folder_lies_flat() {
    holds(&structure::FOLDERS);
}

#[test]
fn the_broker_has_few_methods() {
    holds(&structure::BROKER);
}

#[test]
fn decisions_are_told_apart_once() {
    holds(&structure::DECISIONS);
}

#[test]
fn parts_of_the_state_are_touched_by_their_own_room() {
    holds(&state_parts::STATE_PARTS);
}

#[test]
fn every_heavy_dependency_stays_with_its_owner() {
    holds(&places::OWNERS);
}

#[test]
fn secrets_are_exposed_only_where_they_have_to_be() {
    holds(&places::SECRETS);
}

#[test]
fn the_environment_is_read_only_at_the_edges() {
    holds(&places::ENVIRONMENT);
}

#[test]
fn tasks_are_started_only_where_somebody_answers_for_them() {
    holds(&places::TASKS);
}

#[test]
fn every_file_has_one_job_and_says_so() {
    holds(&places::FILES);
}
