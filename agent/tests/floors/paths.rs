//! The paths in a source: those that it brings in with `use`, and those in its code.

use crate::source::Source;

/// A name that `use` brings in.
pub(crate) struct Import<'a> {
    pub(crate) line: usize,
    /// As it is written, without groups.
    pub(crate) path: Vec<&'a str>,
    /// Its name here; `*` for everything in a module.
    pub(crate) name: &'a str,
    /// Whether other files may take it from here.
    pub(crate) public: bool,
    pub(crate) within: Vec<&'a str>,
    pub(crate) test: bool,
}

/// A path in the code: two names or more with `::` between them. That of `pub(in path)` is none: it only says what may see an item.
pub(crate) struct Path<'a> {
    pub(crate) line: usize,
    pub(crate) names: Vec<&'a str>,
    pub(crate) within: Vec<&'a str>,
    pub(crate) test: bool,
}

/// All paths of a source.
pub(crate) struct Paths<'a> {
    pub(crate) imports: Vec<Import<'a>>,
    pub(crate) named: Vec<Path<'a>>,
    /// The names in the code that stand alone or begin a path, without those in `use`.
    pub(crate) words: Vec<&'a str>,
}

impl<'a> Paths<'a> {
    pub(crate) fn of(source: &Source<'a>) -> Self {
        let mut paths = Self { imports: Vec::new(), named: Vec::new(), words: Vec::new() };
        let mut index = 0;
        while index < source.tokens.len() {
            if source.text(index) == "use" && matches!(before(source, index), "" | ";" | "}" | "{" | "]" | ")" | "pub")
            {
                let public = matches!(before(source, index), ")" | "pub");
                index = paths.import(source, index + 1, &[], public);
                continue;
            }
            if source.is_name(index) && before(source, index) != "::" {
                let names = path_at(source, index);
                if !source.tokens[index].test {
                    paths.words.push(names[0]);
                }
                if names.len() > 1 && before(source, index) != "in" {
                    let token = &source.tokens[index];
                    let (line, within, test) = (token.line, token.within.clone(), token.test);
                    paths.named.push(Path { line, names, within, test });
                }
            }
            index += 1;
        }
        paths
    }

    /// Reads one branch of a `use`, and says where it ends.
    fn import(&mut self, source: &Source<'a>, start: usize, stem: &[&'a str], public: bool) -> usize {
        let (mut path, mut index) = (stem.to_vec(), start);
        loop {
            match source.text(index) {
                "::" => index += 1,
                "{" => {
                    index += 1;
                    while !matches!(source.text(index), "}" | "") {
                        index = self.import(source, index, &path, public);
                        index += usize::from(source.text(index) == ",");
                    }
                    return index + 1;
                }
                "" => return index,
                name => {
                    index += 1;
                    if name != "self" || path.is_empty() {
                        path.push(name);
                    }
                    if source.text(index) == "::" {
                        continue;
                    }
                    let renamed = source.text(index) == "as";
                    let name = if renamed { source.text(index + 1) } else { path.last().copied().unwrap_or(name) };
                    if name == "*" {
                        path.pop();
                    }
                    let token = &source.tokens[start];
                    let (line, within, test) = (token.line, token.within.clone(), token.test);
                    self.imports.push(Import { line, path, name, public, within, test });
                    return index + 2 * usize::from(renamed);
                }
            }
        }
    }
}

fn before<'a>(source: &Source<'a>, index: usize) -> &'a str {
    index.checked_sub(1).map_or("", |index| source.text(index))
}

/// The names of the path that begins here.
pub(crate) fn path_at<'a>(source: &Source<'a>, start: usize) -> Vec<&'a str> {
    let (mut names, mut index) = (vec![source.text(start)], start);
    while source.text(index + 1) == "::" && source.is_name(index + 2) {
        index += 2;
        names.push(source.text(index));
    }
    names
}
