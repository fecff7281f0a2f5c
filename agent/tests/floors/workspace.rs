//! The sources of all packages, and which file a path leads to.

use std::collections::HashMap;

use crate::paths::{Import, Paths};
use crate::source::Source;

/// The packages, and the names by which other packages import them.
pub(crate) const PACKAGES: &[(&str, &str)] = &[
    ("protocol", "ghapp_protocol"),
    ("helper", "git_credential_ghapp"),
    ("agent", "ghapp_agent"),
    ("cli", "ghapp"),
    ("gateway", "ghapp_gateway"),
];

/// All sources, and the modules that they make.
pub(crate) struct Workspace<'a> {
    pub(crate) sources: Vec<Source<'a>>,
    pub(crate) paths: Vec<Paths<'a>>,
    /// The file of each module. Its path begins with the package.
    files: HashMap<Vec<&'a str>, usize>,
    modules: Vec<Vec<&'a str>>,
}

/// Where a path leads.
pub(crate) struct Target<'a> {
    pub(crate) file: usize,
    /// The item in that file; empty if the file itself is meant.
    pub(crate) item: Option<&'a str>,
    /// The part of the item, if one is meant.
    pub(crate) part: Option<&'a str>,
    /// Files of other rooms that re-export it on the way.
    pub(crate) by_way_of: Vec<usize>,
}

impl<'a> Workspace<'a> {
    pub(crate) fn new(sources: &'a [(String, String)]) -> Self {
        let mut sources: Vec<_> = sources.iter().map(|(file, code)| Source::new(file, code)).collect();
        let has_library = |package: &str| sources.iter().any(|source| source.file == format!("{package}/src/lib.rs"));
        let modules: Vec<Vec<_>> = sources.iter().map(|source| module(source.file, &has_library)).collect();
        let files: HashMap<Vec<_>, _> =
            modules.iter().enumerate().map(|(file, module)| (module.clone(), file)).collect();
        for file in 0..sources.len() {
            let parent = modules[file].split_last().and_then(|(name, parent)| Some((*name, files.get(parent)?)));
            if parent.is_some_and(|(name, parent): (_, &usize)| sources[*parent].is_only_for_tests(name)) {
                sources[file].tokens.iter_mut().for_each(|token| token.test = true);
            }
        }
        let paths = sources.iter().map(Paths::of).collect();
        Self { sources, paths, files, modules }
    }

    /// Where a path leads that is written in a file, in the module `within` it. A path to no package of ours leads to the file itself.
    pub(crate) fn resolve(&self, file: usize, within: &[&'a str], path: &[&'a str]) -> Target<'a> {
        let mut from = self.modules[file].clone();
        from.extend(within);
        let mut by_way_of = Vec::new();
        let here = (file, path.first().copied(), path.get(1).copied());
        let (end, item, part) = self.walk(from, path, 8, &mut by_way_of).unwrap_or(here);
        by_way_of.retain(|way| {
            let (way, end) = (&self.modules[*way], &self.modules[end]);
            !end.starts_with(way) && !self.modules[file].starts_with(way)
        });
        Target { file: end, item, part, by_way_of }
    }

    /// Follows a path through modules and re-exports: the file, the item and its part. `None` for a package that is not there.
    fn walk(
        &self,
        mut module: Vec<&'a str>,
        path: &[&'a str],
        hops: u8,
        by_way_of: &mut Vec<usize>,
    ) -> Option<(usize, Option<&'a str>, Option<&'a str>)> {
        let mut rest = path;
        match path.first() {
            Some(&"crate") => {
                module.truncate(1);
                rest = &path[1..];
            }
            Some(&"self") => rest = &path[1..],
            Some(&"super") => {
                let above = path.iter().take_while(|name| **name == "super").count();
                module.truncate(module.len().saturating_sub(above).max(1));
                rest = &path[above..];
            }
            Some(name) => {
                if let Some((package, _)) = PACKAGES.iter().find(|(_, krate)| krate == name)
                    && self.files.contains_key(&vec![*package])
                {
                    module = vec![package];
                    rest = &path[1..];
                }
            }
            None => {}
        }
        while let Some(name) = rest.first() {
            let mut child = module.clone();
            child.push(name);
            if self.files.contains_key(&child) {
                (module, rest) = (child, &rest[1..]);
                continue;
            }
            let here = self.file_of(&module)?;
            let inner = &module[self.modules[here].len()..];
            let handed_on =
                |import: &&Import<'a>| import.name == *name && import.within == inner && import.path != [*name];
            if hops > 0
                && let Some(import) = self.paths[here].imports.iter().find(handed_on)
            {
                let onward: Vec<_> = import.path.iter().chain(&rest[1..]).copied().collect();
                by_way_of.push(here);
                return self.walk(module, &onward, hops - 1, by_way_of);
            }
            return Some((here, Some(name), rest.get(1).copied()));
        }
        Some((self.file_of(&module)?, None, None))
    }

    /// The file of a module, or the file that the module is written in.
    fn file_of(&self, module: &[&'a str]) -> Option<usize> {
        let known = |length: usize| self.files.get(&module[..length]).copied();
        (1..=module.len()).rev().find_map(known)
    }

    /// The package of a file.
    pub(crate) fn package(&self, file: usize) -> &'a str {
        self.sources[file].file.split('/').next().unwrap_or_default()
    }

    /// The room of the agent that a file is in; every other package is one room.
    pub(crate) fn room(&self, file: usize) -> &'a str {
        let path = self.sources[file].file;
        let inside = path.strip_prefix("agent/src/").unwrap_or("");
        let end = inside.find(['/', '.']).map_or(self.package(file).len(), |end| path.len() - inside.len() + end);
        &path[..end]
    }

    /// Whether a file is in the module that another file makes.
    pub(crate) fn is_below(&self, file: usize, other: usize) -> bool {
        self.modules[file].starts_with(&self.modules[other])
    }
}

/// Where a file is in the tree of modules. A program that stands beside a library is a root of its own.
fn module<'a>(file: &'a str, has_library: &dyn Fn(&str) -> bool) -> Vec<&'a str> {
    let (package, path) = file.split_once("/src/").unwrap_or(("", file));
    let path = path.strip_suffix(".rs").unwrap_or(path);
    if path == "lib" || (path == "main" && !has_library(package)) {
        return vec![package];
    }
    if path == "main" || path.starts_with("bin/") {
        return vec![file];
    }
    let path = path.strip_suffix("/mod").unwrap_or(path);
    [package].into_iter().chain(path.split('/')).collect()
}
