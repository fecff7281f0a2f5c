//! How `packaging/build-helper` decides what it builds with. Stand-ins for compilers write down what they were asked to do.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use tempfile::TempDir;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/build-helper");
/// What the script needs beside compilers.
const TOOLS: &[&str] = &["bash", "dirname", "realpath", "uname", "mkdir", "grep", "head"];
const NOT_FOR_SHIPPING: &str = "for this machine and not for shipping";

/// Every compiler, by the name that it is called by.
const STAND_IN: &str = r#"#!/bin/sh
case ${0##*/}:$* in
    rustc:*sysroot) echo "$MACHINE/sysroot" ;;
    rustc:*host-tuple) echo this-host ;;
    cargo:*) echo "$* BOOTSTRAP=$RUSTC_BOOTSTRAP FLAGS=$RUSTFLAGS" >>"$MACHINE/asked" && exit "$CARGO_ENDS_WITH" ;;
    musl-gcc:*-###*) echo '"/musl/crti.o"' >&2 ;;
    gcc:*) echo /gcc/libgcc_eh.a ;;
esac
"#;

/// Written before any process is started: one that was just forked would have it open for writing, and then it cannot be run.
static COMPILER: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("stand-in");
    fs::write(&path, STAND_IN).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    (directory, path)
});

/// A machine with a compiler, and nothing that was not put there.
struct Machine {
    directory: TempDir,
    /// The target for musl.
    musl: String,
}

impl Machine {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let machine = Self { directory, musl: format!("{}-unknown-linux-musl", std::env::consts::ARCH) };
        fs::create_dir(machine.path("bin")).unwrap();
        let places: Vec<_> = std::env::split_paths(&std::env::var_os("PATH").unwrap()).collect();
        for tool in TOOLS {
            let found = places.iter().map(|place| place.join(tool)).find(|path| path.is_file());
            machine.link(&found.expect(tool), tool);
        }
        machine.with_compilers(&["rustc", "cargo"])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn link(&self, program: &Path, name: &str) {
        symlink(program, self.path("bin").join(name)).unwrap();
    }

    fn with_compilers(self, names: &[&str]) -> Self {
        for name in names {
            self.link(&COMPILER.1, name);
        }
        self
    }

    /// Installs the standard library for musl.
    fn with_target(self) -> Self {
        fs::create_dir_all(self.path("sysroot/lib/rustlib").join(&self.musl).join("lib")).unwrap();
        self
    }

    /// Installs the source of the standard library, and a C compiler for musl.
    fn with_source(self) -> Self {
        fs::create_dir_all(self.path("sysroot/lib/rustlib/src/rust/library/std")).unwrap();
        self.with_compilers(&["musl-gcc", "gcc"])
    }

    fn build(&self, arguments: &[&str], cargo_ends_with: &str) -> Built {
        let mut script = Command::new(self.path("bin/bash"));
        script.arg(SCRIPT).args(arguments).env_clear();
        script.env("PATH", self.path("bin")).env("CARGO_TARGET_DIR", self.path("target"));
        script.env("MACHINE", self.path("")).env("CARGO_ENDS_WITH", cargo_ends_with);
        let Output { status, stdout, stderr } = script.output().unwrap();
        Built {
            code: status.code(),
            program: String::from_utf8(stdout).unwrap().trim_end().into(),
            said: String::from_utf8(stderr).unwrap(),
            asked: fs::read_to_string(self.path("asked")).unwrap_or_default(),
        }
    }
}

/// What the script did.
#[derive(Debug)]
struct Built {
    code: Option<i32>,
    program: PathBuf,
    said: String,
    /// What cargo was asked to do.
    asked: String,
}

#[test]
fn without_the_target_for_musl_nothing_is_built_and_both_ways_out_are_named() {
    for machine in [Machine::new(), Machine::new().with_source()] {
        let built = machine.build(&["--quiet"], "0");
        assert_eq!((built.code, built.program.as_path(), built.asked.as_str()), (Some(1), Path::new(""), ""));
        assert!(built.said.contains(&format!("rustup target add {}", machine.musl)), "{built:?}");
        assert!(built.said.contains("packaging/build-helper --for-this-machine"), "{built:?}");
    }
}

#[test]
fn the_target_for_musl_is_used_where_it_is_installed_whatever_was_permitted() {
    for arguments in [&["--quiet"][..], &["--for-this-machine", "--quiet"], &["--quiet", "--for-this-machine"]] {
        let machine = Machine::new().with_target().with_source();
        let built = machine.build(arguments, "0");
        let musl = &machine.musl;
        let asked = format!("build --release --locked -p git-credential-ghapp --target {musl} --quiet");
        assert_eq!(built.asked, format!("{asked} BOOTSTRAP= FLAGS=\n"));
        assert_eq!((built.code, built.said.as_str()), (Some(0), ""));
        assert_eq!(built.program, machine.path(&format!("target/packaged/{musl}/release/git-credential-ghapp")));
    }
}

#[test]
fn what_is_built_from_the_source_of_the_standard_library_is_said_to_be_for_this_machine() {
    let machine = Machine::new().with_source();
    let built = machine.build(&["--for-this-machine", "--quiet"], "0");
    assert!(built.asked.contains(" -Zbuild-std=std,panic_abort ") && built.asked.contains(" --quiet "), "{built:?}");
    assert!(built.asked.contains("BOOTSTRAP=1") && built.asked.contains("/musl/rcrt1.o"), "{built:?}");
    assert!(built.code == Some(0) && built.said.contains(NOT_FOR_SHIPPING), "{built:?}");
    let place = format!("target/for-this-machine/{}/release/git-credential-ghapp", machine.musl);
    assert_eq!(built.program, machine.path(&place));
}

#[test]
fn what_is_linked_with_glibc_is_said_to_be_for_this_machine() {
    let machine = Machine::new();
    let built = machine.build(&["--for-this-machine"], "0");
    assert!(built.asked.contains("--target this-host BOOTSTRAP= FLAGS=-C target-feature=+crt-static"), "{built:?}");
    assert!(built.code == Some(0) && built.said.contains(NOT_FOR_SHIPPING), "{built:?}");
    assert_eq!(built.program, machine.path("target/for-this-machine/this-host/release/git-credential-ghapp"));
}

#[test]
fn what_cannot_be_built_is_no_program() {
    for machine in [Machine::new().with_target(), Machine::new().with_source(), Machine::new()] {
        let built = machine.build(&["--for-this-machine"], "101");
        assert_eq!((built.code, built.program.as_path(), built.said.as_str()), (Some(101), Path::new(""), ""));
    }
}
