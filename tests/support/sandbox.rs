//! A private home for git and the programs under test: nothing of the machine's configuration reaches them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::GitHub;

/// Where the directories of a test lie. Not `TMPDIR`, which may be long: a Unix socket's path has about 104 bytes.
#[cfg(unix)]
const SHORT_DIRECTORY: &str = "/tmp";

/// A temporary directory that is home, runtime directory and configuration of everything a test starts.
#[derive(Debug)]
pub struct Sandbox {
    root: TempDir,
    environment: BTreeMap<OsString, OsString>,
}

impl Default for Sandbox {
    fn default() -> Sandbox {
        Sandbox::new()
    }
}

impl Sandbox {
    /// Makes an empty sandbox with an author for commits and nothing else configured.
    pub fn new() -> Sandbox {
        let root = temporary_directory().expect("the temporary directory is writable");
        let mut sandbox = Sandbox { root, environment: BTreeMap::new() };

        let home = sandbox.path("home");
        let directories = [
            ("HOME", home.clone()),
            // The runtime directory holds the agent's socket; systemd makes it 0700, as everything here is.
            ("XDG_RUNTIME_DIR", sandbox.path("run")),
            ("XDG_CONFIG_HOME", home.join(".config")),
            ("XDG_STATE_HOME", home.join(".local/state")),
            ("XDG_DATA_HOME", home.join(".local/share")),
            ("XDG_CACHE_HOME", home.join(".cache")),
        ];
        for (name, directory) in directories {
            make_private(&directory);
            sandbox.set_env(name, directory);
        }
        make_private(&sandbox.work());

        let git_config = home.join(".gitconfig");
        let author = "[user]\n\tname = A Developer\n\temail = developer@example.com\n";
        fs::write(&git_config, format!("{author}[init]\n\tdefaultBranch = main\n")).expect("the sandbox is writable");
        sandbox.set_env("GIT_CONFIG_GLOBAL", git_config);
        sandbox.set_env("GIT_CONFIG_NOSYSTEM", "1");
        // A test that would wait for a person fails instead.
        sandbox.set_env("GIT_TERMINAL_PROMPT", "0");
        // git's messages are asserted, so they must not be translated.
        sandbox.set_env("LC_ALL", "C");
        sandbox.set_env("PATH", search_path());
        sandbox
    }

    /// Returns a path inside the sandbox.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.path().join(relative)
    }

    /// The directory commands run in.
    pub fn work(&self) -> PathBuf {
        self.path("work")
    }

    /// The user's home directory.
    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// The user's runtime directory.
    pub fn runtime_directory(&self) -> PathBuf {
        self.path("run")
    }

    /// Sets a variable for every command from now on.
    pub fn set_env(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.environment.insert(name.into(), value.into());
    }

    /// Removes a variable for every command from now on.
    pub fn remove_env(&mut self, name: impl AsRef<OsStr>) {
        self.environment.remove(name.as_ref());
    }

    /// A variable as every command sees it.
    ///
    /// # Panics
    ///
    /// When it is not set.
    pub fn variable(&self, name: &str) -> &OsStr {
        self.environment.get(OsStr::new(name)).expect("the variable is set in the sandbox")
    }

    /// Returns a command that sees the sandbox's environment and nothing of the test's own.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.environment).current_dir(self.work());
        command
    }

    /// Makes git alone trust the simulator's CA: the agent has to be told with `--ca-file`.
    pub fn trust_in_git(&self, github: &GitHub) {
        let key = format!("http.https://{}/.sslCAInfo", github.host());
        self.git([OsStr::new("config"), "--global".as_ref(), key.as_ref(), github.ca_file().as_ref()]).ok();
    }

    /// Makes git and the programs under test trust the simulator's CA.
    ///
    /// git learns it per host, as users with a private CA do; for the agent the CAs of all trusted simulators are
    /// collected in one file that `SSL_CERT_FILE` names.
    pub fn trust(&mut self, github: &GitHub) {
        self.trust_in_git(github);
        let ca_file = github.ca_file();
        let bundle = self.path("trusted.pem");
        let mut trusted = fs::read_to_string(&bundle).unwrap_or_default();
        trusted += &fs::read_to_string(ca_file).expect("the simulator wrote its CA");
        fs::write(&bundle, trusted).expect("the sandbox is writable");
        self.set_env("SSL_CERT_FILE", bundle);
    }
}

/// The programs under test first, then the machine's: git and sh must come from somewhere.
fn search_path() -> OsString {
    let machine = std::env::var_os("PATH").unwrap_or_default();
    let directories = [crate::binary_directory()].into_iter().chain(std::env::split_paths(&machine));
    std::env::join_paths(directories).expect("directories from PATH can be joined to a PATH")
}

#[cfg(unix)]
fn temporary_directory() -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("ghapp").tempdir_in(SHORT_DIRECTORY)
}

#[cfg(not(unix))]
fn temporary_directory() -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("ghapp").tempdir()
}

fn make_private(directory: &Path) {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).expect("the sandbox is writable");
}
