//! What the git of this machine really writes to a helper, recorded and read again.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::outcome;

/// Runs `git credential OPERATION` with a helper that records its input, and returns the record.
fn recorded(operation: &str, input: &str, configuration: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let record = directory.path().join("record");
    let mut command = Command::new("git");
    command
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
        // Nothing of this machine's configuration, nor of a repository above the directory.
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CEILING_DIRECTORIES", directory.path())
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("RECORD", &record)
        .current_dir(directory.path())
        .args(["-c", "credential.helper="])
        .args(["-c", "credential.helper=!f() { cat >\"$RECORD\"; echo username=x; echo password=y; }; f"]);
    for setting in configuration {
        command.args(["-c", setting]);
    }
    let mut git = command
        .args(["credential", operation])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("git is needed for this test");
    git.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = git.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    fs::read_to_string(record).unwrap()
}

// rule 50
#[test]
fn what_git_writes_is_understood_with_and_without_the_path() {
    for (url, without_path, with_path) in [
        ("https://github.com/acme/web.git", "github.com -", "github.com acme/web"),
        ("https://x-access-token@GitHub.com:443/acme/web", "github.com -", "github.com acme/web"),
        ("https://ghe.example.com:8443/Acme/web.js.git/", "ghe.example.com:8443 -", "ghe.example.com:8443 Acme/web.js"),
        ("https://gitlab.com/group/subgroup/project.git", "gitlab.com -", "not ours: Path"),
        ("https://mona@github.com/acme/web.git", "not ours: Username", "not ours: Username"),
        ("http://github.com/acme/web.git", "not ours: Protocol", "not ours: Protocol"),
        ("https://github.com/acme/%e2%80%a8web.git", "github.com -", "not ours: Path"),
    ] {
        let input = format!("url={url}\n\n");
        for (setting, expected) in
            [("credential.useHttpPath=false", without_path), ("credential.useHttpPath=true", with_path)]
        {
            let record = recorded("fill", &input, &[setting]);
            assert_eq!(outcome(&record), expected, "{url} {setting}: {record:?}");
        }
    }
}

#[test]
fn what_git_writes_after_a_refused_password_is_understood() {
    let input = "protocol=https\nhost=github.com\npath=acme/web.git\nusername=x-access-token\n\
                 password=ghs_example.not-a_real.token\nwwwauth[]=Basic realm=\"GitHub\"\n\n";
    let record = recorded("reject", input, &["credential.useHttpPath=true"]);
    assert!(record.contains("password="), "{record:?}");
    assert_eq!(outcome(&record), "github.com acme/web");
}
