//! The screen as an SVG that moves by CSS alone; without animation it is its last moment.

use std::fmt::Write as _;

use crate::first_run::{HOST, Step};
use crate::screen::{COLUMNS, Line, lines};

/// Sizes in CSS pixels. A character of the usual monospaced fonts is 0.6 of the font's size wide.
const FONT_SIZE: usize = 13;
const CHARACTER_TENTHS: usize = 78;
const LINE_HEIGHT: usize = 19;
const MARGIN: usize = 18;

/// Colours of a light and a dark screen: GitHub's, so that the picture lies quietly in its page.
const STYLE: &str = "\
.screen { fill: #f6f8fa; stroke: #d1d9e0 }
text { fill: #1f2328; white-space: pre }
.typed { fill: #0550ae; font-weight: 600 }
@media (prefers-color-scheme: dark) {
.screen { fill: #0d1117; stroke: #3d444d }
text { fill: #e6edf3 }
.typed { fill: #79c0ff }
}
@media (prefers-reduced-motion: reduce) { text { animation: none !important } }
";

/// Draws the steps.
pub(crate) fn draw(steps: &[Step]) -> String {
    let (lines, round) = lines(steps);
    let width = COLUMNS * CHARACTER_TENTHS / 10 + 2 * MARGIN;
    let height = lines.len() * LINE_HEIGHT + 2 * MARGIN;
    let mut svg = head(width, height);
    svg += "<style>\n";
    svg += STYLE;
    for (number, line) in lines.iter().enumerate() {
        svg += &movement(number, line, round);
    }
    svg += "</style>\n";
    svg += &screen(width, height);
    for (number, line) in lines.iter().enumerate() {
        svg += &text(number, line);
    }
    svg + "</svg>\n"
}

fn head(width: usize, height: usize) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" \
         font-size=\"{FONT_SIZE}\" role=\"img\" aria-labelledby=\"title what\">\n\
         <title id=\"title\">The first run of ghapp</title>\n\
         <desc id=\"what\">Real programs at a simulated GitHub, made by: cargo run --locked -p ghapp-tests --bin picture. \
         {HOST} stands for the simulator's address; the key's fingerprint, process ids and minutes left are replaced too, \
         so that every run draws the same.</desc>\n"
    )
}

/// The ground, with its border of one pixel inside the picture.
fn screen(width: usize, height: usize) -> String {
    let (width, height) = (width - 1, height - 1);
    format!("<rect class=\"screen\" x=\"0.5\" y=\"0.5\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n")
}

/// How a line comes: typed key by key, or all at once. Each needs keyframes of its own, as all of them go round together.
fn movement(number: usize, line: &Line, round: u32) -> String {
    let begin = percent(line.at, round);
    let frames = match line.typing {
        None => format!("0%{{opacity:0}}{begin}{{opacity:1}}100%{{opacity:1}}"),
        Some(typing) => {
            let end = percent(line.at + typing, round);
            format!("0%,{begin}{{clip-path:inset(-4px 100% -4px 0)}}{end},100%{{clip-path:inset(-4px 0 -4px 0)}}")
        }
    };
    let timing = match line.typing {
        None => "step-end".to_owned(),
        Some(_) => format!("steps({})", line.text.chars().count()),
    };
    format!("@keyframes k{number}{{{frames}}} #l{number}{{animation:k{number} {round}ms {timing} infinite}}\n")
}

/// A share of the round, to a hundredth of a percent.
fn percent(at: u32, round: u32) -> String {
    let hundredths = u64::from(at) * 10_000 / u64::from(round);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

fn text(number: usize, line: &Line) -> String {
    let y = MARGIN + number * LINE_HEIGHT + FONT_SIZE;
    let class = if line.typing.is_some() { " class=\"typed\"" } else { "" };
    let tenths = line.text.chars().count() * CHARACTER_TENTHS;
    let mut text = format!("<text id=\"l{number}\"{class} xml:space=\"preserve\" x=\"{MARGIN}\" y=\"{y}\"");
    if tenths > 0 {
        // Columns stay columns, whatever font there is.
        write!(text, " textLength=\"{}.{}\"", tenths / 10, tenths % 10).expect("a string takes everything");
    }
    text + ">" + &escape(&line.text) + "</text>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
