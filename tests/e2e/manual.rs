//! Manual pages and completions: how `man`, git and the shells read them.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use ghapp_tests::Desk;
use ghapp_tests::process::{self, Output};
use ghapp_tests::tools::{Tool, all_there};

const MANDOC: &[Tool] = &[Tool { program: "mandoc", package: "mandoc" }];
const MAN: &[Tool] = &[Tool { program: "man", package: "man-db" }, Tool { program: "groff", package: "groff" }];
const SHELLS: &[Tool] = &[
    Tool { program: "bash", package: "bash" },
    Tool { program: "zsh", package: "zsh" },
    Tool { program: "fish", package: "fish" },
];

/// Writes the pages, and returns where they are.
fn pages(desk: &Desk) -> PathBuf {
    let directory = desk.path("man");
    desk.ghapp(["man", "--dir", directory.to_str().unwrap()]).ok();
    directory
}

/// All pages, each as `SECTION/NAME`.
fn names(directory: &std::path::Path) -> BTreeSet<String> {
    let entries = |path: PathBuf| fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let files = entries(directory.to_owned()).flat_map(entries);
    files.map(|file| file.strip_prefix(directory).unwrap().display().to_string()).collect()
}

fn run(desk: &Desk, program: &str, arguments: &[&str]) -> Output {
    process::run(desk.command(program).args(arguments), b"")
}

#[test]
fn there_is_a_page_for_every_program_command_and_topic() {
    let desk = Desk::new();
    let names = names(&pages(&desk));
    for page in [
        "man1/git-credential-ghapp.1",
        "man1/ghapp-agent.1",
        "man1/ghapp.1",
        "man1/ghapp-login.1",
        "man1/ghapp-agent-expose.1",
        "man5/ghapp-config.5",
        "man7/ghapp-environment.7",
        "man7/ghapp-errors.7",
        "man7/ghapp-exit-codes.7",
        "man7/ghapp-git.7",
        "man7/ghapp-security.7",
    ] {
        assert!(names.contains(page), "{page} is not in {names:?}");
    }
    let helps: Vec<_> = names.iter().filter(|name| name.contains("help")).collect();
    assert_eq!(helps, ["man1/ghapp-help.1"]);
}

#[test]
fn the_pages_are_clean() {
    if !all_there(MANDOC) || !all_there(MAN) {
        return;
    }
    let mut desk = Desk::new();
    let directory = pages(&desk);
    desk.set_env("MANWIDTH", "80");
    desk.set_env("LC_ALL", "C.UTF-8");
    for name in names(&directory) {
        let page = directory.join(&name).display().to_string();
        let lint = run(&desk, "mandoc", &["-T", "lint", "-W", "warning", &page]);
        assert_eq!((lint.ok().stdout(), lint.stderr()), (String::new(), String::new()));
        let shown = run(&desk, "man", &["--warnings", "-l", &page]);
        assert_eq!(shown.ok().stderr(), "", "{name}");
        assert!(shown.stdout().contains("NAME"), "{name}");
    }
}

#[test]
fn git_shows_the_page_of_the_helper() {
    if !all_there(MAN) {
        return;
    }
    let mut desk = Desk::new();
    let directory = pages(&desk);
    desk.set_env("MANPATH", &directory);
    desk.set_env("LC_ALL", "C.UTF-8");
    for arguments in [["help", "credential-ghapp"], ["credential-ghapp", "--help"]] {
        let page = run(&desk, "git", &arguments).ok().stdout();
        assert!(page.contains("git-credential-ghapp") && page.contains("GHAPP_SOCKET"), "{page}");
    }
}

#[test]
fn shells_load_the_completions_and_complete_commands_topics_and_flags() {
    if !all_there(SHELLS) {
        return;
    }
    let desk = Desk::new();
    let script = |shell: &str| {
        let path = desk.path(format!("_ghapp.{shell}"));
        fs::write(&path, desk.ghapp(["completion", shell]).ok().stdout()).unwrap();
        path.display().to_string()
    };
    for (words, offered) in [(&["ghapp", "setu"][..], "setup-git"), (&["ghapp", "help", "enviro"], "environment")] {
        let last = words.len() - 1;
        let bash = format!(
            "source {}; COMP_WORDS=({}); COMP_CWORD={last}; _ghapp ghapp {} {}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script("bash"),
            words.join(" "),
            words[last],
            words[last - 1],
        );
        let bash = run(&desk, "bash", &["--norc", "-c", &bash]);
        assert_eq!(bash.ok().stdout().trim(), offered, "bash: {}", bash.stderr());
        let fish = format!("source {}; complete -C '{}'", script("fish"), words.join(" "));
        let fish = run(&desk, "fish", &["--no-config", "-c", &fish]);
        assert!(fish.ok().stdout().starts_with(offered), "fish: {} {}", fish.stdout(), fish.stderr());
        // zsh completes in its line editor only, which wants a terminal: zpty is one.
        let directory = desk.path("zsh");
        fs::create_dir_all(&directory).unwrap();
        fs::copy(script("zsh"), directory.join("_ghapp")).unwrap();
        let zsh = ZSH.replace("DIRECTORY", &directory.display().to_string()).replace("LINE", &words.join(" "));
        let zsh = run(&desk, "zsh", &["-f", "-c", &zsh]);
        assert!(zsh.ok().stdout().contains(&format!("{offered} ")), "zsh: {} {}", zsh.stdout(), zsh.stderr());
    }
    assert!(run(&desk, "zsh", &["-n", &script("zsh")]).status.success());
    let powershell = fs::read_to_string(script("powershell")).unwrap();
    assert!(powershell.contains("Register-ArgumentCompleter") && powershell.contains("'setup-git'"), "{powershell}");
}

/// Types a line and a tab into a zsh of its own, and prints the line that results.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty -b shell zsh -f -i
zpty -w shell "PS1=; stty -echo; fpath=(DIRECTORY \$fpath); autoload -Uz compinit; compinit -u -D; print READY"
zpty -r shell line '*READY*READY*'
zpty -n -w shell $'LINE\t; print DONE\n'
zpty -r shell line '*DONE*'
print -r -- "$line"
zpty -d shell
"#;
