//! Flags that more than one command takes.

use clap::Args;

/// For commands that print data.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Form {
    /// Print JSON for scripts
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a token may be used for.
#[derive(Debug, Args)]
pub(crate) struct TokenScope {
    /// What the token may do, such as contents=read,issues=write
    #[arg(long, value_name = "NAME=LEVEL,..")]
    pub(crate) permissions: Option<String>,
    /// Further repositories of the same owner
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub(crate) repositories: Vec<String>,
    /// Minimum lifetime left, such as 10m
    #[arg(long, value_name = "TIME")]
    pub(crate) min_ttl: Option<String>,
}
