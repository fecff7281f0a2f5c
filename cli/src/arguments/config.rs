//! The command line of `ghapp config`.

use clap::{Args, Subcommand};

use super::groups::Form;

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
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
pub(crate) struct Get {
    /// agent.KEY, app.NAME.KEY or rule.N.KEY, see ghapp help config
    #[arg(value_name = "DOTTED.KEY")]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// agent.KEY, app.NAME.KEY or rule.N.KEY, see ghapp help config
    #[arg(value_name = "DOTTED.KEY")]
    pub(crate) key: String,
    /// The value; lists and tables as TOML
    #[arg(required_unless_present = "unset", conflicts_with = "unset")]
    pub(crate) value: Option<String>,
    /// Take the key out of the file, so that its default counts
    #[arg(long)]
    pub(crate) unset: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}
