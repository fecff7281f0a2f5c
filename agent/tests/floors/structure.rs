//! The rules of structure: circles, floors, what the command line may use, and how large folders and `Broker` may get.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Arrow, circles};
use crate::house::{Breach, House, Rule};
use crate::rooms::{HALLS, Hall, LENT};
use crate::shapes::Reader;
use crate::source::Source;

pub(crate) const CIRCLES: Rule = Rule {
    text: "No file uses, over however many others, a file that uses it; calls of methods count (floors/methods.rs says which).",
    breaches: |house| {
        let counted: Vec<_> = house.arrows.iter().filter(|arrow| !arrow.test).collect();
        let found = circles(&counted);
        let ways: BTreeSet<_> = found.iter().map(|circle| (circle.len(), way(house, circle))).collect();
        ways.into_iter().map(|(_, (file, line, way))| Breach::new(house, file, line, way)).collect()
    },
};

/// The file and line where a circle begins, and the way around it: `imports b::B -> b.rs:2 calls A::a -> a.rs`.
fn way(house: &House<'_>, circle: &[&Arrow]) -> (usize, usize, String) {
    let file = |file: usize| house.workspace.sources[file].file;
    let step = |arrow: &&Arrow| format!("{}:{} {} -> ", file(arrow.from), arrow.line, arrow.how);
    let onward: String = circle[1..].iter().map(step).collect();
    let first = circle[0];
    (first.from, first.line, format!("{} -> {onward}{}", first.how, file(first.from)))
}

pub(crate) const FLOORS: Rule = Rule {
    text: "Rooms use only what stands below them, calls of methods included (the plan is in floors/rooms.rs). Of the agent's rooms, the \
           rules decide and do no I/O, the edges do I/O and decide nothing, and only the broker knows both.",
    breaches: |house| HALLS.iter().flat_map(|hall| climbing(house, hall)).collect(),
};

fn climbing(house: &House<'_>, hall: &Hall) -> Vec<Breach> {
    let rooms: Vec<_> = house.workspace.sources.iter().map(|source| room(hall, source.file)).collect();
    let floor = |room: &str| hall.rooms.iter().find(|(_, name, _)| *name == room).map(|(floor, ..)| *floor);
    let mut breaches = Vec::new();
    let mut homeless = BTreeSet::new();
    for (file, room) in rooms.iter().enumerate() {
        if let Some(room) = room.filter(|room| floor(room).is_none())
            && homeless.insert(room)
        {
            breaches.push(Breach::new(house, file, 1, format!("{room} has no floor; give it one in floors/rooms.rs")));
        }
    }
    let mut told = BTreeSet::new();
    for arrow in &house.arrows {
        let (Some(from), Some(to)) = (rooms[arrow.from], rooms[arrow.to]) else { continue };
        let (Some(above), Some(below)) = (floor(from), floor(to)) else { continue };
        let counted = !arrow.test || hall.counts_tests;
        if counted && from != to && below >= above && told.insert((arrow.from, arrow.line, to)) {
            let way = if below == above { "beside" } else { "up" };
            breaches.push(Breach::new(house, arrow.from, arrow.line, format!("{from} {}, {way} in {to}", arrow.how)));
        }
    }
    breaches
}

/// The room of a file in a hall.
pub(crate) fn room<'a>(hall: &Hall, file: &'a str) -> Option<&'a str> {
    let inside = file.strip_prefix(hall.root)?;
    inside.split('/').next()?.split('.').next()
}

pub(crate) const CONTRACT: Rule = Rule {
    text: "The command line uses of the agent only what its configuration and its model say (floors/rooms.rs has the list).",
    breaches: |house| {
        let mut breaches = Vec::new();
        let mut told = BTreeSet::new();
        for (arrow, file) in loans(house) {
            let lent = LENT.iter().any(|(lent, _)| file.starts_with(lent));
            if !lent && told.insert((arrow.from, arrow.line, file)) {
                let what = format!("{}, which is in the agent's {file}", arrow.how);
                breaches.push(Breach::new(house, arrow.from, arrow.line, what));
            }
        }
        breaches
    },
};

/// What the command line uses of the agent, each with the file below agent/src/ that has it.
pub(crate) fn loans<'h>(house: &'h House<'_>) -> Vec<(&'h Arrow, &'h str)> {
    let file = |file: usize| house.workspace.sources[file].file;
    let lent = |arrow: &'h Arrow| file(arrow.to).strip_prefix("agent/src/").map(|file| (arrow, file));
    house.arrows.iter().filter(|arrow| file(arrow.from).starts_with("cli/src/")).filter_map(lent).collect()
}

pub(crate) const FOLDERS: Rule = Rule {
    text: "A folder has at most 18 entries; with more, it lies flat, and rooms are missing.",
    breaches: |house| {
        const MOST: usize = 18;
        let mut folders: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for source in &house.workspace.sources {
            let mut path = source.file;
            while let Some((folder, entry)) = path.rsplit_once('/') {
                folders.entry(folder).or_default().insert(entry);
                path = folder;
            }
        }
        let large = folders.into_iter().filter(|(_, entries)| entries.len() > MOST);
        large.map(|(folder, entries)| Breach::of(folder, 0, format!("{} entries", entries.len()))).collect()
    },
};

pub(crate) const BROKER: Rule = Rule {
    text: "`Broker` has fewer than 40 methods: it holds its parts together, and they do the work.",
    breaches: |house| {
        const MOST: usize = 39;
        let mut counts = BTreeMap::new();
        for (file, source) in house.workspace.sources.iter().enumerate() {
            let reader = Reader { workspace: &house.workspace, file };
            let broker = reader.blocks().into_iter().filter(|block| block.inherent && block.of.1 == "Broker");
            let count: usize = broker.map(|block| reader.methods_in(&block.body).len()).sum();
            if let Some(file) = source.file.strip_prefix("agent/src/broker/").filter(|_| count > 0) {
                counts.insert(file, count);
            }
        }
        let all: usize = counts.values().sum();
        let each: Vec<_> = counts.iter().map(|(file, count)| format!("{file} {count}")).collect();
        let breach = || Breach::of("agent/src/broker", 0, format!("{all} methods: {}", each.join(", ")));
        (all > MOST).then(breach).into_iter().collect()
    },
};

/// The one file of the broker that takes decisions of the policy apart.
const CHOOSING: &str = "agent/src/broker/git/choose.rs";

pub(crate) const DECISIONS: Rule = Rule {
    text: "What a decision of the policy means is told apart once, in one file of the broker, so that all that ask mean the same.",
    breaches: |house| {
        house.each(|source| if source.file.starts_with("agent/src/broker/") { decisions(source) } else { vec![] })
    },
};

/// In the choosing file all matches but the first; elsewhere each mention.
fn decisions(source: &Source<'_>) -> Vec<(usize, String)> {
    let named = |index: &usize| !source.tokens[*index].test && source.text(*index) == "Decision";
    let found = (0..source.tokens.len()).filter(named);
    let lines =
        |indexes: &mut dyn Iterator<Item = usize>| indexes.map(|index| source.tokens[index].line).collect::<Vec<_>>();
    let strange = if source.file == CHOOSING {
        lines(&mut found.filter(|index| source.text(index + 2) == "Candidates").skip(1))
    } else {
        lines(&mut found.into_iter())
    };
    strange.into_iter().map(|line| (line, format!("`Decision` belongs to {CHOOSING}, once"))).collect()
}
