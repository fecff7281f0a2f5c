//! Reads Rust as far as the rules need it: names and signs, the module they are in, and the paths that they make.

/// A source file, and what is left of it without comments and texts.
pub(crate) struct Source<'a> {
    pub(crate) file: &'a str,
    pub(crate) code: &'a str,
    pub(crate) tokens: Vec<Token<'a>>,
}

/// A name or a sign.
pub(crate) struct Token<'a> {
    pub(crate) line: usize,
    text: &'a str,
    /// The modules within the file that it is in, outermost first.
    pub(crate) within: Vec<&'a str>,
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
            source.tokens[index].within = open.iter().map(|(name, _)| *name).collect();
        }
        source
    }

    /// The text of a token; nothing beyond the ends.
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

    /// Where this file is in the agent's tree of modules; nothing for other crates and for the root.
    pub(crate) fn module(&self) -> Option<Vec<String>> {
        let path = self.file.strip_prefix("agent/src/")?.strip_suffix(".rs")?;
        let path = path.strip_suffix("/mod").unwrap_or(path);
        (!matches!(path, "lib" | "main") && !path.starts_with("bin/"))
            .then(|| path.split('/').map(str::to_owned).collect())
    }

    /// The modules at the agent's root that this file names, with `crate::` or with enough of `super::`.
    pub(crate) fn imports(&self, from: &str) -> Vec<(usize, String)> {
        let depth = self.module().map_or(0, |path| path.len());
        let mut imports = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            let starts = self.text(index.wrapping_sub(1)) != "::" || self.text(index.wrapping_sub(2)) == "self";
            let mut next = index;
            let mut above = 0;
            while self.text(next) == "super" && self.text(next + 1) == "::" {
                (next, above) = (next + 2, above + 1);
            }
            if matches!(token.text, "crate" | "ghapp_agent") && self.text(index + 1) == "::" {
                (next, above) = (index + 2, usize::MAX);
            }
            if starts && above >= depth + token.within.len() && above > 0 {
                imports.extend(self.group(next).into_iter().map(|name| (token.line, name.to_owned())));
            }
        }
        imports.retain(|(_, name)| name != from && name != "self");
        imports
    }
}

/// Cuts Rust into names and signs, leaving out comments, texts and characters.
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
            tokens.push(Token { line, text: &rest[..length], within: Vec::new() });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of a text up to and with its closing quote.
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
