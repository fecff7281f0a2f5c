//! `ghapp doctor`: for each check one thing is broken, and exactly one line says so.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod agent_side;
mod git_side;
mod github_side;
mod reports;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ghapp_tests::process::{self, Output};
use ghapp_tests::{Desk, binary};
use serde_json::Value;

/// A desk where all is well: logged in, and git names the helper by its path, since no package has put it where desktops look.
fn healthy() -> Desk {
    let desk = Desk::new();
    desk.log_in("memory").ok();
    wire(&desk);
    desk
}

fn wire(desk: &Desk) {
    desk.ghapp(["setup-git", "--absolute", "--host", desk.github.host()]).ok();
}

/// What the doctor said.
struct Visit {
    code: i32,
    checks: Vec<Value>,
    output: Output,
}

impl Visit {
    /// The state of a check.
    fn state(&self, id: &str) -> &str {
        let check = self.checks.iter().find(|check| check["id"] == id);
        check.unwrap_or_else(|| panic!("there is no {id}"))["state"].as_str().unwrap()
    }

    /// Asserts that all checks before this one are well, that it is in that state, and that it offers a fix.
    /// Returns its detail and its fix.
    #[track_caller]
    fn sees(&self, id: &str, state: &str) -> (String, String) {
        let amiss = |check: &&Value| !matches!(check["state"].as_str(), Some("ok" | "skip"));
        let first = self.checks.iter().find(amiss).unwrap_or_else(|| panic!("all is well: {:#?}", self.checks));
        assert_eq!((first["id"].as_str(), first["state"].as_str()), (Some(id), Some(state)), "{first:#}");
        let text = |key: &str| first[key].as_str().unwrap_or_else(|| panic!("no {key}: {first:#}")).to_owned();
        (text("detail"), text("fix"))
    }

    /// Asserts that nothing is amiss.
    #[track_caller]
    fn is_well(&self) {
        let amiss: Vec<_> =
            self.checks.iter().filter(|check| check["state"] != "ok" && check["state"] != "skip").collect();
        assert!(amiss.is_empty(), "{amiss:#?}");
        assert_eq!(self.code, 0);
    }
}

/// Asks the doctor about `acme/web`.
#[track_caller]
fn visit(desk: &Desk) -> Visit {
    visit_with(desk, ".", &[&desk.github.clone_url("acme/web")])
}

/// Asks the doctor in a directory of the desk, with these arguments.
#[track_caller]
fn visit_with(desk: &Desk, directory: &str, arguments: &[&str]) -> Visit {
    let mut command = desk.command(binary("ghapp"));
    command.arg("doctor").args(arguments).arg("--json").current_dir(desk.work().join(directory));
    let output = process::run(&mut command, b"");
    let mut json: Value = serde_json::from_str(&output.stdout()).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(json["schema"], 1);
    let code = output.status.code().unwrap();
    let Value::Array(checks) = json["checks"].take() else { panic!("no checks: {json}") };
    let failed = checks.iter().any(|check| check["state"] == "fail");
    assert_eq!((json["ok"].as_bool(), code == 0), (Some(!failed), !failed), "{checks:#?}");
    Visit { code, checks, output }
}

/// Pastes a fix into a shell.
#[track_caller]
fn paste(desk: &Desk, directory: &str, fix: &str) {
    let mut command = desk.command("sh");
    command.args(["-c", fix]).current_dir(desk.work().join(directory));
    process::run(&mut command, b"").ok();
}

/// Makes a shell script a program, in a directory of the desk.
fn install_script(desk: &Desk, path: &str, script: &str) {
    let path = desk.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Written by another process: see `Home::install` in cli/tests/cli/support.rs.
    let mut shell = desk.command("sh");
    shell.args(["-c", "printf '%s' \"$1\" > \"$2\" && chmod 755 \"$2\"", "sh", script]).arg(&path);
    process::run(&mut shell, b"").ok();
}

/// Puts a directory in front of `PATH`.
fn first_in_path(desk: &mut Desk, directory: &str) {
    let directory = desk.path(directory);
    let rest = desk.variable("PATH").to_owned();
    let all = [directory].into_iter().chain(std::env::split_paths(&rest)).collect::<Vec<_>>();
    desk.set_env("PATH", std::env::join_paths(all).unwrap());
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Changes a text in the configuration file.
#[track_caller]
fn edit_config(desk: &Desk, before: &str, after: &str) {
    let text = fs::read_to_string(desk.config_file()).unwrap();
    assert!(text.contains(before), "{text}");
    fs::write(desk.config_file(), text.replace(before, after)).unwrap();
}

#[test]
fn a_healthy_desk_gets_a_clean_bill_with_and_without_a_repository() {
    let desk = healthy();
    let visit = visit(&desk);
    visit.is_well();
    assert!(visit.checks.len() > 30);
    for id in
        ["git", "helper", "asked", "agent", "key", "network", "clock", "app", "permissions", "repository", "token"]
    {
        assert_eq!(visit.state(id), "ok", "{id}");
    }
    // The doctor asked for nothing beside git: the token that git got is the one that it will use.
    assert_eq!(desk.github.mints().len(), 1);
    let without = visit_with(&desk, ".", &[]);
    without.is_well();
    assert_eq!((without.state("repository"), without.state("token")), ("skip", "skip"));
    assert_eq!(desk.github.mints().len(), 1);
    desk.clone("acme/web").ok();
    let inside = visit_with(&desk, "web", &[]);
    inside.is_well();
    assert_eq!((inside.state("remote"), inside.state("token")), ("ok", "ok"));
}

#[test]
fn nothing_at_all_is_set_up_and_the_first_step_is_named() {
    let desk = Desk::new();
    let visit = visit_with(&desk, ".", &[]);
    let (detail, fix) = visit.sees("apps", "fail");
    assert_eq!(
        (detail.as_str(), fix.as_str()),
        ("no App is configured", "ghapp login --create  # for an App that exists: ghapp login --pem FILE --app-id N")
    );
    assert_eq!(visit.code, 3);
    assert_eq!(visit.state("asked"), "skip");
}
