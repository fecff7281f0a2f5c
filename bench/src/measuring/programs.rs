//! What is measured: our programs as they are shipped, git's own helper, and the least possible, in C.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// All of them, built.
pub(crate) struct Programs {
    /// The helper as packages ship it, or as near to that as this machine comes.
    pub(crate) packaged: PathBuf,
    /// Whether that is linked with musl.
    pub(crate) has_musl: bool,
    /// The helper of a plain release build: static glibc.
    pub(crate) plain: PathBuf,
    /// The agent of a release build.
    pub(crate) agent: PathBuf,
    /// The same exchange in C, static with glibc.
    pub(crate) floor_glibc: PathBuf,
    /// The same with musl.
    pub(crate) floor_musl: Option<PathBuf>,
    /// An echo server in C.
    pub(crate) echo: PathBuf,
    /// `git credential-cache`, as git itself runs it.
    pub(crate) cache: PathBuf,
    /// `gh`, if it is installed.
    pub(crate) gh: Option<PathBuf>,
    _directory: TempDir,
}

impl Programs {
    /// Builds our programs and those in C.
    pub(crate) fn build() -> Result<Programs> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // All beside this program, where the desk looks for them. In three calls: in one the helper would get the agent's features.
        for package in ["ghapp-agent", "ghapp", "git-credential-ghapp"] {
            let mut command = Command::new(&cargo);
            run(command.args(["build", "--quiet", "--release", "--locked", "-p", package]).current_dir(&root))?;
        }
        let plain_directory = ghapp_tests::binary_directory().join("../plain");
        let mut command = Command::new(&cargo);
        command.args(["build", "--quiet", "--release", "--locked"]).env("CARGO_TARGET_DIR", &plain_directory);
        run(command.current_dir(root.join("helper")))?;
        let target = output(Command::new("rustc").args(["--print", "host-tuple"]))?;
        let plain = plain_directory.join(target).join("release/git-credential-ghapp");
        let mut build = Command::new(root.join("packaging/build-helper"));
        // What is measured need not be what is shipped: a machine without the target for musl has its own.
        build.args(["--for-this-machine", "--quiet"]).stderr(Stdio::inherit());
        let packaged = PathBuf::from(output(&mut build)?);
        let has_musl = packaged.components().any(|part| part.as_os_str().to_string_lossy().ends_with("-musl"));

        let directory = tempfile::tempdir()?;
        let compile = |compiler: &str, source: &str, name: &str| -> Result<PathBuf> {
            let program = directory.path().join(name);
            let source = root.join("bench/floor").join(source);
            run(Command::new(compiler).args(["-O2", "-static", "-s", "-o"]).arg(&program).arg(source))?;
            Ok(program)
        };
        let cache = output(Command::new("git").arg("--exec-path"))?;
        Ok(Programs {
            packaged,
            has_musl,
            plain,
            agent: ghapp_tests::binary("ghapp-agent"),
            floor_glibc: compile("gcc", "exchange.c", "floor-glibc")?,
            floor_musl: found("musl-gcc").map(|_| compile("musl-gcc", "exchange.c", "floor-musl")).transpose()?,
            echo: compile("gcc", "echo.c", "echo")?,
            cache: Path::new(&cache).join("git-credential-cache"),
            gh: found("gh"),
            _directory: directory,
        })
    }
}

/// Where a program is, if it is installed.
fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|path| path.is_file())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}

/// The last line that a command prints.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().last().unwrap_or_default().to_owned())
}
