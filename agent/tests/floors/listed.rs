//! A check of the rules' own lists: each entry is still needed.

use crate::places::{Deed, EXPOSING, OWNED, Places, READING, SPAWNING, exposes, reads_environment, starts_task};
use crate::rooms::{HALLS, LENT};
use crate::source::Source;
use crate::state_parts::{PARTS, part};
use crate::structure::{loans, room};
use crate::{HOUSE, SOURCES};

#[test]
fn no_place_is_listed_in_vain() {
    let sources = &HOUSE.workspace.sources;
    let somewhere = |place: &str, done: &dyn Fn(&Source<'_>, usize) -> bool| {
        let mut there = sources.iter().filter(|source| source.file.starts_with(place));
        there.any(|source| (0..source.tokens.len()).any(|index| done(source, index)))
    };
    let mut vain = Vec::new();
    let deeds: [(Places, Deed); 3] = [(EXPOSING, exposes), (READING, reads_environment), (SPAWNING, starts_task)];
    for (places, done) in deeds {
        for (place, reason) in places.iter().filter(|(place, _)| !somewhere(place, &done)) {
            vain.push(format!("{place} is listed, because it {reason}, and does not"));
        }
    }
    for (krate, owners) in OWNED {
        let uses = |source: &Source<'_>, index: usize| source.is_path_root(index, krate);
        for owner in owners.iter().filter(|owner| !somewhere(owner, &uses)) {
            vain.push(format!("{owner} owns {krate} and does not use it"));
        }
    }
    for (name, _, rooms) in PARTS {
        let touches = |source: &Source<'_>, index: usize| part(source, index).is_some_and(|(found, ..)| found == name);
        for room in rooms.iter().filter(|room| !somewhere(room, &touches)) {
            vain.push(format!("{room} may touch {name} of the state, and does not"));
        }
    }
    for hall in HALLS {
        for (_, name, _) in hall.rooms {
            if !SOURCES.iter().any(|(file, _)| room(hall, file) == Some(name)) {
                vain.push(format!("{name} has a floor in {} and is not there", hall.root));
            }
        }
    }
    for (lent, reason) in LENT {
        if !loans(&HOUSE).iter().any(|(_, file)| file.starts_with(lent)) {
            vain.push(format!("the command line may use {lent}, because {reason}, and does not"));
        }
    }
    assert!(vain.is_empty(), "\n{}", vain.join("\n"));
}
