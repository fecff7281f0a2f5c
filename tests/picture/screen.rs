//! When each line appears on a screen as wide as a terminal.

use crate::first_run::Step;

/// Characters in a line; a longer one goes on in the next, as on a terminal.
pub(crate) const COLUMNS: usize = 108;

/// How long things take, in milliseconds: slow enough to read along, short enough to watch to the end.
const BEFORE_TYPING: u32 = 700;
const PER_KEY: u32 = 28;
const BEFORE_OUTPUT: u32 = 350;
const PER_LINE: u32 = 110;
const TO_READ: u32 = 1300;
const AT_THE_END: u32 = 7000;

/// A line of the screen.
pub(crate) struct Line {
    pub(crate) text: String,
    /// When it appears, or its typing begins; in milliseconds from the start.
    pub(crate) at: u32,
    /// How long the typing takes; none for what a program prints.
    pub(crate) typing: Option<u32>,
}

/// All lines, and how long one round of the picture takes in milliseconds.
pub(crate) fn lines(steps: &[Step]) -> (Vec<Line>, u32) {
    let mut clock = 0;
    let mut lines = Vec::new();
    for step in steps {
        type_in(&step.command, &mut clock, &mut lines);
        clock += BEFORE_OUTPUT;
        for text in step.output.iter().flat_map(|line| wrap(line)) {
            clock += PER_LINE;
            lines.push(Line { text, at: clock, typing: None });
        }
        clock += TO_READ;
    }
    (lines, clock + AT_THE_END)
}

fn type_in(command: &str, clock: &mut u32, lines: &mut Vec<Line>) {
    *clock += BEFORE_TYPING;
    for text in wrap(&format!("$ {command}")) {
        let length = u32::try_from(text.chars().count()).expect("a line is short");
        let typing = length * PER_KEY;
        lines.push(Line { text, at: *clock, typing: Some(typing) });
        *clock += typing;
    }
}

fn wrap(line: &str) -> Vec<String> {
    let characters: Vec<char> = line.chars().collect();
    if characters.is_empty() {
        return vec![String::new()];
    }
    characters.chunks(COLUMNS).map(|part| part.iter().collect()).collect()
}
