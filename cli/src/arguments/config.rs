//! The command line of `ghapp config`.

use clap::{Args, Subcommand};

use super::groups::Form;

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Print the value in effect
    Get(Get),
    /// Change a value, keep comments, and make a running agent read it
    Set(Set),
    /// Print the path of the configuration file
    Path(Form),
    /// Check the file; exit with 2 when it is invalid
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
    /// Remove the key from the file, so that its default applies
    #[arg(long)]
    pub(crate) unset: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}
