//! The rule about what changes: each part of the broker's state belongs to a room, and only that room touches it.

use crate::house::Rule;
use crate::source::Source;

/// A part of the state, and where it is touched: starts of paths. Other rooms ask the room that has it.
pub(crate) const PARTS: &[(&str, &[&str])] = &[
    ("locking", &["agent/src/broker/gate.rs", "agent/src/broker/lock/"]),
    ("signing", &["agent/src/broker/app_api/"]),
    ("known", &["agent/src/broker/tokens/"]),
    ("live", &["agent/src/broker/tokens/"]),
    // `git` makes and closes sockets; the gate, `activity` and `status` ask whether there are any.
    (
        "exposures",
        &[
            "agent/src/broker/git/",
            "agent/src/broker/gate.rs",
            "agent/src/broker/activity.rs",
            "agent/src/broker/telling/status.rs",
        ],
    ),
    ("listed", &["agent/src/broker/telling/"]),
];

/// Where the parts are, and where several of them change at once.
const STATE: &str = "agent/src/broker/state/";

pub(crate) const STATE_PARTS: Rule = Rule {
    text: "A part of the broker's state is touched by its own room only (the list is in floors/state_parts.rs); what changes several \
           parts at once is a method of the state.",
    breaches: |house| house.each(strangers),
};

fn strangers(source: &Source<'_>) -> Vec<(usize, String)> {
    let touched = (0..source.tokens.len()).filter_map(|index| Some((index, part(source, index)?)));
    let strange = touched.filter(|(index, (_, rooms))| {
        !source.tokens[*index].test && !rooms.iter().any(|room| source.file.starts_with(room))
    });
    strange.map(|(index, (part, _))| (source.tokens[index].line, format!("{part} of the state is touched"))).collect()
}

/// The part of the state that is named here: behind `state.`, `state().` or, in a method of the state, `self.`.
pub(crate) fn part(source: &Source<'_>, index: usize) -> Option<&'static (&'static str, &'static [&'static str])> {
    let back = |steps: usize| index.checked_sub(steps).map_or("", |index| source.text(index));
    let is_state =
        back(1) == "." && (matches!(back(2), "state") || (back(2) == ")" && back(3) == "(" && back(4) == "state"));
    let in_gate = source.file == "agent/src/broker/gate.rs" && back(1) == "." && back(2) == "self";
    let found = PARTS.iter().find(|(part, _)| *part == source.text(index))?;
    (source.file.starts_with("agent/src/broker/") && !source.file.starts_with(STATE) && (is_state || in_gate))
        .then_some(found)
}
