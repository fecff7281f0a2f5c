//! An agent inherits no file of its starter: who reads a pipe that it kept open would wait for as long as it lives.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::fs;
use std::path::Path;
use std::process::Command;

use ghapp_tests::process::{self, Running};
use ghapp_tests::tools::can_see_open_files;
use ghapp_tests::{Desk, binary};

/// A command that a shell starts with two further files open, as git's own tests and `make -j` do.
fn with_open_files(desk: &Desk, file: &Path, arguments: &[&str]) -> Command {
    let mut command = desk.command("sh");
    command.args(["-c", r#"file=$1; shift; exec 7<"$file" 9>>"$file"; exec "$@""#, "sh"]).arg(file).args(arguments);
    command
}

/// What a process has open under which number, but its streams.
fn open_files(pid: u32) -> Vec<(String, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().map(|entry| entry.unwrap());
    let named = entries.map(|entry| {
        let target = fs::read_link(entry.path()).unwrap_or_default();
        (entry.file_name().to_string_lossy().into_owned(), target.to_string_lossy().into_owned())
    });
    named.collect()
}

#[test]
fn however_it_is_started_it_keeps_no_file_of_its_starter() {
    if !can_see_open_files() {
        return;
    }
    let desk = Desk::ready();
    let file = desk.path("open");
    fs::write(&file, "").unwrap();
    let name = file.display().to_string();
    let assert_closed = |pid| {
        let kept: Vec<_> = open_files(pid).into_iter().filter(|(_, target)| *target == name).collect();
        assert!(kept.is_empty(), "{kept:?}");
    };
    let helper = binary("git-credential-ghapp").display().to_string();
    let ghapp = binary("ghapp").display().to_string();
    for start in [[helper.as_str(), "get"].as_slice(), &[&ghapp, "agent", "start"]] {
        desk.stop_agent();
        let request = format!("protocol=https\nhost={}\npath=acme/web.git\n\n", desk.github.host());
        process::run(&mut with_open_files(&desk, &file, start), request.as_bytes());
        assert_closed(desk.agent().expect("it was started").pid);
    }
    desk.stop_agent();
    let agent = binary("ghapp-agent").display().to_string();
    let foreground = Running::spawn(&mut with_open_files(&desk, &file, &[&agent, "--foreground"]));
    foreground.wait_for_line("listening");
    assert_closed(foreground.pid());
    // What it is to run for somebody has what its starter meant for it.
    let command = [&ghapp, "agent", "run", "--", "sh", "-c", "echo kept >&9"];
    process::run(&mut with_open_files(&desk, &file, &command), b"").ok();
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept\n");
}
