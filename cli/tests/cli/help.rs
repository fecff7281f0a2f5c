//! `ghapp help`: topics, commands and error ids, and the nearest one for a slip.

use ghapp_protocol::error::ErrorCode;

use crate::support::Home;

const TOPICS: [&str; 6] = ["config", "environment", "errors", "exit-codes", "git", "security"];

#[test]
fn without_a_topic_commands_and_topics_are_listed() {
    let help = Home::new().run(&["help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for word in TOPICS.iter().chain(&["setup-git", "E01 .."]) {
        assert!(help.stdout.contains(&format!("  {word} ")), "{word}: {}", help.stdout);
    }
}

#[test]
fn every_topic_has_a_text() {
    let home = Home::new();
    for topic in TOPICS {
        let ended = home.run(&["help", topic]);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{topic}");
        assert!(ended.stdout.starts_with(&format!("ghapp-{topic}(")), "{}", ended.stdout);
        assert!(!ended.stdout.lines().any(|line| line.starts_with('@')), "{}", ended.stdout);
    }
}

#[test]
fn an_error_id_is_explained_in_any_case() {
    let home = Home::new();
    for code in ErrorCode::ALL {
        let ended = home.run(&["help", &code.id().to_lowercase()]);
        assert!(ended.code == 0 && ended.stdout.trim_start().starts_with(code.id()), "{ended:?}");
        let words = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&format!("Exit code {};", code.exit())), "{ended:?}");
    }
}

#[test]
fn a_command_is_explained_as_by_its_flag() {
    let home = Home::new();
    for command in [&["leases"][..], &["exec"], &["agent", "expose"], &["agent"]] {
        let by_flag = home.run(&[command, &["--help"]].concat());
        let by_help = home.run(&[&["help"], command].concat());
        assert_eq!(by_help, by_flag);
    }
}

#[test]
fn a_slip_is_answered_with_the_nearest_one() {
    let home = Home::new();
    for (words, hint) in [
        (&["enviroment"][..], "did you mean: ghapp help environment"),
        (&["lesses"], "did you mean: ghapp help leases"),
        (&["agent", "stert"], "did you mean: ghapp help agent start"),
        (&["quite-another-thing"], "run: ghapp help"),
        (&["errors", "x"], "did you mean: ghapp help errors"),
    ] {
        let ended = home.run(&[&["help"], words].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{ended:?}");
        assert_eq!(
            ended.stderr,
            format!("ghapp: error[E46]: there is no such command or topic\nghapp: hint: {hint}\n"),
            "{words:?}"
        );
    }
}

#[test]
fn neither_help_nor_pages_need_a_home() {
    let home = Home::new();
    let directory = home.path("pages");
    for arguments in [&["help", "git"][..], &["completion", "bash"], &["man", "--dir", directory.to_str().unwrap()]] {
        let mut command = home.ghapp(arguments);
        let output = command.env_clear().output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
    assert!(directory.join("man1/git-credential-ghapp.1").is_file());
}
