//! The command line of `ghapp setup-git`.

use std::path::PathBuf;

use clap::Args;
use ghapp_protocol::remote::{Host, Owner};

use super::values::{host, owner};

#[derive(Debug, Args)]
pub(crate) struct SetupGit {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The host; may be left out when all Apps are on one
    #[arg(long, value_parser = host)]
    pub(crate) host: Option<Host>,
    /// Only for repositories of this owner; can be repeated
    #[arg(long = "owner", value_name = "OWNER", value_parser = owner)]
    pub(crate) owners: Vec<Owner>,
    #[command(flatten)]
    pub(crate) besides: Besides,
    /// Name the helper by its full path instead of relying on PATH
    #[arg(long)]
    pub(crate) absolute: bool,
    /// Print the configuration instead of writing it
    #[arg(long, conflicts_with = "remove")]
    pub(crate) print: bool,
    /// Remove what earlier runs wrote; with --identity, --ssh-remotes or --public only that
    #[arg(long, conflicts_with = "absolute")]
    pub(crate) remove: bool,
}

/// What is written besides the helper.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Besides {
    /// Also commit as the App's bot, in every repository that the file applies to
    #[arg(long)]
    pub(crate) identity: bool,
    /// Also reach ssh addresses of the host, or of these owners, over https
    #[arg(long)]
    pub(crate) ssh_remotes: bool,
    /// Also use a token for public repositories of these owners, which git reads anonymously otherwise (git 2.46)
    #[arg(long)]
    pub(crate) public: bool,
}

impl Besides {
    /// All of them.
    pub(crate) const ALL: Self = Self { identity: true, ssh_remotes: true, public: true };

    /// Whether any is wanted.
    pub(crate) fn any(self) -> bool {
        self.identity || self.ssh_remotes || self.public
    }
}

/// The file of git's configuration to write; the user's own when none is named.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
pub(crate) struct Place {
    /// Write the user's configuration (default)
    #[arg(long)]
    pub(crate) global: bool,
    /// Write the current repository's configuration
    #[arg(long)]
    pub(crate) local: bool,
    /// Write the machine's configuration
    #[arg(long)]
    pub(crate) system: bool,
    /// Write this file
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}
