//! Reads Rust as far as the rules need it: names and signs, the module they are in, and the paths that they make.

/// A source file, and what is left of it without comments and string literals.
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) code: &'a str,
    pub(crate) tokens: Vec<Token<'a>>,
}

/// A name or a sign.
pub(crate) struct Token<'a> {
    pub(crate) line: usize,
    text: &'a str,
    /// The modules of the file that the token is in, outermost first.
    pub(crate) within: Vec<&'a str>,
    /// Whether only tests compile it.
    pub(crate) test: bool,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &'a str, code: &'a str) -> Self {
        let mut source = Self { file, code, tokens: tokens(code) };
        let (mut depth, mut open) = (0, Vec::<(&str, usize)>::new());
        for index in 0..source.tokens.len() {
            match source.text(index) {
                "mod" if source.text(index + 2) == "{" => open.push((source.text(index + 1), depth)),
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    open.pop_if(|(_, outside)| *outside == depth);
                }
                _ => {}
            }
            let within: Vec<_> = open.iter().map(|(name, _)| *name).collect();
            source.tokens[index].test |= within.contains(&"tests");
            source.tokens[index].within = within;
            if source.text(index) == "#" && source.is_for_tests(index) {
                let end = source.end_of_item(source.end_of_group(index + 1));
                source.tokens[index..end].iter_mut().for_each(|token| token.test = true);
            }
        }
        source
    }

    /// Whether an attribute begins here by which only tests compile an item.
    fn is_for_tests(&self, index: usize) -> bool {
        let names: Vec<_> = (index + 1..self.end_of_group(index + 1)).map(|index| self.text(index)).collect();
        names.get(1) == Some(&"cfg") && names.contains(&"test") && !names.contains(&"not") && !names.contains(&"any")
    }

    /// Whether only tests compile a module that is a file of its own.
    pub(crate) fn is_only_for_tests(&self, module: &str) -> bool {
        let declared = |index: &usize| self.text(*index) == "mod" && self.text(index + 1) == module;
        let mut declared = (0..self.tokens.len()).filter(declared).peekable();
        declared.peek().is_some() && declared.all(|index| self.tokens[index].test)
    }

    /// The index after the bracket that closes the one here; this index, if there is none.
    pub(crate) fn end_of_group(&self, start: usize) -> usize {
        let mut depth = 0;
        for index in start..self.tokens.len() {
            match self.text(index) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth <= 0 {
                return index + usize::from(index > start);
            }
        }
        self.tokens.len()
    }

    /// The bracket that the one here closes.
    pub(crate) fn start_of_group(&self, end: usize) -> usize {
        let mut depth = 0;
        for index in (0..=end).rev() {
            match self.text(index) {
                ")" | "]" | "}" => depth += 1,
                "(" | "[" | "{" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return index;
            }
        }
        0
    }

    /// The end of the item that begins here.
    fn end_of_item(&self, start: usize) -> usize {
        let mut index = start;
        while index < self.tokens.len() {
            match self.text(index) {
                ";" => return index + 1,
                "{" if self.text(index.wrapping_sub(1)) != "::" => return self.end_of_group(index),
                "(" | "[" | "{" => index = self.end_of_group(index),
                _ => index += 1,
            }
        }
        index
    }

    /// Whether a token is a name; keywords are names, too.
    pub(crate) fn is_name(&self, index: usize) -> bool {
        self.text(index).starts_with(|first: char| first.is_alphabetic() || first == '_')
    }

    /// The text of a token; empty outside the file.
    pub(crate) fn text(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |token| token.text)
    }

    /// The names after `::`: one, or those of a group.
    pub(crate) fn group(&self, start: usize) -> Vec<&'a str> {
        if self.text(start) != "{" {
            return vec![self.text(start)];
        }
        let (mut depth, mut names, mut first) = (1, Vec::new(), true);
        for token in &self.tokens[start + 1..] {
            match token.text {
                "{" => depth += 1,
                "}" => depth -= 1,
                "," if depth == 1 => first = true,
                name if depth == 1 && std::mem::take(&mut first) => names.push(name),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        names
    }

    /// Whether a path begins here with the name of a crate.
    pub(crate) fn is_path_root(&self, index: usize, krate: &str) -> bool {
        let inner =
            self.text(index.wrapping_sub(1)) == "::" && !matches!(self.text(index.wrapping_sub(2)), "" | "use" | "(");
        self.text(index) == krate
            && !inner
            && (self.text(index + 1) == "::" || self.text(index.wrapping_sub(1)) == "use")
    }
}

/// Cuts Rust into names and signs, leaving out comments, strings and characters.
fn tokens(code: &str) -> Vec<Token<'_>> {
    let (mut tokens, mut rest, mut line) = (Vec::new(), code, 1);
    while let Some(first) = rest.chars().next() {
        let name = rest.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(rest.len());
        let hashes = rest[name..].len() - rest[name..].trim_start_matches('#').len();
        let raw = matches!(&rest[..name], "r" | "br" | "cr") && rest[name + hashes..].starts_with('"');
        let (length, kept) = if raw {
            let (start, end) = (name + hashes + 1, format!("\"{}", "#".repeat(hashes)));
            (rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len()), false)
        } else if name > 0 {
            (name, true)
        } else if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |at| at + 2), false)
        } else if first == '"' {
            (1 + quoted(&rest[1..], '"'), false)
        } else if first == '\'' && (rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'')) {
            (1 + quoted(&rest[1..], '\''), false)
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        if kept {
            tokens.push(Token { line, text: &rest[..length], within: Vec::new(), test: false });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of a string up to and with its closing quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if char == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}
