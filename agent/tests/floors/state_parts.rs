//! The rule about what changes: each part of the broker's state belongs to a room, and only that room touches it.

use crate::house::Rule;
use crate::source::Source;

/// A part of the state, its type, and where it is touched: starts of paths. Other rooms ask the room that has it.
pub(crate) const PARTS: &[Part] = &[
    ("locking", "Locking", &["agent/src/broker/gate.rs", "agent/src/broker/lock/"]),
    ("signing", "Signing", &["agent/src/broker/app_api/"]),
    ("known", "Known", &["agent/src/broker/tokens/"]),
    ("live", "Live", &["agent/src/broker/tokens/"]),
    // `git` makes and closes sockets; the gate and `activity` ask whether there are any.
    ("exposures", "Exposures", &["agent/src/broker/git/", "agent/src/broker/gate.rs", "agent/src/broker/activity.rs"]),
    ("listed", "Listed", &["agent/src/broker/telling/"]),
];

/// The name of a field of the state, its type, and the rooms that may touch it.
type Part = (&'static str, &'static str, &'static [&'static str]);

/// Where the parts are, and where several of them change at once.
const STATE: &str = "agent/src/broker/state/";

pub(crate) const STATE_PARTS: Rule = Rule {
    text: "A part of the broker's state is touched by its own room only (the list is in floors/state_parts.rs); what changes several \
           parts at once is a method of the state.",
    breaches: |house| house.each(strangers),
};

fn strangers(source: &Source<'_>) -> Vec<(usize, String)> {
    let touched = (0..source.tokens.len()).filter_map(|index| Some((index, part(source, index)?)));
    let strange = touched.filter(|(index, (.., rooms))| {
        !source.tokens[*index].test && !rooms.iter().any(|room| source.file.starts_with(room))
    });
    strange.map(|(index, (part, ..))| (source.tokens[index].line, format!("{part} of the state is touched"))).collect()
}

/// The part of the state that is touched here: a method of the field is called on whatever holds it, or its type is named.
pub(crate) fn part(source: &Source<'_>, index: usize) -> Option<&'static Part> {
    let before = index.checked_sub(1).map_or("", |index| source.text(index));
    let is_field = before == "." && source.text(index + 1) == ".";
    let is_it = |part: &&Part| (part.0 == source.text(index) && is_field) || part.1 == source.text(index);
    let inside = source.file.starts_with("agent/src/broker/") && !source.file.starts_with(STATE);
    PARTS.iter().find(is_it).filter(|_| inside)
}
