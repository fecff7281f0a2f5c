//! The two streams: stdout carries what was asked for, stderr carries everything else. The only place that writes to either.

use std::error::Error;
use std::io::{self, IsTerminal, Stderr, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use ghapp_protocol::error::ErrorCode;
use serde::Serialize;

use crate::failure::CliError;
use crate::terminal::progress::{Stage, Waiting};

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The few meanings that have a colour.
#[derive(Debug, Clone, Copy)]
enum Paint {
    Error,
    Hint,
    Heading,
    Good,
    Attention,
    Faint,
}

impl Paint {
    /// The SGR parameter (ECMA-48, section 8.3.117).
    fn code(self) -> &'static str {
        match self {
            Self::Error => "1;31",
            Self::Hint => "36",
            Self::Heading => "1",
            Self::Good => "32",
            Self::Attention => "33",
            Self::Faint => "2",
        }
    }
}

/// A state, as a sign in front of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mark {
    Good,
    Attention,
    Bad,
    Absent,
}

impl Mark {
    /// The sign, or a word of the same width where the terminal may not have such a letter.
    fn sign(self, unicode: bool) -> &'static str {
        match (self, unicode) {
            (Self::Good, true) => "✓",
            (Self::Good, false) => "ok  ",
            (Self::Attention, true) => "!",
            (Self::Attention, false) => "warn",
            (Self::Bad, true) => "✗",
            (Self::Bad, false) => "FAIL",
            (Self::Absent, true) => "–",
            (Self::Absent, false) => "skip",
        }
    }

    fn paint(self) -> Paint {
        match self {
            Self::Good => Paint::Good,
            Self::Attention => Paint::Attention,
            Self::Bad => Paint::Error,
            Self::Absent => Paint::Faint,
        }
    }
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Volume {
    /// Data, warnings and errors.
    Quiet,
    /// Also what a command did.
    Normal,
    /// Also why and how.
    Verbose,
}

/// Both streams of the process.
pub(crate) struct Output {
    stdout: Stdout,
    stderr: Stderr,
    volume: Volume,
    paint_stdout: bool,
    paint_stderr: bool,
    /// Whether the terminal shows letters beyond ASCII.
    unicode: bool,
    stage: Stage,
    /// Whether the reader has closed stdout.
    unread: AtomicBool,
}

impl Output {
    /// Decides once about colours and volume.
    pub(crate) fn new(volume: Volume, color: ColorChoice) -> Self {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dull = set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let paint = |terminal: bool| match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && !dull,
        };
        let (stdout, stderr) = (io::stdout(), io::stderr());
        Self {
            volume,
            paint_stdout: paint(stdout.is_terminal()),
            paint_stderr: paint(stderr.is_terminal()),
            // Drawing needs a terminal that can go back in a line, whatever colours it has.
            stage: Stage::new(
                stderr.is_terminal()
                    && volume >= Volume::Normal
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
            ),
            stdout,
            stderr,
            unicode: speaks_unicode(),
            unread: AtomicBool::new(false),
        }
    }

    /// Whether a person would see what is written to stdout.
    pub(crate) fn is_terminal(&self) -> bool {
        self.stdout.is_terminal()
    }

    /// Writes what was asked for, as it is.
    pub(crate) fn data(&self, text: &str) -> Result<(), CliError> {
        let mut stdout = self.stdout.lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            // `ghapp leases | head` has seen enough: that is no failure.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.unread.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(CliError::new(ErrorCode::File, format!("cannot write to standard output: {error}"))),
        }
    }

    /// Whether stdout has lost its reader: a command that follows something exits then.
    pub(crate) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Relaxed)
    }

    /// Writes a line that was asked for.
    pub(crate) fn line(&self, text: &str) -> Result<(), CliError> {
        self.data(&format!("{}\n", printable(text)))
    }

    /// Writes a line with a sign in front of it.
    pub(crate) fn marked(&self, mark: Mark, text: &str) -> Result<(), CliError> {
        let sign = mark.sign(self.unicode);
        let sign = if self.paint_stdout { painted(mark.paint(), sign) } else { sign.to_owned() };
        self.data(&format!("{sign} {}\n", printable(text).trim_end()))
    }

    /// Writes how to fix what the line before says: a line of its own, to be pasted.
    pub(crate) fn advice(&self, text: &str) -> Result<(), CliError> {
        let text = printable(text);
        let text = if self.paint_stdout { painted(Paint::Hint, &text) } else { text };
        self.data(&format!("      {text}\n"))
    }

    /// Whether only what needs attention is to be said.
    pub(crate) fn is_quiet(&self) -> bool {
        self.volume == Volume::Quiet
    }

    /// Writes a value for scripts: one line of JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string(value).map(zeroize::Zeroizing::new);
        let text = text.expect("maps with text keys and plain values always become JSON");
        self.data(&zeroize::Zeroizing::new(format!("{}\n", *text)))
    }

    /// Writes rows below their headings, each column as wide as its widest cell.
    pub(crate) fn table(&self, headings: &[&str], rows: &[Vec<String>]) -> Result<(), CliError> {
        let mut lines = layout(headings, rows);
        if let (true, Some(first)) = (self.paint_stdout, lines.first_mut()) {
            *first = painted(Paint::Heading, first);
        }
        lines.push(String::new()); // ends the last line
        self.data(&lines.join("\n"))
    }

    /// Says what a command did, if it changes something.
    pub(crate) fn report(&self, text: &str) -> Result<(), CliError> {
        if self.volume >= Volume::Normal { self.line(text) } else { Ok(()) }
    }

    /// Says on stderr what a person may want to know besides the result.
    pub(crate) fn talk(&self, text: &str) {
        if self.volume >= Volume::Normal {
            self.say(&printable(text));
        }
    }

    /// Says on stderr what a person has to do now for the command to go on.
    pub(crate) fn invite(&self, text: &str) {
        for line in text.lines() {
            self.say(&printable(line));
        }
    }

    /// Shows a person that the command waits, until the returned value is dropped. Nothing else should be written meanwhile.
    pub(crate) fn waiting(&self, text: &str) -> Waiting<'_> {
        self.stage.show(text)
    }

    /// Says on stderr what helps to find a cause, with `--verbose` only.
    pub(crate) fn detail(&self, text: &str) {
        if self.volume >= Volume::Verbose {
            self.say(&format!("ghapp: {}", printable(text)));
        }
    }

    /// Says on stderr that something needs attention although the command goes on.
    pub(crate) fn warning(&self, text: &str) {
        self.say(&format!("ghapp: warning: {}", printable(text)));
    }

    /// Says on stderr why a command fails.
    pub(crate) fn failure(&self, error: &CliError) {
        let paint = |paint, text: &str| {
            if self.paint_stderr { painted(paint, text) } else { text.to_owned() }
        };
        let label = paint(Paint::Error, &format!("error[{}]:", error.code.id()));
        self.say(&format!("ghapp: {label} {}", printable(&error.message)));
        if self.volume >= Volume::Verbose {
            let mut cause = error.source.as_deref().map(|source| source as &dyn Error);
            while let Some(error) = cause {
                self.say(&format!("ghapp: because: {}", printable(&error.to_string())));
                cause = error.source();
            }
        }
        if let Some(hint) = &error.hint {
            let label = paint(Paint::Hint, "hint:");
            self.say(&format!("ghapp: {label} {}", printable(hint)));
        }
    }

    /// Writes one line to stderr. The reader may be gone, which is not a reason to panic or to fail.
    fn say(&self, line: &str) {
        drop(self.stderr.lock().write_all(format!("{line}\n").as_bytes()));
    }
}

/// What the locale says about letters (POSIX, "Environment Variables": the first of these that is set counts).
fn speaks_unicode() -> bool {
    let set = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default().to_ascii_uppercase();
    cfg!(windows) || locale.contains("UTF-8") || locale.contains("UTF8")
}

fn painted(paint: Paint, text: &str) -> String {
    format!("\x1b[{}m{text}\x1b[0m", paint.code())
}

/// A text without what could move a terminal's cursor: some of it comes from GitHub, some from file names.
pub(crate) fn printable(text: &str) -> String {
    // Also the marks that turn the direction of writing around (Unicode UAX 9).
    let unsafe_here = |char: char| {
        char.is_control() || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.replace(unsafe_here, "?")
}

/// Two spaces between columns, none behind the last.
fn layout(headings: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let headings: Vec<String> = headings.iter().map(ToString::to_string).collect();
    let cells: Vec<Vec<String>> =
        std::iter::once(&headings).chain(rows).map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let width = |column: usize| {
        let widths = cells.iter().filter_map(|row| row.get(column));
        widths.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    cells.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{layout, printable};

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["acme-bot", "1"], ["b", "20"]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(layout(&["APP", "N"], &rows), ["APP       N", "acme-bot  1", "b         20"]);
    }

    #[test]
    fn nothing_that_moves_the_cursor_is_written() {
        assert_eq!(printable("a\x1b[2Jb\nc\u{202e}d"), "a?[2Jb?c?d");
        assert_eq!(printable("Zoë"), "Zoë");
    }
}
