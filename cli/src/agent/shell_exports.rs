//! `ghapp agent env`: makes sure that an agent runs, and prints where it is, for a shell to evaluate.

use std::collections::BTreeMap;
use std::path::Path;

use ghapp_protocol::endpoint::SOCKET_VARIABLE;
use serde::Serialize;

use crate::arguments::Exports;
use crate::failure::CliError;
use crate::session::{CONFIG_VARIABLE, Session};
use crate::terminal::json::SCHEMA;

/// The shell whose syntax is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shell {
    /// `sh` and all that understand it: bash, zsh, dash.
    Bourne,
    /// `csh` and `tcsh`.
    C,
    /// `fish`.
    Fish,
}

#[derive(Serialize)]
struct EnvironmentOutput<'a> {
    schema: u32,
    environment: BTreeMap<&'a str, &'a str>,
}

pub(crate) fn run(session: &Session<'_>, arguments: &Exports) -> Result<(), CliError> {
    let mut variables = vec![(SOCKET_VARIABLE, plain(session.agent.endpoint().path())?)];
    if session.agent.names_config() {
        variables.push((CONFIG_VARIABLE, plain(&session.config)?));
    }
    if session.agent.running_status()?.is_none() {
        session.agent.start()?;
    }
    session.agent.check_config(&session.agent.status()?)?;
    if arguments.form.json {
        return session
            .output
            .json(&EnvironmentOutput { schema: SCHEMA, environment: variables.into_iter().collect() });
    }
    let shell = match (arguments.sh, arguments.csh, arguments.fish) {
        (true, ..) => Shell::Bourne,
        (_, true, _) => Shell::C,
        (.., true) => Shell::Fish,
        _ => shell_of(std::env::var_os("SHELL").unwrap_or_default().as_ref()),
    };
    let lines: Vec<_> = variables.iter().map(|(name, value)| export(shell, name, value)).collect();
    session.output.data(&format!("{}\n", lines.join("\n")))
}

/// A path that can be quoted for every shell.
fn plain(path: &Path) -> Result<&str, CliError> {
    path.to_str().filter(|path| !path.chars().any(char::is_control)).ok_or_else(|| {
        CliError::usage(format!("no shell can be told the path {}", path.display())).hint("name a plainer one")
    })
}

/// The user's shell, as ssh-agent guesses it.
fn shell_of(path: &Path) -> Shell {
    match path.file_name().and_then(|name| name.to_str()) {
        Some(name) if name.ends_with("csh") => Shell::C,
        Some("fish") => Shell::Fish,
        _ => Shell::Bourne,
    }
}

fn export(shell: Shell, name: &str, value: &str) -> String {
    match shell {
        Shell::Bourne => format!("{name}='{}'; export {name};", value.replace('\'', r"'\''")),
        // An exclamation mark is special there even between quotes.
        Shell::C => format!("setenv {name} '{}';", value.replace('\'', r"'\''").replace('!', r"\!")),
        Shell::Fish => format!("set -gx {name} '{}';", value.replace('\\', r"\\").replace('\'', r"\'")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Shell, export, plain, shell_of};

    #[test]
    fn each_shell_gets_its_own_words() {
        assert_eq!(export(Shell::Bourne, "A", "/x y/it's"), r"A='/x y/it'\''s'; export A;");
        assert_eq!(export(Shell::C, "A", "/x!'"), r"setenv A '/x\!'\''';");
        assert_eq!(export(Shell::Fish, "A", r"/a\'b"), r"set -gx A '/a\\\'b';");
        assert!(plain(Path::new("/a\nb")).is_err());
    }

    #[test]
    fn the_shell_is_guessed_from_its_name() {
        for (path, shell) in
            [("/bin/tcsh", Shell::C), ("/usr/bin/fish", Shell::Fish), ("/bin/zsh", Shell::Bourne), ("", Shell::Bourne)]
        {
            assert_eq!(shell_of(Path::new(path)), shell, "{path}");
        }
    }
}
