//! The command line: names, flags and help texts. Owns the clap crate's derive.

mod config;
mod exec;
mod expose;
mod groups;
mod key;
mod login;
mod manual;
mod setup_git;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ghapp_agent::model::AppName;

use crate::terminal::output::ColorChoice;

pub(crate) use config::{Config, Get, Set};
pub(crate) use exec::Exec;
pub(crate) use expose::{Expose, Unexpose};
pub(crate) use groups::{Form, TokenScope};
pub(crate) use key::{Key, NewKey, Verb, Verify};
pub(crate) use login::{DEFAULT_HOST, Login};
pub(crate) use manual::{Completion, Help, Man};
pub(crate) use setup_git::{Besides, Place, SetupGit};
use values::app_name;
pub(crate) use values::{permissions, seconds};

/// Give git short-lived tokens of a GitHub App
#[derive(Debug, Parser)]
#[command(name = "ghapp", version, max_term_width = 100, after_help = ENVIRONMENT, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const ENVIRONMENT: &str = "\
Environment:
  GHAPP_APP           the App to use, as --app
  GHAPP_CONFIG        the configuration file, as --config
  GHAPP_SOCKET        the agent's socket, as --socket
  GHAPP_NO_AUTOSTART  do not start an agent when there is none
  GHAPP_TRACE         1: trace to standard error; an absolute path: append the trace to that file
  NO_COLOR            no colours

Exit codes:
  0 ok, 1 failure, 2 usage, 3 nothing configured, 4 unlock or login needed,
  5 agent unreachable, 6 keyring unavailable, 7 GitHub refused, 8 network,
  9 not covered by any installation, 10 version mismatch

More: ghapp help TOPIC, with config, environment, errors, exit-codes, git or security";

/// Flags that every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Print only data, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Also print the underlying cause of an error
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t, hide_possible_values = true)]
    #[arg(help = "When to use colours: auto, always or never")]
    pub(crate) color: ColorChoice,
    /// Never ask: a missing answer is an error that names the flag
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// The agent's socket
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The App to use, when there are several
    #[arg(long, global = true, value_name = "NAME", value_parser = app_name)]
    pub(crate) app: Option<AppName>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add an App, or create one: check its key with GitHub, store it
    Login(Login),
    /// Remove an App: revoke its tokens, delete its key
    Logout(Logout),
    /// Make git use the agent
    SetupGit(SetupGit),
    /// Show the agent, the key store, git's configuration and the Apps
    Status(Status),
    /// Show which App and rule a repository uses
    Which(Which),
    /// Check the whole setup and show how to fix what is broken
    Doctor(Doctor),
    /// Print a token
    Token(Token),
    Exec(Exec),
    /// List active tokens (without their values)
    Leases(Form),
    /// Revoke tokens at GitHub
    Revoke(Revoke),
    /// Drop all keys and tokens from memory until you unlock
    Lock(Lock),
    /// Let the agent use keys again; asks for the passphrase of encrypted files
    Unlock(Unlock),
    /// Show the audit log: every decision of the agent
    Logs(Logs),
    /// List the configured Apps
    Apps(Listing),
    /// List the installations of the configured Apps
    Installations(Listing),
    /// List, add, check, replace and remove the private keys of an App
    Key(Key),
    /// List the repositories that the configured Apps reach
    Repos(Repos),
    /// Show the name and email that the App's bot commits with
    Identity(Identity),
    /// Start and stop the agent
    #[command(subcommand)]
    Agent(Agent),
    /// Read and change the configuration
    #[command(subcommand)]
    Config(Config),
    /// Print a shell's completion script for commands and flags
    Completion(Completion),
    /// Write the manual pages
    Man(Man),
    /// Explain a command, a topic or an error id; without one, list them
    Help(Help),
}

#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// The App; may be left out when there is only one
    #[arg(value_parser = app_name)]
    pub(crate) app: Option<AppName>,
    /// Leave the key in its store
    #[arg(long)]
    pub(crate) keep_key: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) form: Form,
    /// Print nothing, and answer by the exit code only
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The remote; . is the origin of the current directory, which is also the default
    #[arg(value_name = "URL|.|OWNER/REPO")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The remote; . is the origin of the current directory, which is also the default if an App is on its host
    #[arg(value_name = "URL|.|OWNER/REPO")]
    pub(crate) target: Option<String>,
    /// Run the fixes that are safe to run, and check again
    #[arg(long)]
    pub(crate) fix: bool,
    /// Also write a report to attach when you ask for help; it holds no key and no token
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The repository; the origin of the current directory by default
    #[arg(value_name = "OWNER/REPO|URL")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
    /// Print the token even on a terminal
    #[arg(long)]
    pub(crate) show: bool,
    #[command(flatten)]
    pub(crate) scope: TokenScope,
    /// Print an HTTP header instead of the bare token
    #[arg(long, conflicts_with = "json")]
    pub(crate) header: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// Lease ids, as `ghapp leases` lists them
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) leases: Vec<String>,
    /// All leases
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Lock {
    /// Revoke the tokens at GitHub first
    #[arg(long)]
    pub(crate) revoke: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// The passphrase of encrypted files, instead of asking for it; - reads standard input
    #[arg(long, value_name = "FILE|-")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) form: Form,
    /// Keep printing new decisions
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Print only decisions since then, such as 2h or 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Listing {
    #[command(flatten)]
    pub(crate) form: Form,
    /// Ask GitHub instead of printing what the agent has seen
    #[arg(long)]
    pub(crate) refresh: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Repos {
    #[command(flatten)]
    pub(crate) form: Form,
    /// Ask GitHub again instead of printing its last answer
    #[arg(long)]
    pub(crate) refresh: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Identity {
    #[command(flatten)]
    pub(crate) form: Form,
    /// Write both into git's configuration, the user's or the current repository's
    #[arg(long, value_name = "global|local", value_enum, hide_possible_values = true, conflicts_with = "json")]
    pub(crate) write: Option<IdentityPlace>,
}

/// The file of git's configuration that gets the bot's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum IdentityPlace {
    /// The user's
    Global,
    /// The current repository's
    Local,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Agent {
    /// Start the agent unless it is running
    Start {
        /// Stay in the foreground and log to standard error
        #[arg(long)]
        foreground: bool,
    },
    /// Stop the agent
    Stop {
        /// Revoke its tokens at GitHub first
        #[arg(long)]
        revoke: bool,
    },
    /// Stop the agent and start the installed one; tokens stay alive at GitHub
    Restart {
        /// Revoke its tokens at GitHub first
        #[arg(long)]
        revoke: bool,
    },
    /// Start the agent unless it is running, and print its socket for a shell: eval "$(ghapp agent env)"
    Env(Exports),
    /// Run a command with a private agent that exits with it
    Run {
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
        command: Vec<OsString>,
    },
    /// Show whether the agent is running; exit with 5 when it is not
    Status(Form),
    /// Read the configuration again; keys, tokens and leases stay
    Reload,
    /// Open another socket for a few repositories and a limited time, for a container or a coding agent; print its path
    Expose(Expose),
    /// Close an exposed socket
    Unexpose(Unexpose),
    /// List the exposed sockets
    Exposed(Form),
}

/// The shell to print for; the user's own when none is named.
#[derive(Debug, Args)]
pub(crate) struct Exports {
    /// Print for sh, bash and zsh
    #[arg(short, long, group = "shell")]
    pub(crate) sh: bool,
    /// Print for csh and tcsh
    #[arg(short, long, group = "shell")]
    pub(crate) csh: bool,
    /// Print for fish
    #[arg(long, group = "shell")]
    pub(crate) fish: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn help_texts_have_no_final_period() {
        fn check(command: &clap::Command) {
            let texts = command.get_arguments().filter_map(|it| it.get_help());
            for text in texts.chain(command.get_about()).map(ToString::to_string) {
                assert!(!text.ends_with('.'), "{}: {text}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Arguments::command());
    }
}
