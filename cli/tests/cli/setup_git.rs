//! `ghapp setup-git`, with real git and real files.

use std::fs;

use crate::support::Home;

const OWNER: &[&str] = &["setup-git", "--file", "gitconfig", "--host", "github.com", "--owner", "acme"];

fn values(home: &Home, key: &str) -> Vec<String> {
    let ended = home.git(&["config", "--file", "gitconfig", "--null", "--get-all", key]);
    let mut values: Vec<_> = ended.stdout.split('\0').map(str::to_owned).collect();
    values.pop();
    values
}

// rule 44
#[test]
fn it_writes_once_says_what_it_did_and_takes_exactly_that_back() {
    let home = Home::new();
    let before = "# mine\n\
        [user]\n\tname = Mona\n\
        [credential \"https://github.com/acme\"]\n\tusername = mona\n\thelper = \n\thelper = store\n\tuseHttpPath = false\n\
        [core]\n\teditor = vi\n";
    home.write("gitconfig", before);

    let first = home.run(OWNER);
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(
        first.stdout,
        "gitconfig: [credential \"https://github.com/acme\"]\n\
         \u{20}   before: helper = (reset), store\n\
         \u{20} + helper = (reset), ghapp\n\
         \u{20}   before: useHttpPath = false\n\
         \u{20} + useHttpPath = true\n\
         undo: ghapp setup-git --remove --file gitconfig --host github.com\n"
    );
    assert_eq!(values(&home, "credential.https://github.com/acme.helper"), ["", "store", "", "ghapp"]);
    assert_eq!(values(&home, "credential.https://github.com/acme.useHttpPath"), ["false", "true"]);

    let written = fs::read_to_string(home.path("gitconfig")).unwrap();
    let second = home.run(OWNER);
    assert!(second.stdout.contains("is set up already"), "{second:?}");
    assert_eq!(fs::read_to_string(home.path("gitconfig")).unwrap(), written);

    let removed = home.run(&["setup-git", "--remove", "--file", "gitconfig", "--host", "github.com"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(
        removed.stdout,
        "gitconfig: [credential \"https://github.com/acme\"]\n\
         \u{20}   before: helper = (reset), store, (reset), ghapp\n\
         \u{20}   now: helper = (reset), store\n\
         \u{20} - useHttpPath = true\n"
    );
    assert_eq!(values(&home, "credential.https://github.com/acme.helper"), ["", "store"]);
    assert_eq!(values(&home, "credential.https://github.com/acme.useHttpPath"), ["false"]);
    let after = fs::read_to_string(home.path("gitconfig")).unwrap();
    assert!(after.starts_with("# mine\n[user]\n\tname = Mona\n[credential") && after.contains("[core]"), "{after}");

    let again = home.run(&["setup-git", "--remove", "--file", "gitconfig", "--host", "github.com"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, "nothing of ghapp for github.com in gitconfig\n"));
}

#[test]
fn an_empty_file_is_empty_again_after_removal() {
    let home = Home::new();
    home.run(&["setup-git", "--file", "gitconfig", "--host", "GitHub.com", "--owner", "acme", "--owner", "octo"]);
    assert_eq!(values(&home, "credential.https://github.com/octo.helper"), ["", "ghapp"]);
    let ended = home.run(&["setup-git", "--file", "gitconfig", "--host", "github.com", "--remove", "--owner", "acme"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(values(&home, "credential.https://github.com/acme.helper").is_empty());
    assert_eq!(values(&home, "credential.https://github.com/octo.helper"), ["", "ghapp"]);
    home.run(&["setup-git", "--file", "gitconfig", "--host", "github.com", "--remove"]);
    assert_eq!(fs::read_to_string(home.path("gitconfig")).unwrap(), "");
}

#[test]
fn git_runs_what_was_written() {
    let home = Home::new();
    // A helper in a directory with a space, beside a copy of ghapp, as `--absolute` expects it.
    let directory = home.path("my tools");
    home.install_ghapp("my tools/ghapp");
    let script =
        "#!/bin/sh\n[ \"$1\" = get ] && grep -q '^path=acme/web' && printf 'username=u\\npassword=canary\\n'\n";
    let helper = home.install_script("my tools/git-credential-ghapp", script);

    let setup = |arguments: &[&str]| {
        let mut command = home.command(&directory.join("ghapp"));
        let output = command.args(["setup-git", "--host", "github.com"]).args(arguments).output().unwrap();
        crate::support::Ended::from(output)
    };
    let fill = || {
        let mut path = std::env::var_os("PATH").unwrap();
        path.push(":");
        path.push(&directory);
        let mut command = home.command("/bin/sh".as_ref());
        command
            .env("PATH", path)
            .env("GIT_TERMINAL_PROMPT", "0")
            .args(["-c", "printf 'protocol=https\\nhost=github.com\\npath=acme/web\\n' | git credential fill"]);
        crate::support::Ended::from(command.output().unwrap()).stdout
    };
    let bare = setup(&["--owner", "acme"]);
    assert!(bare.stderr.contains("not in PATH; add") && bare.stderr.contains("--absolute"), "{bare:?}");
    assert!(fill().contains("password=canary"));

    let absolute = setup(&["--owner", "acme", "--absolute"]);
    assert_eq!((absolute.code, absolute.stderr.as_str()), (0, ""), "{absolute:?}");
    let values = home.git(&["config", "--global", "--get-all", "credential.https://github.com/acme.helper"]);
    assert_eq!(values.stdout, format!("\n!'{}'\n", helper.display()));
    assert!(fill().contains("password=canary"));

    assert_eq!(setup(&["--remove"]).code, 0);
    assert!(!fill().contains("password"));
}

#[test]
fn print_writes_nothing_and_can_be_pasted() {
    let home = Home::new();
    let ended = home.run(&["setup-git", "--print", "--host", "github.com", "--owner", "acme"]);
    assert_eq!(
        ended.stdout,
        "[credential \"https://github.com/acme\"]\n\thelper =\n\thelper = ghapp\n\tuseHttpPath = true\n"
    );
    assert!(!home.path(".gitconfig").exists());
    home.write("gitconfig", &ended.stdout);
    assert!(home.run(OWNER).stdout.contains("is set up already"));
}

#[test]
fn the_host_is_that_of_the_configured_apps() {
    let home = Home::new();
    let none = home.run(&["setup-git", "--file", "gitconfig"]);
    assert_eq!(none.code, 3, "{none:?}");
    let app = |name: &str, host: &str| {
        format!("[[app]]\nname = \"{name}\"\nhost = \"{host}\"\napp_id = 1\nsigner = \"memory\"\n")
    };
    let path = home.run(&["config", "path"]).stdout;
    let config = home.path("config/ghapp/config.toml");
    assert_eq!(path, format!("{}\n", config.display()));
    home.write("config/ghapp/config.toml", app("a", "ghes.corp"));
    home.run(&["setup-git", "--file", "gitconfig"]);
    assert_eq!(values(&home, "credential.https://ghes.corp.helper"), ["", "ghapp"]);

    home.write("config/ghapp/config.toml", app("a", "ghes.corp") + &app("b", "github.com"));
    let two = home.run(&["setup-git", "--file", "gitconfig"]);
    assert_eq!(two.code, 2);
    assert!(two.stderr.contains("--host"), "{two:?}");
    let named = home.run(&["setup-git", "--file", "gitconfig", "--app", "b"]);
    assert_eq!(named.code, 0, "{named:?}");
    assert_eq!(values(&home, "credential.https://github.com.helper"), ["", "ghapp"]);
}

#[test]
fn what_git_refuses_is_said_in_its_own_words() {
    let home = Home::new();
    let ended = home.run(&["setup-git", "--local", "--host", "github.com"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("error[E49]: git failed: --local can only be used inside a git repository"),
        "{ended:?}"
    );

    let mut command = home.ghapp(&["setup-git", "--host", "github.com"]);
    let ended = crate::support::Ended::from(command.env("PATH", "/nowhere").output().unwrap());
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("error[E49]: git is not in PATH"), "{ended:?}");
}

#[test]
fn owners_are_not_told_apart_by_case() {
    let home = Home::new();
    let ended =
        home.run(&["setup-git", "--file", "gitconfig", "--host", "github.com", "--owner", "acme", "--owner", "Acme"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let sections = home.git(&["config", "--file", "gitconfig", "--get-regexp", "helper"]).stdout;
    assert_eq!(sections.lines().count(), 2, "{sections}");
    home.run(&["setup-git", "--file", "gitconfig", "--host", "github.com", "--remove", "--owner", "ACME"]);
    assert_eq!(fs::read_to_string(home.path("gitconfig")).unwrap(), "");
}

#[test]
fn ssh_addresses_are_rewritten_for_the_owners_that_are_named_and_back_again() {
    let home = Home::new();
    let before = "[url \"https://github.com/acme/\"]\n\tinsteadOf = gh:acme/\n";
    home.write("gitconfig", before);
    let flags = [&OWNER[1..], &["--ssh-remotes"]].concat();
    let setup = |more: &[&str]| home.run(&[&["setup-git"], flags.as_slice(), more].concat());
    let first = setup(&[]);
    assert_eq!(first.code, 0, "{first:?}");
    let expected = "gitconfig: [url \"https://github.com/acme/\"]\n    before: insteadOf = gh:acme/\n  \
                    + insteadOf = git@github.com:acme/\n  + insteadOf = ssh://git@github.com/acme/\n";
    assert!(first.stdout.contains(expected), "{}", first.stdout);
    let rewritten = |address: &str| {
        let mut command = home.command("git".as_ref());
        command.args(["ls-remote", "--get-url", address]).env("GIT_CONFIG_GLOBAL", home.path("gitconfig"));
        crate::support::Ended::from(command.output().unwrap()).stdout.trim_end().to_owned()
    };
    assert_eq!(rewritten("git@github.com:acme/web.git"), "https://github.com/acme/web.git");
    assert_eq!(rewritten("ssh://git@github.com/acme/web"), "https://github.com/acme/web");
    for other in
        ["git@github.com:acme-labs/web.git", "git@github.com.evil.example:acme/web.git", "git@gitlab.com:acme/web"]
    {
        assert_eq!(rewritten(other), other);
    }
    assert!(setup(&[]).stdout.contains("[url \"https://github.com/acme/\"] insteadOf is set up already"));

    let only = setup(&["--remove"]);
    assert_eq!(only.code, 0, "{only:?}");
    assert_eq!(values(&home, "url.https://github.com/acme/.insteadOf"), ["gh:acme/"]);
    assert_eq!(values(&home, "credential.https://github.com/acme.helper"), ["", "ghapp"], "only what was named");
    setup(&[]);
    home.run(&["setup-git", "--file", "gitconfig", "--host", "github.com", "--remove"]);
    assert_eq!(fs::read_to_string(home.path("gitconfig")).unwrap(), before);
}

#[test]
fn without_an_owner_all_ssh_addresses_of_the_host_are_rewritten() {
    let home = Home::new();
    home.run(&["setup-git", "--file", "gitconfig", "--host", "ghes.corp:8443", "--ssh-remotes"]);
    let rewriting = values(&home, "url.https://ghes.corp:8443/.insteadOf");
    assert_eq!(rewriting, ["git@ghes.corp:", "ssh://git@ghes.corp/"]);
    home.run(&["setup-git", "--file", "gitconfig", "--host", "ghes.corp:8443", "--remove", "--owner", "acme"]);
    assert_eq!(values(&home, "url.https://ghes.corp:8443/.insteadOf"), rewriting, "it is not for that owner alone");
    home.run(&["setup-git", "--file", "gitconfig", "--host", "ghes.corp:8443", "--remove"]);
    assert_eq!(fs::read_to_string(home.path("gitconfig")).unwrap(), "");
}

#[test]
fn tokens_for_public_repositories_are_for_owners_only() {
    let home = Home::new();
    let all = home.run(&["setup-git", "--file", "gitconfig", "--host", "github.com", "--public"]);
    assert_eq!(all.code, 2, "{all:?}");
    assert!(all.stderr.contains("hint: run: ghapp setup-git --host github.com --owner OWNER --public"), "{all:?}");
    assert!(!home.path("gitconfig").exists());
    let flags = [OWNER, &["--public"]].concat();
    assert_eq!(home.run(&flags).code, 0);
    assert_eq!(values(&home, "http.https://github.com/acme.proactiveAuth"), ["basic"]);
    home.run(&[OWNER, &["--remove"]].concat());
    assert_eq!(fs::read_to_string(home.path("gitconfig")).unwrap(), "");
}

#[test]
fn everything_can_be_printed_and_pasted() {
    let home = Home::new();
    let identity = serde_json::json!({
        "reply": "identity", "app": "acme-bot", "host": "github.com", "name": "acme-bot[bot]",
        "email": "7+acme-bot[bot]@users.noreply.github.com", "user_id": 7,
    });
    home.write("config/ghapp/config.toml", "[[app]]\nname = \"acme-bot\"\napp_id = 1\n");
    let agent = home.agent(vec![identity]);
    let ended = home.run(&[OWNER, &["--print", "--ssh-remotes", "--public", "--identity"]].concat());
    assert_eq!(
        ended.stdout,
        "[credential \"https://github.com/acme\"]\n\thelper =\n\thelper = ghapp\n\tuseHttpPath = true\n\
         [url \"https://github.com/acme/\"]\n\tinsteadOf = git@github.com:acme/\n\
         \tinsteadOf = ssh://git@github.com/acme/\n\
         [http \"https://github.com/acme\"]\n\tproactiveAuth = basic\n\
         [user]\n\tname = acme-bot[bot]\n\temail = 7+acme-bot[bot]@users.noreply.github.com\n"
    );
    assert!(!home.path("gitconfig").exists());
    assert_eq!(agent.asked()[0]["app"], "acme-bot");
    home.write("gitconfig", &ended.stdout);
    assert_eq!(values(&home, "user.name"), ["acme-bot[bot]"]);
    home.run(&["setup-git", "--file", "gitconfig", "--host", "github.com", "--remove"]);
    assert_eq!(fs::read_to_string(home.path("gitconfig")).unwrap(), "");
}
