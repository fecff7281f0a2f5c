//! What the rules check: the sources of all programs, and which file uses which.

use std::fs;
use std::path::Path;

use crate::graph::{Arrow, arrows};
use crate::methods::Methods;
use crate::source::Source;
use crate::workspace::{PACKAGES, Workspace};

/// A rule and how to find what breaks it.
pub(crate) struct Rule {
    pub(crate) text: &'static str,
    pub(crate) breaches: fn(&House<'_>) -> Vec<Breach>,
}

/// The line that breaks a rule, and how. Line 0 is a folder.
#[derive(Debug)]
pub(crate) struct Breach {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) what: String,
}

impl Breach {
    pub(crate) fn of(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, what: what.into() }
    }

    pub(crate) fn new(house: &House<'_>, file: usize, line: usize, what: impl Into<String>) -> Self {
        Self::of(house.workspace.sources[file].file, line, what)
    }
}

/// The sources, read and connected.
pub(crate) struct House<'a> {
    pub(crate) workspace: Workspace<'a>,
    pub(crate) arrows: Vec<Arrow>,
}

impl<'a> House<'a> {
    pub(crate) fn new(sources: &'a [(String, String)]) -> Self {
        let workspace = Workspace::new(sources);
        let arrows = arrows(&workspace, &Methods::of(&workspace));
        Self { workspace, arrows }
    }

    /// The breaches that each source makes by itself.
    pub(crate) fn each(&self, breaches: impl Fn(&Source<'a>) -> Vec<(usize, String)>) -> Vec<Breach> {
        let of = |source: &Source<'a>| {
            let found = breaches(source).into_iter();
            found.map(|(line, what)| Breach::of(source.file, line, what)).collect::<Vec<_>>()
        };
        self.workspace.sources.iter().flat_map(of).collect()
    }
}

/// All sources of the programs: path from the workspace's root, and text.
pub(crate) fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a workspace");
    let packages = PACKAGES.iter().map(|(package, _)| root.join(package).join("src"));
    let mut directories: Vec<_> = packages.filter(|path| path.is_dir()).collect();
    let mut sources = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("the sources are beside the tests") {
            let path = entry.expect("the sources can be listed").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(root).expect("it is below the root").to_string_lossy().replace('\\', "/");
                sources.push((file, fs::read_to_string(path).expect("a source is text")));
            }
        }
    }
    assert!(sources.len() > 50, "only {} sources were found", sources.len());
    sources.sort();
    sources
}
