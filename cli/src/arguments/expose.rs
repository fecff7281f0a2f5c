//! The command line of `ghapp agent expose` and `unexpose`.

use std::path::PathBuf;

use clap::Args;
use ghapp_protocol::message::Label;

use super::groups::Form;

/// What follows the help of `ghapp agent expose`.
const RECIPE: &str = "\
Where it is used:
  export GHAPP_SOCKET=PATH   and set up git with: ghapp setup-git
For a container mount the socket's directory, and let the program in it run
with your own user number. Over the socket git gets tokens, and nothing else
is answered. The socket is gone when its time is over, after `ghapp agent
unexpose`, `logout` of its App, and when the agent ends; a token that was
given out before lives for its hour.";

#[derive(Debug, Args)]
#[command(after_help = RECIPE)]
pub(crate) struct Expose {
    /// A repository that is given out; can be repeated, for repositories of one owner
    #[arg(long = "repo", value_name = "OWNER/REPO|URL", required = true)]
    pub(crate) repositories: Vec<String>,
    /// What each token may do, such as contents=read; what git gets by the rules when left out
    #[arg(long, value_name = "NAME=LEVEL,..")]
    pub(crate) permissions: Option<String>,
    /// How long the socket stays, such as 30m: 8h when left out, 7 days at most
    #[arg(long, value_name = "TIME")]
    pub(crate) ttl: Option<String>,
    /// Where the socket is; beside the agent's own, in a directory for itself, when left out
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// Its name, also in the audit log
    #[arg(long, value_parser = label)]
    pub(crate) label: Option<Label>,
    /// The one user who may connect instead of your own; needs an agent of root
    #[arg(long, value_name = "N|NAME")]
    pub(crate) uid: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Unexpose {
    /// Its label or its path, as `ghapp agent exposed` lists them
    #[arg(value_name = "LABEL|PATH")]
    pub(crate) which: String,
    /// Kill the tokens that were given out over it at GitHub
    #[arg(long)]
    pub(crate) revoke: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

fn label(text: &str) -> Result<Label, String> {
    Label::parse(text).map_err(str::to_owned)
}
