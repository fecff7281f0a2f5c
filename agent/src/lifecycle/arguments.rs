//! The command line of `ghapp-agent`: its few flags, read without a large parser that the program with the keys would have to link.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use crate::config::nearest;
use lexopt::Arg;

/// What `--help` prints.
pub const HELP: &str = "\
Sign with a GitHub App's key and serve short-lived tokens to git

Usage: ghapp-agent [OPTIONS] <--foreground|--daemonize|--detached>

Options:
      --foreground     Stay in the foreground and log to standard error
      --daemonize      Start in the background and return when the agent listens
      --socket <PATH>  Listen at this path instead of the user's default
      --config <FILE>  Read this configuration file
  -h, --help           Print help
  -V, --version        Print version
";
/// What `--version` prints.
pub const VERSION: &str = concat!("ghapp-agent ", env!("CARGO_PKG_VERSION"), "\n");

/// The flags that are not hidden.
const FLAGS: &[&str] = &["foreground", "daemonize", "socket", "config", "help", "version"];
/// Flags with a value, as errors name them.
const WATCHED: &str = "--patron <PID>";
const SOCKET: &str = "--socket <PATH>";
const CONFIG: &str = "--config <FILE>";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// To run.
    Run(Arguments),
    /// `--help`.
    Help,
    /// `--version`.
    Version,
}

/// How an agent is to run, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    /// In the foreground or not.
    pub mode: Mode,
    /// `--patron`, hidden: the process that a private agent runs for.
    pub watched: Option<u32>,
    /// `--socket`: another place than the user's own.
    pub socket: Option<PathBuf>,
    /// `--config`: another configuration file.
    pub config: Option<PathBuf>,
}

/// Exactly one of these flags has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Stay, and log to standard error.
    Foreground,
    /// Start an agent in the background, and return when it listens.
    Daemonize,
    /// Hidden: be the process that `--daemonize` leaves behind.
    Detached,
}

impl Mode {
    fn flag(self) -> &'static str {
        match self {
            Self::Foreground => "--foreground",
            Self::Daemonize => "--daemonize",
            Self::Detached => "--detached",
        }
    }
}

/// A command line that is none of ours.
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError {
    cause: String,
    usage: &'static str,
}

const MODES: &str = "\nUsage: ghapp-agent <--foreground|--daemonize|--detached>\n";
const FULL: &str = "\nUsage: ghapp-agent [OPTIONS] <--foreground|--daemonize|--detached>\n";
/// For causes that say enough.
const NONE: &str = "";

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\n{}\nFor more information, try '--help'.", self.cause, self.usage)
    }
}

/// Reads a command line without the program's name.
pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Request, UsageError> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut modes = Vec::new();
    let (mut watched, mut socket, mut config) = (None, None, None);
    while let Some(argument) = next(&mut parser)? {
        match argument {
            Arg::Short('h') => return Ok(Request::Help),
            Arg::Short('V') => return Ok(Request::Version),
            Arg::Long("help") => return without_value(&mut parser, "--help").map(|()| Request::Help),
            Arg::Long("version") => return without_value(&mut parser, "--version").map(|()| Request::Version),
            Arg::Long("foreground") => add(&mut modes, Mode::Foreground)?,
            Arg::Long("daemonize") => add(&mut modes, Mode::Daemonize)?,
            Arg::Long("detached") => add(&mut modes, Mode::Detached)?,
            Arg::Long("patron") => set(&mut watched, process_id(&value(&mut parser, WATCHED)?)?, WATCHED)?,
            Arg::Long("socket") => set(&mut socket, path(&mut parser, SOCKET)?, SOCKET)?,
            Arg::Long("config") => set(&mut config, path(&mut parser, CONFIG)?, CONFIG)?,
            Arg::Long(name) => return Err(unknown(name)),
            Arg::Short(name) => return Err(unexpected(&format!("-{name}"))),
            Arg::Value(word) => return Err(unexpected(&word.to_string_lossy())),
        }
    }
    Ok(Request::Run(Arguments { mode: only(&modes)?, watched, socket, config }))
}

fn next(parser: &mut lexopt::Parser) -> Result<Option<Arg<'_>>, UsageError> {
    parser.next().map_err(|error| match error {
        lexopt::Error::UnexpectedValue { option, value } => unexpected_value(&option, &value),
        error => UsageError { cause: error.to_string(), usage: FULL },
    })
}

/// Refuses an unknown flag, and names the nearest one that exists.
fn unknown(name: &str) -> UsageError {
    let error = unexpected(&format!("--{name}"));
    match nearest(name, FLAGS) {
        Some(flag) => {
            UsageError { cause: format!("{}\n\n  tip: a similar argument exists: '--{flag}'", error.cause), ..error }
        }
        None => error,
    }
}

fn unexpected(word: &str) -> UsageError {
    UsageError { cause: format!("unexpected argument '{word}' found"), usage: FULL }
}

fn unexpected_value(flag: &str, value: &OsStr) -> UsageError {
    let value = value.to_string_lossy();
    let cause = format!("unexpected value '{value}' for '{flag}' found; no more were expected");
    UsageError { cause, usage: MODES }
}

/// Refuses `--flag=VALUE`, which the parser itself would notice only at the next flag.
fn without_value(parser: &mut lexopt::Parser, flag: &str) -> Result<(), UsageError> {
    parser.optional_value().map_or(Ok(()), |value| Err(unexpected_value(flag, &value)))
}

/// What stands behind `=`, or the next word unless that is a flag.
fn value(parser: &mut lexopt::Parser, flag: &str) -> Result<OsString, UsageError> {
    if let Some(value) = parser.optional_value() {
        return Ok(value);
    }
    let is_value = |word: &OsStr| word == "-" || !word.as_encoded_bytes().starts_with(b"-");
    let value = parser.try_raw_args().and_then(|mut words| words.next_if(is_value));
    value.ok_or_else(|| missing_value(flag))
}

fn missing_value(flag: &str) -> UsageError {
    UsageError { cause: format!("a value is required for '{flag}' but none was supplied"), usage: NONE }
}

fn path(parser: &mut lexopt::Parser, flag: &str) -> Result<PathBuf, UsageError> {
    let value = value(parser, flag)?;
    if value.is_empty() { Err(missing_value(flag)) } else { Ok(value.into()) }
}

fn process_id(value: &OsStr) -> Result<u32, UsageError> {
    let Some(text) = value.to_str() else {
        return Err(UsageError {
            cause: "invalid UTF-8 was detected in one or more arguments".to_owned(),
            usage: FULL,
        });
    };
    let number = text.parse::<i64>().map_err(|error| error.to_string());
    let id =
        number.and_then(|number| u32::try_from(number).map_err(|_| format!("{number} is not in 0..={}", u32::MAX)));
    id.map_err(|why| UsageError { cause: format!("invalid value '{text}' for '{WATCHED}': {why}"), usage: NONE })
}

fn set<T>(place: &mut Option<T>, value: T, flag: &str) -> Result<(), UsageError> {
    if place.replace(value).is_some() { Err(repeated(flag)) } else { Ok(()) }
}

fn add(modes: &mut Vec<Mode>, mode: Mode) -> Result<(), UsageError> {
    if modes.contains(&mode) {
        return Err(repeated(mode.flag()));
    }
    modes.push(mode);
    Ok(())
}

fn repeated(flag: &str) -> UsageError {
    UsageError { cause: format!("the argument '{flag}' cannot be used multiple times"), usage: FULL }
}

/// The one mode that there has to be.
fn only(modes: &[Mode]) -> Result<Mode, UsageError> {
    let cause = match modes {
        [mode] => return Ok(*mode),
        [] => "the following required arguments were not provided:\n  <--foreground|--daemonize|--detached>".to_owned(),
        [one, other] => format!("the argument '{}' cannot be used with '{}'", one.flag(), other.flag()),
        [one, others @ ..] => {
            let others = others.iter().map(|other| other.flag()).collect::<Vec<_>>().join("\n  ");
            format!("the argument '{}' cannot be used with:\n  {others}", one.flag())
        }
    };
    Err(UsageError { cause, usage: MODES })
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Mode, Request, read};

    fn words(line: &str) -> Result<Request, String> {
        read(line.split(' ').filter(|word| !word.is_empty()).map(Into::into)).map_err(|error| error.to_string())
    }

    fn first_line(line: &str) -> String {
        words(line).unwrap_err().lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_mode_and_places_are_read_in_both_spellings_and_in_any_order() {
        let plain = |mode| Request::Run(Arguments { mode, watched: None, socket: None, config: None });
        assert_eq!(words("--foreground"), Ok(plain(Mode::Foreground)));
        assert_eq!(words("--daemonize"), Ok(plain(Mode::Daemonize)));
        let all = Request::Run(Arguments {
            mode: Mode::Detached,
            watched: Some(7),
            socket: Some("/s=t".into()),
            config: Some("-".into()),
        });
        assert_eq!(words("--patron 7 --detached --socket=/s=t --config -"), Ok(all));
        let Ok(Request::Run(dashed)) = words("--foreground --socket=-s") else { panic!("it is a path") };
        assert_eq!(dashed.socket, Some("-s".into()), "behind = anything is a value");
    }

    #[cfg(unix)]
    #[test]
    fn a_path_need_not_be_text() {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;
        let strange = |text: &[u8]| OsString::from_vec(text.to_vec());
        let read = |words: &[&[u8]]| read(words.iter().map(|word| strange(word)));
        for spelling in [
            [&b"--foreground"[..], b"--socket=/\xff", b"--config=c"],
            [b"--config=c", b"--foreground", b"--socket=/\xff"],
        ] {
            let Ok(Request::Run(arguments)) = read(&spelling) else { panic!("it is understood") };
            assert_eq!(arguments.socket, Some(strange(b"/\xff").into()));
        }
        assert!(read(&[b"--foreground", b"--patron", b"\xff"]).is_err());
        let error = read(&[b"--\xff"]).unwrap_err().to_string();
        assert!(error.starts_with("error: unexpected argument '--\u{fffd}' found\n"), "{error}");
    }

    #[test]
    fn help_and_version_win_over_what_follows() {
        for (line, request) in [
            ("--help", Request::Help),
            ("-hx", Request::Help),
            ("-V -h", Request::Version),
            ("--foreground -h --x", Request::Help),
        ] {
            assert_eq!(words(line), Ok(request), "{line}");
        }
        assert_eq!(first_line("--bogus --help"), "error: unexpected argument '--bogus' found");
    }

    #[test]
    fn an_error_says_what_is_wrong_and_what_is_right() {
        assert_eq!(
            words("").unwrap_err(),
            "error: the following required arguments were not provided:\n  <--foreground|--daemonize|--detached>\n\n\
             Usage: ghapp-agent <--foreground|--daemonize|--detached>\n\nFor more information, try '--help'."
        );
        assert_eq!(
            words("--foreground --socket").unwrap_err(),
            "error: a value is required for '--socket <PATH>' but none was supplied\n\n\
             For more information, try '--help'."
        );
        assert_eq!(
            words("--foregroun").unwrap_err(),
            "error: unexpected argument '--foregroun' found\n\n  tip: a similar argument exists: '--foreground'\n\n\
             Usage: ghapp-agent [OPTIONS] <--foreground|--daemonize|--detached>\n\nFor more information, try '--help'."
        );
        for (line, cause) in [
            ("--bogus=1 --foreground", "unexpected argument '--bogus' found"),
            ("-x", "unexpected argument '-x' found"),
            ("-foreground", "unexpected argument '-f' found"),
            ("--foreground positional", "unexpected argument 'positional' found"),
            ("-- --foreground", "unexpected argument '--foreground' found"),
            ("--foreground -", "unexpected argument '-' found"),
            ("--foregroun", "unexpected argument '--foregroun' found"),
            ("--foreground --daemonize", "the argument '--foreground' cannot be used with '--daemonize'"),
            ("--foreground --detached --daemonize", "the argument '--foreground' cannot be used with:"),
            ("--foreground --foreground --daemonize", "the argument '--foreground' cannot be used multiple times"),
            ("--foreground --socket a --socket b", "the argument '--socket <PATH>' cannot be used multiple times"),
            ("--foreground=yes", "unexpected value 'yes' for '--foreground' found; no more were expected"),
            ("--help=1", "unexpected value '1' for '--help' found; no more were expected"),
            ("--socket --foreground", "a value is required for '--socket <PATH>' but none was supplied"),
            ("--foreground --config=", "a value is required for '--config <FILE>' but none was supplied"),
            ("--patron x", "invalid value 'x' for '--patron <PID>': invalid digit found in string"),
            ("--patron=-1", "invalid value '-1' for '--patron <PID>': -1 is not in 0..=4294967295"),
            ("--patron=", "invalid value '' for '--patron <PID>': cannot parse integer from empty string"),
        ] {
            assert_eq!(first_line(line), format!("error: {cause}"), "{line}");
        }
    }
}
