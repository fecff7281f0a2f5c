//! The command line of `ghapp exec`.

use std::ffi::OsString;

use clap::Args;

use super::groups::TokenScope;

/// Run a command with a token in its environment
#[derive(Debug, Args)]
#[command(long_about = ABOUT, after_help = EXIT_CODES)]
pub(crate) struct Exec {
    /// The repository; the origin of the current directory by default
    #[arg(value_name = "OWNER/REPO|URL")]
    pub(crate) target: Option<String>,
    #[arg(short = 'e', long = "env", value_name = "VAR[=OWNER/REPO]")]
    #[arg(help = "Put the token into this variable instead of GH_TOKEN, or one for that repository; can be repeated")]
    pub(crate) variables: Vec<String>,
    /// Make git commit as the App's bot in the command
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
The command does not inherit GH_TOKEN, GITHUB_TOKEN and the like; gh also gets the host.";

const RENEW: &str = "\
Keep a fresh token in a private file, for commands that take longer than an hour. GHAPP_TOKEN_FILE names the file, which the \
command reads whenever it needs a token; GH_TOKEN holds the first token and is not renewed. The token is for the repository, or \
for that of the first -e. The command runs beside ghapp, which passes signals on, exits with the command's exit code, or with 128 \
and the number of the signal that killed the command, and deletes the file when the command exits";

const EXIT_CODES: &str = "\
Exit codes:
  the command's own; 111 there is no token, so the command did not run,
  126 it cannot be run, 127 there is no such command, 2 invalid command line";
