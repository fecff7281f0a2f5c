//! The command line of `ghapp exec`.

use std::ffi::OsString;

use clap::Args;

use super::groups::TokenScope;

/// Run a command with a token in its environment
#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = EXIT_CODES)]
pub(crate) struct Exec {
    /// The repository; the origin of the current directory when left out
    #[arg(value_name = "OWNER/REPO|URL")]
    pub(crate) target: Option<String>,
    #[arg(short = 'e', long = "env", value_name = "VAR[=OWNER/REPO]")]
    #[arg(help = "Put the token into this variable instead of GH_TOKEN, or one for that repository; can be repeated")]
    pub(crate) variables: Vec<String>,
    /// Let git commit as the App's bot in it
    #[arg(long)]
    pub(crate) identity: bool,
    /// Keep a fresh token in a private file, for commands that take longer than an hour
    #[arg(long, long_help = RENEW)]
    pub(crate) renew: bool,
    #[command(flatten)]
    pub(crate) scope: TokenScope,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

const ABOUT: &str = "\
Run a command with a token in its environment

ghapp becomes the command, so signals and the exit code are the command's own. A token lives for an hour at most. \
GH_TOKEN, GITHUB_TOKEN and the like that are there already are not passed on; gh learns the host as well.";

const RENEW: &str = "\
Keep a fresh token in a private file, for commands that take longer than an hour. GHAPP_TOKEN_FILE names the file to the command, \
which reads it whenever it needs a token; the one in GH_TOKEN is the first and is not renewed. It is a token for the repository, \
or for that of the first -e. The command runs beside ghapp then: signals are passed on, the exit code is the command's or 128 and \
the number of the signal that ended it, and the file goes when the command ends";

const EXIT_CODES: &str = "\
Exit codes:
  the command's own; 111 there is no token and the command did not run,
  126 it cannot be run, 127 there is no such command, 2 this command line makes no sense";
