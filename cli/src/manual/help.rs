//! `ghapp help`: explains a command, an error id or one of the topics that the manual has pages for.

use clap::CommandFactory;
use ghapp_agent::config::nearest;
use ghapp_protocol::error::ErrorCode;

use crate::arguments::{Arguments, Help};
use crate::failure::CliError;
use crate::manual::{TOPICS, error, topic};
use crate::terminal::output::Output;

pub(crate) fn run(arguments: &Help, output: &Output) -> Result<(), CliError> {
    let mut ghapp = Arguments::command();
    ghapp.build();
    let Some((first, rest)) = arguments.topic.split_first() else {
        return output.data(&format!("{}\n{}", ghapp.render_help(), topics()));
    };
    if rest.is_empty() {
        if let Some(page) = topic(first) {
            return output.data(&page.text());
        }
        if let Some(code) = ErrorCode::ALL.iter().find(|code| code.id().eq_ignore_ascii_case(first)) {
            return output.data(&format!("{}\n", error(*code)));
        }
    }
    let mut command = &ghapp;
    for word in &arguments.topic {
        let visible = |it: &&clap::Command| !it.is_hide_set();
        let found = command.get_subcommands().filter(visible).find(|it| it.get_name() == word);
        command = found.ok_or_else(|| unknown(command, word))?;
    }
    // The same text as for `--help`, in the form that the parser chooses.
    let words = ["ghapp"].into_iter().chain(arguments.topic.iter().map(String::as_str)).chain(["--help"]);
    match Arguments::command().try_get_matches_from(words) {
        Err(help) => output.data(&help.to_string()),
        Ok(_) => Err(unknown(&ghapp, first)),
    }
}

/// The list of topics besides commands.
fn topics() -> String {
    let line = |(name, about): (&str, String)| format!("  {name:<13} {about}\n");
    let about = |name: &str| topic(name).map(|page| page.about).unwrap_or_default();
    let lines: String = TOPICS.iter().map(|(name, _)| line((name, about(name)))).collect();
    format!("Topics, for ghapp help TOPIC:\n{lines}  E01 ..        the error of that id\n")
}

fn unknown(command: &clap::Command, word: &str) -> CliError {
    let mut names: Vec<&str> =
        command.get_subcommands().filter(|it| !it.is_hide_set()).map(clap::Command::get_name).collect();
    if command.get_name() == "ghapp" {
        names.extend(TOPICS.iter().map(|(name, _)| *name));
        names.extend(ErrorCode::ALL.iter().map(|code| code.id()));
    }
    let hint = match nearest(word, &names) {
        Some(name) => {
            let group = command.get_bin_name().unwrap_or("ghapp").strip_prefix("ghapp").unwrap_or_default();
            format!("did you mean: ghapp help{group} {name}")
        }
        None => "run: ghapp help".to_owned(),
    };
    CliError::usage("there is no such command or topic").hint(hint)
}
