//! Questions to the person at the terminal. Owns the dialoguer crate.
//!
//! Every question is one line with an answer that is typed: nothing is drawn with hidden cursors, so Ctrl-C leaves the terminal as it
//! was, and a screen reader can follow.

use std::fmt::Display;

use dialoguer::Input;
use ghapp_protocol::error::ErrorCode;

use crate::failure::CliError;

/// Asks until the answer can be read. An empty answer is `default`, if there is one.
pub(crate) fn ask<T>(
    question: &str,
    default: Option<&str>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<T, CliError> {
    let mut input = Input::<String>::new().with_prompt(question).allow_empty(true);
    if let Some(default) = default.filter(|default| !default.is_empty()) {
        input = input.default(default.to_owned());
    }
    let input = input.validate_with(|answer: &String| read(answer.trim()).map(drop));
    let answer = input.interact_text().map_err(|error| no_answer(&error))?;
    read(answer.trim()).map_err(|error| CliError::usage(format!("{question}: {error}")))
}

/// Asks for yes or no.
pub(crate) fn agrees(question: &str, default: bool) -> Result<bool, CliError> {
    let default = if default { "yes" } else { "no" };
    ask(question, Some(default), |answer| match answer.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(true),
        "n" | "no" => Ok(false),
        _ => Err("answer yes or no".to_owned()),
    })
}

/// Lists the choices and asks for the number of one; the first is the default.
pub(crate) fn choose(question: &str, choices: &[String], say: impl Fn(&str)) -> Result<usize, CliError> {
    for (number, choice) in (1..).zip(choices) {
        say(&format!("  {number}  {choice}"));
    }
    ask(question, Some("1"), |answer| match answer.parse::<usize>() {
        Ok(number) if (1..=choices.len()).contains(&number) => Ok(number - 1),
        _ => Err(format!("answer with a number from 1 to {}", choices.len())),
    })
}

fn no_answer(error: &impl Display) -> CliError {
    CliError::new(ErrorCode::Usage, format!("the terminal gave no answer: {error}"))
        .hint("give the answers on the command line: ghapp login --help")
}
