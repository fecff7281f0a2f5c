//! A page of the manual: written once as plain text, shown by `ghapp help` as it is, and turned into roff for `man`.
//!
//! The first line is `NAME(SECTION) - what it is`. A line at the margin is a heading. What is indented by four is a paragraph, or,
//! with lines indented by eight behind its first one, a term and its explanation; what is indented by eight from its first line on
//! is shown as it is. Blank lines separate all of them, backquotes enclose what a person types, and `@NAME` alone on a line stands
//! for text that is made from a table. Owns the `roff` crate.

use roff::{Inline, Roff, bold, roman};

/// The date of the pages. It is changed by hand, together with their text: a build must not depend on its day.
pub(super) const DATE: &str = "2026-11-27";
/// The source that pages name.
pub(super) const SOURCE: &str = concat!("ghapp ", env!("CARGO_PKG_VERSION"));
/// How far a paragraph is indented.
const INDENT: &str = "    ";
/// How far an explanation is indented, and a text that is shown as it is.
const DEEP: &str = "        ";
/// How wide a text is.
const WIDTH: usize = 78;

/// The heading of every page of a section.
pub(super) fn volume(section: &str) -> &'static str {
    match section {
        "5" => "File Formats",
        "7" => "Miscellaneous",
        _ => "User Commands",
    }
}

/// A page.
pub(crate) struct Page {
    /// Its name, such as `ghapp-config`.
    pub(super) name: String,
    /// The part of the manual that it is in, such as `5`.
    pub(super) section: String,
    /// Its subject, in a few words.
    pub(crate) about: String,
    body: String,
}

impl Page {
    /// Reads a page. `made` gives the text for `@NAME`.
    pub(super) fn read(text: &str, made: impl Fn(&str) -> String) -> Self {
        let (title, rest) = text.split_once("\n\n").expect("a page has a title");
        let (head, about) = title.split_once(" - ").expect("a title says what the page is about");
        let (name, section) = head.trim_end_matches(')').split_once('(').expect("a title says the page's section");
        let lines = rest.lines().map(|line| line.strip_prefix('@').map_or_else(|| line.to_owned(), &made));
        let body = lines.map(|line| line + "\n").collect();
        Self { name: name.to_owned(), section: section.to_owned(), about: about.to_owned(), body }
    }

    /// The path below a manual directory, such as `man5/ghapp-config.5`.
    pub(super) fn path(&self) -> String {
        let Self { name, section, .. } = self;
        format!("man{section}/{name}.{section}")
    }

    /// As `ghapp help` shows it.
    pub(crate) fn text(&self) -> String {
        format!("{}({}) - {}\n\n{}", self.name, self.section, self.about, self.body)
    }

    /// As `man` reads it.
    pub(super) fn roff(&self) -> String {
        let mut roff = Roff::new();
        let title = self.name.to_uppercase();
        roff.control("TH", [title.as_str(), &self.section, DATE, SOURCE, volume(&self.section)]);
        roff.control("SH", ["NAME"]);
        roff.text([roman(format!("{} - {}", self.name, self.about))]);
        write_body(&mut roff, &self.body);
        roff.render()
    }

    /// The text below a heading.
    pub(super) fn part(&self, heading: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("{heading}\n"))?;
        let end = rest.match_indices('\n').map(|(at, _)| at + 1);
        let end = end.clone().find(|at| rest[*at..].starts_with(|char: char| !char.is_whitespace()));
        Some(&rest[..end.unwrap_or(rest.len())])
    }
}

/// Turns a text in the form of pages into roff.
pub(super) fn write_body(roff: &mut Roff, body: &str) {
    // A paragraph right behind a heading needs no space above it.
    let mut fresh = false;
    for block in body.split("\n\n").map(|block| block.trim_matches('\n')).filter(|block| !block.trim().is_empty()) {
        let mut lines: Vec<_> = block.lines().collect();
        if !lines[0].starts_with(' ') {
            roff.control("SH", [lines.remove(0)]);
            fresh = true;
        }
        match lines[..] {
            [] => {}
            [first, ..] if first.starts_with(DEEP) => {
                write_verbatim(roff, &lines, fresh);
                fresh = false;
            }
            [term, ref explanation @ ..] if explanation.first().is_some_and(|line| line.starts_with(DEEP)) => {
                roff.control("TP", []);
                roff.text([bold(term.trim())]);
                write_paragraph(roff, explanation);
                fresh = false;
            }
            _ => {
                if !fresh {
                    roff.control("PP", []);
                }
                write_paragraph(roff, &lines);
                fresh = false;
            }
        }
    }
}

fn write_paragraph(roff: &mut Roff, lines: &[&str]) {
    let text = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    let inlines: Vec<Inline> =
        text.split('`').enumerate().map(|(at, part)| if at % 2 == 0 { roman(part) } else { bold(part) }).collect();
    roff.text(inlines);
}

fn write_verbatim(roff: &mut Roff, lines: &[&str], fresh: bool) {
    if !fresh {
        roff.control("PP", []);
    }
    roff.control("RS", ["4"]);
    roff.control("nf", []);
    for line in lines {
        roff.text([roman(line.strip_prefix(DEEP).unwrap_or(line.trim()))]);
    }
    roff.control("fi", []);
    roff.control("RE", []);
}

/// A term and its explanation, in the form of pages.
pub(super) fn entry(term: &str, explanation: &str) -> String {
    format!("{INDENT}{term}\n{}", wrapped(explanation, DEEP))
}

fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one from the start");
        let begun = line.len() > indent.len();
        if begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("{indent}{word}"));
        } else {
            line.push_str(if begun { " " } else { "" });
            line.push_str(word);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Page, entry};

    const TEXT: &str =
        "x(7) - it\n\nDESCRIPTION\n    Run `a -b` or\n    .not.\n\n        as is\n\n    T\n        Why.\n\nMORE\n@m\n";

    #[test]
    fn one_text_becomes_help_and_roff() {
        let page = Page::read(TEXT, |name| entry(name, "Made."));
        assert_eq!(page.text(), TEXT.replace("@m", "    m\n        Made."));
        assert_eq!(page.path(), "man7/x.7");
        let roff = page.roff();
        let body = &roff[roff.find(".SH DESCRIPTION").unwrap()..];
        assert_eq!(
            body,
            ".SH DESCRIPTION\nRun \\fBa \\-b\\fR or .not.\n.PP\n.RS 4\n.nf\nas is\n.fi\n.RE\n.TP\n\\fBT\\fR\nWhy.\n\
             .SH MORE\n.TP\n\\fBm\\fR\nMade.\n"
        );
        assert_eq!(page.part("MORE"), Some("    m\n        Made.\n"));
    }

    #[test]
    fn an_explanation_is_wrapped() {
        let lines = entry("t", &"word ".repeat(40));
        assert!(lines.lines().count() > 2 && lines.lines().all(|line| line.len() <= 78), "{lines}");
    }
}
