//! The command line of `ghapp config`.

use clap::Subcommand;

use super::Form;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Config {
    /// Print the path of the configuration file
    Path(Form),
}
