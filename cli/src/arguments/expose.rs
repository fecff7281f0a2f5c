//! The command line of `ghapp agent expose` and `unexpose`.

use std::path::PathBuf;

use clap::Args;
use ghapp_protocol::message::Label;

use super::groups::Form;

/// What follows the help of `ghapp agent expose`.
const RECIPE: &str = "\
How to use it:
  export GHAPP_SOCKET=PATH   and set up git with: ghapp setup-git
For a container, mount the socket's directory, and run the program in it with
your own user id. The socket answers git's requests for tokens, and nothing
else. It is gone when its time is over, after `ghapp agent unexpose`, after
`ghapp logout` of its App, and when the agent exits; a token that it gave out
before lives for its hour.";

#[derive(Debug, Args)]
#[command(after_help = RECIPE)]
pub(crate) struct Expose {
    /// A repository to give out tokens for; can be repeated, for repositories of one owner
    #[arg(long = "repo", value_name = "OWNER/REPO|URL", required = true)]
    pub(crate) repositories: Vec<String>,
    /// What each token may do, such as contents=read; by default what the rules give to git
    #[arg(long, value_name = "NAME=LEVEL,..")]
    pub(crate) permissions: Option<String>,
    /// How long the socket stays, such as 30m; 8h by default, 7 days at most
    #[arg(long, value_name = "TIME")]
    pub(crate) ttl: Option<String>,
    /// The socket's path; by default in a directory of its own, beside the agent's socket
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// The socket's name, also in the audit log
    #[arg(long, value_parser = label)]
    pub(crate) label: Option<Label>,
    /// The only user that may connect, instead of your own; needs an agent of root
    #[arg(long, value_name = "N|NAME")]
    pub(crate) uid: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Unexpose {
    /// The socket's label or path, as `ghapp agent exposed` lists them
    #[arg(value_name = "LABEL|PATH")]
    pub(crate) which: String,
    /// Revoke at GitHub the tokens that the socket gave out
    #[arg(long)]
    pub(crate) revoke: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

fn label(text: &str) -> Result<Label, String> {
    Label::parse(text).map_err(str::to_owned)
}
