//! Real git inside a sandbox.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::process::{self, Output};
use crate::sandbox::Sandbox;

impl Sandbox {
    /// Runs git in the sandbox's working directory.
    #[track_caller]
    pub fn git(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
        self.git_in(".", arguments)
    }

    /// Runs git in a directory below the sandbox's working directory, a clone for instance.
    #[track_caller]
    pub fn git_in(
        &self,
        directory: impl AsRef<Path>,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Output {
        process::run(self.git_command(directory).args(arguments), b"")
    }

    /// Runs `git credential OPERATION` with the attributes on standard input.
    #[track_caller]
    pub fn git_credential(&self, operation: &str, attributes: &str) -> Output {
        let mut command = self.git_command(".");
        process::run(command.args(["credential", operation]), attributes.as_bytes())
    }

    /// Writes a file in a clone and commits it.
    #[track_caller]
    pub fn commit(&self, clone: impl AsRef<Path>, file: &str, content: &str) {
        let clone = clone.as_ref();
        let path = self.work().join(clone).join(file);
        let directory = path.parent().expect("a file in a clone has a directory");
        std::fs::create_dir_all(directory).expect("the sandbox is writable");
        std::fs::write(&path, content).expect("the sandbox is writable");
        self.git_in(clone, ["add", "--all"]).ok();
        self.git_in(clone, ["commit", "--quiet", "--message", &format!("Change {file}")]).ok();
    }

    fn git_command(&self, directory: impl AsRef<Path>) -> Command {
        let mut command = self.command("git");
        command.current_dir(self.work().join(directory));
        command
    }
}
