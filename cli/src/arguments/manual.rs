//! The command lines of `ghapp help`, `completion` and `man`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Help {
    /// A command, an error id such as E17, or a topic
    #[arg(value_name = "COMMAND|TOPIC|ID")]
    pub(crate) topic: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The directory; the pages go into man1, man5 and man7 below it
    #[arg(long, value_name = "D")]
    pub(crate) dir: PathBuf,
}
