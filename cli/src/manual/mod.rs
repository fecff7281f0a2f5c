//! `ghapp completion` and `ghapp man`: pages and scripts made from the command line itself, and the pages that are written by hand.
//! Owns the `clap_complete` and `clap_mangen` crates.

pub(crate) mod help;
mod page;
mod topics;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use ghapp_protocol::error::ErrorCode;
use roff::{Roff, roman};

use crate::arguments::Arguments;
use crate::failure::CliError;
use crate::terminal::output::Output;
use crate::terminal::wording;

pub(crate) use topics::{TOPICS, error, topic};

/// Command groups whose page would have the name of a page that is written by hand. That page names their subcommands.
const WRITTEN_GROUPS: &[&str] = &["ghapp-agent"];

/// Prints what makes a shell complete `ghapp`'s commands and flags.
pub(crate) fn completion(shell: clap_complete::Shell, output: &Output) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut with_topics(Arguments::command()), "ghapp", &mut script);
    output.data(&String::from_utf8_lossy(&script))
}

/// Makes shells offer the topics of `ghapp help`: as its subcommands, since fish does not complete values of arguments.
fn with_topics(ghapp: Command) -> Command {
    let about = |it: &Command| it.get_about().map(ToString::to_string).unwrap_or_default();
    // fish offers no subcommand behind `help` if one of them is called `help`.
    let commands = ghapp.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help");
    let commands = commands.map(|it| (it.get_name().to_owned(), about(it)));
    let topics = TOPICS.iter().filter_map(|(name, _)| Some(((*name).to_owned(), topic(name)?.about)));
    // A topic with the name of a command wins, as it does in `ghapp help`.
    let offered: BTreeMap<_, _> = commands.chain(topics).collect();
    let offered: Vec<_> = offered.into_iter().map(|(name, about)| Command::new(name).about(about)).collect();
    ghapp.mut_subcommand("help", |help| help.subcommands(offered).disable_help_subcommand(true))
}

/// Writes all manual pages below `directory`, in the layout that `MANPATH` wants; makes missing directories.
pub(crate) fn manual(directory: &Path, output: &Output) -> Result<(), CliError> {
    let mut count = 0;
    for page in topics::pages() {
        write(&directory.join(page.path()), page.roff().as_bytes())?;
        count += 1;
    }
    let mut ghapp = Arguments::command();
    ghapp.build();
    count += write_generated(&ghapp, &directory.join("man1"))?;
    output.report(&format!("wrote {} below {}", wording::count(count, "page"), directory.display()))
}

/// Writes the page of a command and those of its subcommands. Returns how many it wrote.
fn write_generated(command: &Command, directory: &Path) -> Result<usize, CliError> {
    // clap gives groups a `help` of their own, which says the same as `ghapp help`.
    let is_extra = |it: &Command| it.is_hide_set() || (it.get_name() == "help" && command.get_name() != "ghapp");
    let mut count = 0;
    for subcommand in command.get_subcommands().filter(|it| !is_extra(it)) {
        count += write_generated(subcommand, directory)?;
    }
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    if WRITTEN_GROUPS.contains(&name.as_str()) {
        return Ok(count);
    }
    let page = render(command, &name);
    let page = page.map_err(|error| CliError::new(ErrorCode::File, format!("cannot render {name}.1: {error}")))?;
    write(&directory.join(format!("{name}.1")), page.as_bytes())?;
    Ok(count + 1)
}

fn render(command: &Command, name: &str) -> std::io::Result<String> {
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .date(page::DATE)
        .source(page::SOURCE)
        .manual(page::volume("1"));
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().any(|it| !it.is_hide_set()) {
        man.render_subcommands_section(&mut text)?;
    }
    notes(command).to_writer(&mut text)?;
    // clap_mangen separates possible values by two breaks and a blank line, which formatters warn of.
    Ok(String::from_utf8_lossy(&text).replace("\n.br\n\n.br\n", "\n.br\n"))
}

/// The parts that clap's own renderer would run together, and the parts that only a page has.
fn notes(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let is_ghapp = command.get_name() == "ghapp";
    if let Some(help) = command.get_after_help().filter(|_| !is_ghapp) {
        roff.control("SH", ["NOTES"]);
        roff.control("nf", []);
        for line in help.to_string().lines() {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
    }
    for (heading, topic_name) in [("EXIT STATUS", "exit-codes"), ("ENVIRONMENT", "environment")] {
        if let Some(page) = topic(topic_name).filter(|_| is_ghapp) {
            let part = page.part(if topic_name == "environment" { "OUR OWN" } else { "DESCRIPTION" });
            page::write_body(&mut roff, &format!("{heading}\n{}", part.expect("the page has that part")));
        }
    }
    let more = if is_ghapp {
        "git-credential-ghapp(1), ghapp-agent(1), ghapp-config(5), ghapp-environment(7), ghapp-errors(7), \
         ghapp-exit-codes(7), ghapp-git(7), ghapp-security(7)"
    } else {
        "ghapp(1), ghapp-errors(7)"
    };
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(more)]);
    roff
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let parent = path.parent().expect("every page is in the directory of its section");
    fs::create_dir_all(parent).map_err(|error| CliError::file("make", parent, error))?;
    fs::write(path, bytes).map_err(|error| CliError::file("write", path, error))
}
