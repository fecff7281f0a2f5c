//! Which file uses which: arrows by import and by method call, and the circles that they make.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::methods::Methods;
use crate::workspace::{Target, Workspace};

/// One file uses another.
#[derive(Clone)]
pub(crate) struct Arrow {
    pub(crate) from: usize,
    pub(crate) line: usize,
    pub(crate) to: usize,
    /// How: `imports model::App`.
    pub(crate) how: String,
    /// Whether only a test does it.
    pub(crate) test: bool,
}

/// All arrows between files, in the order of files and lines. A `mod x;` is none, nor is a `pub use` of an item below that the file
/// itself does not use.
pub(crate) fn arrows<'a>(workspace: &Workspace<'a>, methods: &Methods<'_, 'a>) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for (from, paths) in workspace.paths.iter().enumerate() {
        let words: HashSet<_> = paths.words.iter().collect();
        let start = arrows.len();
        let mut lead = |line: usize, to: usize, how: String, test: bool| {
            if to != from {
                arrows.push(Arrow { from, line, to, how, test });
            }
        };
        for import in &paths.imports {
            let target = workspace.resolve(from, &import.within, &import.path);
            let hands_on = import.public && workspace.is_below(target.file, from) && !words.contains(&import.name);
            if !hands_on {
                let how = format!("imports {}", import.path.join("::"));
                for way in target.by_way_of.iter().chain([&target.file]) {
                    lead(import.line, *way, how.clone(), import.test);
                }
            }
        }
        for path in &paths.named {
            let target = workspace.resolve(from, &path.within, &path.names);
            let how = format!("names {}", path.names.join("::"));
            for way in target.by_way_of.iter().chain([&target.file]) {
                lead(path.line, *way, how.clone(), path.test);
            }
            if let Target { file, item: Some(item), part: Some(part), .. } = target
                && let Some(to) = methods.file((file, item), part)
            {
                lead(path.line, to, format!("calls {item}::{part}"), path.test);
            }
        }
        for call in methods.calls(from) {
            lead(call.line, call.to, format!("calls {}::{}", call.of, call.method), false);
        }
        arrows[start..].sort_by_key(|arrow| arrow.line);
    }
    arrows
}

/// Which files lead to which, and by which arrow.
type Onward<'g> = HashMap<usize, Vec<(usize, &'g Arrow)>>;

/// Circles of files, the shortest first. They have no arrow in common, and without their arrows there is no circle.
pub(crate) fn circles<'g>(arrows: &[&'g Arrow]) -> Vec<Vec<&'g Arrow>> {
    let mut onward = Onward::new();
    for arrow in arrows {
        let ways = onward.entry(arrow.from).or_default();
        if arrow.from != arrow.to && ways.iter().all(|(known, _)| *known != arrow.to) {
            ways.push((arrow.to, arrow));
        }
    }
    let mut nodes: Vec<_> = onward.keys().copied().collect();
    nodes.sort_unstable();
    let mut circles = Vec::new();
    loop {
        let through_each = nodes.iter().filter_map(|start| shortest(&onward, *start));
        let Some(circle) = through_each.min_by_key(Vec::len) else { return circles };
        for (from, to, _) in &circle {
            onward.get_mut(from).expect("the arrow was found there").retain(|(known, _)| known != to);
        }
        circles.push(circle.into_iter().map(|(_, _, arrow)| arrow).collect());
    }
}

/// The shortest way from a node back to it.
fn shortest<'g>(onward: &Onward<'g>, start: usize) -> Option<Vec<(usize, usize, &'g Arrow)>> {
    let mut reached = HashMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(from) = next.pop_front() {
        for (to, arrow) in onward.get(&from).into_iter().flatten() {
            if reached.contains_key(to) {
                continue;
            }
            reached.insert(*to, (from, *to, *arrow));
            if *to == start {
                let mut way = vec![reached[to]];
                while way[way.len() - 1].0 != start {
                    way.push(reached[&way[way.len() - 1].0]);
                }
                way.reverse();
                return Some(way);
            }
            next.push_back(*to);
        }
    }
    None
}
