//! What a source says of its types: `impl` blocks, functions with their parameters and results, and fields.

use std::collections::HashSet;
use std::ops::Range;

use crate::paths::path_at;
use crate::source::Source;
use crate::workspace::Workspace;

/// A type: the file that defines it, and its name.
pub(crate) type Type<'a> = (usize, &'a str);

/// An `impl` block.
pub(crate) struct Block<'a> {
    pub(crate) of: Type<'a>,
    pub(crate) inherent: bool,
    pub(crate) body: Range<usize>,
}

/// The parts of a function.
pub(crate) struct Signature {
    pub(crate) parameters: Range<usize>,
    pub(crate) result: Range<usize>,
    pub(crate) body: Range<usize>,
}

/// Reads what a file says of types.
pub(crate) struct Reader<'w, 'a> {
    pub(crate) workspace: &'w Workspace<'a>,
    pub(crate) file: usize,
}

impl<'w, 'a> Reader<'w, 'a> {
    pub(crate) fn source(&self) -> &'w Source<'a> {
        &self.workspace.sources[self.file]
    }

    /// The `impl` blocks that are not for tests.
    pub(crate) fn blocks(&self) -> Vec<Block<'a>> {
        let source = self.source();
        let starts = |index: &usize| {
            let before = index.checked_sub(1).map_or("", |index| source.text(index));
            source.text(*index) == "impl" && !source.tokens[*index].test && matches!(before, "" | "}" | ";" | "{" | "]")
        };
        (0..source.tokens.len()).filter(starts).filter_map(|start| self.block(start)).collect()
    }

    fn block(&self, start: usize) -> Option<Block<'a>> {
        let source = self.source();
        let (mut index, mut inherent, mut of) = (self.end_of_generics(start + 1), true, None);
        loop {
            match source.text(index) {
                "{" => break,
                "" => return None,
                "for" => {
                    inherent = false;
                    of = None;
                    index += 1;
                }
                "where" => {
                    while !matches!(source.text(index), "{" | "") {
                        index += 1;
                    }
                }
                "<" => index = self.end_of_generics(index),
                _ if of.is_none() && source.is_name(index) && !matches!(source.text(index), "dyn" | "mut") => {
                    let names = path_at(source, index);
                    index += 2 * names.len() - 1;
                    of = self.kind(&names, index);
                }
                _ => index += 1,
            }
        }
        Some(Block { of: of?, inherent, body: index + 1..source.end_of_group(index) - 1 })
    }

    /// The index after the `>` that closes the `<` here; this index, if there is none.
    fn end_of_generics(&self, start: usize) -> usize {
        let source = self.source();
        let mut depth = 0;
        for index in start..source.tokens.len() {
            match source.text(index) {
                "<" => depth += 1,
                ">" if source.text(index - 1) != "-" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return index + usize::from(index > start);
            }
        }
        source.tokens.len()
    }

    /// The functions directly in a block, each at its `fn`.
    pub(crate) fn methods_in(&self, body: &Range<usize>) -> Vec<usize> {
        let source = self.source();
        let (mut index, mut methods) = (body.start, Vec::new());
        while index < body.end {
            match source.text(index) {
                "fn" if !source.tokens[index].test => {
                    methods.push(index);
                    index += 1;
                }
                "{" | "(" | "[" => index = source.end_of_group(index),
                _ => index += 1,
            }
        }
        methods
    }

    /// The parts of the function here.
    pub(crate) fn signature(&self, start: usize) -> Signature {
        let source = self.source();
        let open = self.end_of_generics(start + 2);
        let close = source.end_of_group(open);
        let mut end = close;
        while !matches!(source.text(end), "{" | ";" | "where" | "") {
            end += 1;
        }
        let mut body = end;
        while !matches!(source.text(body), "{" | ";" | "") {
            body += 1;
        }
        Signature { parameters: open + 1..close - 1, result: close..end, body: body..source.end_of_group(body) }
    }

    /// The fields of the `struct` here, each with its type.
    pub(crate) fn fields(&self, start: usize) -> Vec<(&'a str, Range<usize>)> {
        let source = self.source();
        let mut open = self.end_of_generics(start + 2);
        while !matches!(source.text(open), "{" | ";" | "(" | "") {
            open += 1;
        }
        match source.text(open) {
            "{" => self.typed(open + 1..source.end_of_group(open) - 1),
            "(" => {
                let parts = self.parts(open + 1..source.end_of_group(open) - 1);
                ["0", "1", "2", "3"].into_iter().zip(parts).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The `name: Type` pairs between commas.
    pub(crate) fn typed(&self, range: Range<usize>) -> Vec<(&'a str, Range<usize>)> {
        let source = self.source();
        let typed = |part: Range<usize>| {
            let colon = part.clone().find(|index| source.text(*index) == ":")?;
            source.is_name(colon - 1).then(|| (source.text(colon - 1), colon + 1..part.end))
        };
        self.parts(range).into_iter().filter_map(typed).collect()
    }

    /// The ranges between commas.
    fn parts(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let source = self.source();
        let (mut parts, mut start, mut index) = (Vec::new(), range.start, range.start);
        while index < range.end {
            match source.text(index) {
                "," => {
                    parts.push(start..index);
                    index += 1;
                    start = index;
                }
                "<" => index = self.end_of_generics(index),
                "(" | "[" | "{" => index = source.end_of_group(index),
                _ => index += 1,
            }
        }
        parts.push(start..range.end.max(start));
        parts
    }

    /// The types that are named in a range.
    pub(crate) fn types(&self, range: Range<usize>, own: Option<Type<'a>>) -> HashSet<Type<'a>> {
        let source = self.source();
        let mut types = HashSet::new();
        for index in range.clone().filter(|index| source.is_name(*index)) {
            let inner = index > range.start && source.text(index - 1) == "::";
            match path_at(source, index)[..] {
                ["Self"] => types.extend(own),
                _ if inner => {}
                ref names => types.extend(self.kind(names, index)),
            }
        }
        types
    }

    /// The type that a path means.
    fn kind(&self, names: &[&'a str], index: usize) -> Option<Type<'a>> {
        let within = self.source().tokens.get(index).map_or(&[][..], |token| &token.within);
        let target = self.workspace.resolve(self.file, within, names);
        target.item.map(|item| (target.file, item))
    }
}
