//! The command lines of `ghapp help`, `completion` and `man`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct Help {
    /// A command, an error id such as E17, or a topic
    #[arg(value_name = "COMMAND|TOPIC|ID")]
    pub(in crate::cli) topic: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Completion {
    /// The shell
    pub(in crate::cli) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Man {
    /// Where to; the pages go into man1, man5 and man7 below it
    #[arg(long, value_name = "D")]
    pub(in crate::cli) dir: PathBuf,
}
