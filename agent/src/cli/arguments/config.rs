//! The command line of `ghapp config`.

use clap::{Args, Subcommand};

use super::Form;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Config {
    /// Print the value that counts
    Get(Get),
    /// Change a value, keeping comments, and have a running agent read it
    Set(Set),
    /// Print the path of the configuration file
    Path(Form),
    /// Say whether the file makes sense; exit with 2 when it does not
    Check(Form),
    /// Print a configuration with every key, explained
    Example,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Get {
    /// agent.KEY, app.NAME.KEY or rule.N.KEY, see ghapp help config
    #[arg(value_name = "DOTTED.KEY")]
    pub(in crate::cli) key: String,
    #[command(flatten)]
    pub(in crate::cli) form: Form,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Set {
    /// agent.KEY, app.NAME.KEY or rule.N.KEY, see ghapp help config
    #[arg(value_name = "DOTTED.KEY")]
    pub(in crate::cli) key: String,
    /// The value; lists and tables as TOML
    #[arg(required_unless_present = "unset", conflicts_with = "unset")]
    pub(in crate::cli) value: Option<String>,
    /// Take the key out of the file, so that its default counts
    #[arg(long)]
    pub(in crate::cli) unset: bool,
    #[command(flatten)]
    pub(in crate::cli) form: Form,
}
