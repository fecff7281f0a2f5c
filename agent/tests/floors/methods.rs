//! Which file a method call leads to, as far as the text tells.
//!
//! Only methods of `impl Type` blocks count: a call through a trait does not say which type answers it. `Type::method` leads where
//! the path says. In `x.method()`, the type of `x` is found like this:
//!
//! 1. `self` is the type of the `impl` block. A parameter, or a `let` with a type, is one of the types that are named there: of
//!    `&Arc<Broker>` it is `Broker`.
//! 2. A field has the type that its `struct` says, a call the type that its function returns, and a `let` that of its value. `clone`,
//!    `unwrap` and others that return what they are called on change nothing.
//! 3. A field or a result of something unknown has the type that all fields or functions of this name have.
//! 4. Anything else is the one type that has such a method, if the package has only one, it is imported or in the same room, and the
//!    types of the standard library have no such method.
//!
//! A call that could lead to two files does not count, nor does one that is not understood: a rule that fails without reason would
//! not be trusted. An import is always seen, and without one there is rarely a call.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::shapes::{Reader, Type};
use crate::workspace::{Target, Workspace};

type Types<'a> = HashSet<Type<'a>>;

/// Names that methods of the standard library's types have.
const ORDINARY: &str = "all any append as_bytes as_slice as_str chain clear cmp collect contains contains_key count drain end \
    entry eq exists extend fill finish flush fold header id insert into_iter is_empty is_none is_some join keys kill len lines map max \
    min name new next notify_one open parse path pop position push read remove replace reset retain rev run send set skip sort \
    spawn split start starts_with status sum swap take to_owned to_string trim truncate try_from unlock update values wait wait_for \
    write zip";
/// Names of methods that return what they are called on, or what is in it.
const TRANSPARENT: &str = "as_deref as_deref_mut as_mut as_ref borrow clone cloned copied expect filter find first get get_mut iter \
    iter_mut last lock ok ok_or ok_or_else unwrap unwrap_or_default unwrap_or_else";

fn has(names: &str, name: &str) -> bool {
    names.split_whitespace().any(|known| known == name)
}

/// What the sources say of all types.
pub(crate) struct Methods<'w, 'a> {
    workspace: &'w Workspace<'a>,
    /// The files that have the methods of a type.
    files: HashMap<(Type<'a>, &'a str), Vec<usize>>,
    /// The types that have a method of a name.
    owners: HashMap<&'a str, Types<'a>>,
    /// The types of a type's fields, and of all fields of a name.
    fields: HashMap<(Type<'a>, &'a str), Types<'a>>,
    named_fields: HashMap<&'a str, Types<'a>>,
    /// The types that a type's methods return, or a file's functions; and all functions of a name.
    results: HashMap<(Type<'a>, &'a str), Types<'a>>,
    named_results: HashMap<&'a str, Types<'a>>,
}

/// A call that leads to another file.
pub(crate) struct Call<'a> {
    pub(crate) line: usize,
    pub(crate) of: &'a str,
    pub(crate) method: &'a str,
    pub(crate) to: usize,
}

impl<'w, 'a> Methods<'w, 'a> {
    pub(crate) fn of(workspace: &'w Workspace<'a>) -> Self {
        let mut methods = Self {
            workspace,
            files: HashMap::new(),
            owners: HashMap::new(),
            fields: HashMap::new(),
            named_fields: HashMap::new(),
            results: HashMap::new(),
            named_results: HashMap::new(),
        };
        for file in 0..workspace.sources.len() {
            methods.collect(&Reader { workspace, file });
        }
        methods
    }

    fn collect(&mut self, reader: &Reader<'_, 'a>) {
        let source = reader.source();
        let blocks = reader.blocks();
        for index in (0..source.tokens.len()).filter(|index| !source.tokens[*index].test) {
            let name = source.text(index + 1);
            match source.text(index) {
                "fn" if source.is_name(index + 1) => {
                    let own = blocks.iter().find(|block| block.body.contains(&index)).map(|block| block.of);
                    let results = reader.types(reader.signature(index).result, own);
                    self.named_results.entry(name).or_default().extend(&results);
                    self.results.entry((own.unwrap_or((reader.file, "")), name)).or_default().extend(results);
                }
                "struct" => {
                    let own = (reader.file, name);
                    for (field, kind) in reader.fields(index) {
                        let types = reader.types(kind, Some(own));
                        self.named_fields.entry(field).or_default().extend(&types);
                        self.fields.entry((own, field)).or_default().extend(types);
                    }
                }
                _ => {}
            }
        }
        for block in blocks.into_iter().filter(|block| block.inherent) {
            for index in reader.methods_in(&block.body) {
                let name = source.text(index + 1);
                let files = self.files.entry((block.of, name)).or_default();
                if !files.contains(&reader.file) {
                    files.push(reader.file);
                }
                self.owners.entry(name).or_default().insert(block.of);
            }
        }
    }

    /// The one file that has a type's method.
    pub(crate) fn file(&self, of: Type<'a>, method: &str) -> Option<usize> {
        match self.files.get(&(of, method)).map(Vec::as_slice) {
            Some([file]) => Some(*file),
            _ => None,
        }
    }

    /// All calls `x.method()` in a file that lead to other files.
    pub(crate) fn calls(&self, file: usize) -> Vec<Call<'a>> {
        let reader = Reader { workspace: self.workspace, file };
        let source = reader.source();
        let scope = Scope::of(self, &reader);
        let mut calls = Vec::new();
        for index in 1..source.tokens.len() {
            let called = source.text(index) == "." && matches!(source.text(index + 2), "(" | "::");
            if !called || !source.is_name(index + 1) || source.tokens[index].test {
                continue;
            }
            let method = source.text(index + 1);
            let possible = match scope.types(index - 1) {
                Some(known) => known.into_iter().filter(|of| self.files.contains_key(&(*of, method))).collect(),
                None => self.only_owner(file, method),
            };
            let mut leads: Vec<_> = possible.iter().flat_map(|of| &self.files[&(*of, method)]).copied().collect();
            leads.sort_unstable();
            leads.dedup();
            if let [to] = leads[..]
                && let Some(of) = possible.iter().map(|(_, name)| *name).min()
                && to != file
            {
                calls.push(Call { line: source.tokens[index].line, of, method, to });
            }
        }
        calls
    }

    /// The one type of the package that has a method, if the name alone is enough.
    fn only_owner(&self, file: usize, method: &str) -> Types<'a> {
        let package = |of: &&Type<'a>| self.workspace.package(of.0) == self.workspace.package(file);
        let owners: Types<'a> = self.owners.get(method).into_iter().flatten().filter(package).copied().collect();
        let known = |of: &Type<'a>| {
            let imported = self.workspace.paths[file].imports.iter().any(|import| import.name == of.1);
            imported || self.workspace.room(of.0) == self.workspace.room(file)
        };
        let clear =
            owners.len() == 1 && owners.iter().all(known) && !has(ORDINARY, method) && !has(TRANSPARENT, method);
        if clear { owners } else { Types::new() }
    }
}

/// What the names in a file's functions stand for.
struct Scope<'m, 'w, 'a> {
    methods: &'m Methods<'w, 'a>,
    reader: &'m Reader<'w, 'a>,
    impls: Vec<(Range<usize>, Type<'a>)>,
    functions: Vec<(Range<usize>, HashMap<&'a str, Types<'a>>)>,
}

impl<'m, 'w, 'a> Scope<'m, 'w, 'a> {
    fn of(methods: &'m Methods<'w, 'a>, reader: &'m Reader<'w, 'a>) -> Self {
        let source = reader.source();
        let impls: Vec<_> = reader.blocks().into_iter().map(|block| (block.body, block.of)).collect();
        let mut scope = Self { methods, reader, impls, functions: Vec::new() };
        let starts = |index: &usize| source.text(*index) == "fn" && source.is_name(index + 1);
        for start in (0..source.tokens.len()).filter(starts) {
            let own = scope.own_type(start);
            let signature = reader.signature(start);
            let mut variables: HashMap<_, Types<'a>> = HashMap::new();
            for (name, kind) in reader.typed(signature.parameters) {
                variables.entry(name).or_default().extend(reader.types(kind, own));
            }
            for index in signature.body.clone().filter(|index| source.text(*index) == "|") {
                let length = (index + 1..signature.body.end).take(40).position(|index| source.text(index) == "|");
                for (name, kind) in reader.typed(index + 1..index + 1 + length.unwrap_or(0)) {
                    variables.entry(name).or_default().extend(reader.types(kind, own));
                }
            }
            scope.functions.push((signature.body.clone(), variables));
            for index in signature.body.filter(|index| source.text(*index) == "let") {
                if let Some((name, types)) = scope.variable(index, own) {
                    let (_, variables) = scope.functions.last_mut().expect("it was just put there");
                    variables.entry(name).or_default().extend(types);
                }
            }
        }
        scope
    }

    /// The variable that a `let` here names, and its type: `let name: Type`, `let name = call()`, `if let Some(name) = call()`.
    fn variable(&self, start: usize, own: Option<Type<'a>>) -> Option<(&'a str, Types<'a>)> {
        let source = self.reader.source();
        let mut name = start + 1 + usize::from(source.text(start + 1) == "mut");
        let mut next = name + 1;
        if matches!(source.text(name), "Some" | "Ok") && source.text(name + 1) == "(" && source.text(name + 3) == ")" {
            (name, next) = (name + 2, name + 4);
        }
        let ends = |index: usize, with: &str| match source.text(index) {
            "&" => source.text(index + 1) == "&",
            text => ["", ";", "else", "{", with].contains(&text),
        };
        let until = |with: &str| {
            let mut index = next + 1;
            while !ends(index, with) {
                index = source.end_of_group(index).max(index + 1);
            }
            index
        };
        match source.text(next) {
            ":" => Some((source.text(name), self.reader.types(next + 1..until("="), own))),
            "=" => Some((source.text(name), self.types(until("") - 1)?)),
            _ => None,
        }
    }

    fn own_type(&self, index: usize) -> Option<Type<'a>> {
        self.impls.iter().find(|(body, _)| body.contains(&index)).map(|(_, own)| *own)
    }

    /// The type of the expression that ends here: one of some types, none of ours, or unknown.
    fn types(&self, end: usize) -> Option<Types<'a>> {
        let source = self.reader.source();
        let before = |index: usize| index.checked_sub(1).map_or("", |index| source.text(index));
        match source.text(end) {
            "?" => self.types(end - 1),
            "await" if before(end) == "." => self.types(end - 2),
            "]" => self.types(source.start_of_group(end).checked_sub(1)?),
            ")" => self.result(source.start_of_group(end).checked_sub(1)?, end),
            // In a trait it is any type that has the trait.
            "self" if before(end) != "." => Some(self.own_type(end).into_iter().collect()),
            field if before(end) == "." => match self.types(end - 2) {
                Some(known) => union(&self.methods.fields, &known, field),
                None => self.methods.named_fields.get(field).cloned(),
            },
            name if source.is_name(end) && before(end) != "::" => {
                let around = self.functions.iter().rev().filter(|(body, _)| body.contains(&end));
                around.into_iter().find_map(|(_, variables)| variables.get(name).cloned())
            }
            _ => None,
        }
    }

    /// What a function returns: its name in a call is at `called`, and the arguments end at `end`.
    fn result(&self, called: usize, end: usize) -> Option<Types<'a>> {
        let source = self.reader.source();
        let name = source.text(called);
        let before = called.checked_sub(1).map_or("", |index| source.text(index));
        if !source.is_name(called) {
            return None;
        }
        if before == "." {
            return match self.types(called - 2) {
                Some(known) => {
                    let same = || has(TRANSPARENT, name).then(|| known.clone());
                    union(&self.methods.results, &known, name).or_else(same)
                }
                None if has(ORDINARY, name) || has(TRANSPARENT, name) => None,
                None => self.methods.named_results.get(name).cloned(),
            };
        }
        let mut start = called;
        while start >= 2 && source.text(start - 1) == "::" && source.is_name(start - 2) {
            start -= 2;
        }
        let mut names: Vec<_> = (start..=called).step_by(2).map(|index| source.text(index)).collect();
        let own = self.own_type(called);
        if let (["Self", method], Some(own)) = (&names[..], own) {
            return self.methods.results.get(&(own, *method)).cloned();
        }
        if matches!(names[..], ["Arc", "clone" | "new"] | ["Box", "new"] | ["Some" | "Ok"]) {
            return self.types(end - 1);
        }
        if names.len() == 1 {
            names.insert(0, "self");
        }
        let within = &source.tokens[called].within;
        let owner = match self.methods.workspace.resolve(self.reader.file, within, &names) {
            Target { file, item: Some(item), part: Some(_), .. } => (file, item),
            Target { file, .. } => (file, ""),
        };
        self.methods.results.get(&(owner, name)).cloned()
    }
}

/// The type of something that one of these types has; `None` if none of them has it.
fn union<'a>(all: &HashMap<(Type<'a>, &'a str), Types<'a>>, of: &Types<'a>, name: &'a str) -> Option<Types<'a>> {
    let mut known = of.iter().filter_map(|of| all.get(&(*of, name))).peekable();
    known.peek()?;
    Some(known.flatten().copied().collect())
}
