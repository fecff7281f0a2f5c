//! `ghapp which`.

use serde_json::{Value, json};

use crate::support::{Home, error};

fn route() -> Value {
    json!({
        "reply": "route", "host": "github.com", "repository": "acme/web", "rule": "github.com/acme/*", "app": "acme-bot",
        "installation_id": 4711, "account": "acme", "repository_selection": "selected",
        "permissions": {"contents": "write"}, "lowered": ["workflows"], "covered": true,
        "reason": "git gets a token for acme/web with contents:write",
    })
}

fn not_covered(code: &str) -> Value {
    json!({
        "reply": "route", "host": "github.com", "repository": "acme/web", "app": "acme-bot", "covered": false,
        "reason": "acme-bot is not installed on acme", "code": code, "hint": "install it: https://github.com/apps/acme-bot",
    })
}

#[test]
fn a_person_reads_a_short_list() {
    let home = Home::new();
    let file = home.write(
        ".gitconfig",
        "[credential]\n\thelper = cache\n[credential \"https://github.com\"]\n\thelper =\n\thelper = ghapp\n\tuseHttpPath = true\n",
    );
    let agent = home.agent(vec![route(), not_covered("not_installed")]);
    let ended = home.run(&["which", "https://github.com/acme/web.git"]);
    let (code, stdout, stderr) = (ended.code, ended.stdout, ended.stderr);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let file = file.display();
    assert_eq!(
        stdout,
        format!(
            "remote       github.com/acme/web\n\
             helper       ghapp  ({file})\n\
             useHttpPath  true\n\
             rule         github.com/acme/*\n\
             app          acme-bot\n\
             installation 4711 on acme (selected repositories)\n\
             permissions  contents:write\n\
             lowered      workflows, to what the installation grants\n\
             covered      yes: git gets a token for acme/web with contents:write\n"
        )
    );
    let ended = home.run(&["which", "https://github.com/acme/web.git"]);
    assert_eq!(ended.code, 9);
    assert!(ended.stdout.ends_with(
        "rule         none: the App that is installed on the owner\napp          acme-bot\ncovered      no\n"
    ));
    assert_eq!(
        ended.stderr,
        "ghapp: error[E17]: acme-bot is not installed on acme\nghapp: hint: install it: https://github.com/apps/acme-bot\n"
    );
    agent.asked();
}

#[test]
fn a_script_reads_every_key_whatever_is_known() {
    let home = Home::new();
    let agent = home.agent(vec![route(), not_covered("not_installed")]);
    let ended = home.run(&["which", "acme/web", "--json"]);
    assert_eq!(ended.code, 0);
    assert_eq!(
        ended.json(),
        json!({
            "schema": 1, "host": "github.com", "owner": "acme", "repository": "web", "helpers": [], "use_http_path": false,
            "rule": "github.com/acme/*", "app": "acme-bot", "installation_id": 4711, "account": "acme",
            "repository_selection": "selected", "permissions": {"contents": "write"}, "lowered": ["workflows"],
            "covered": true, "reason": "git gets a token for acme/web with contents:write", "code": null, "hint": null,
        })
    );
    let ended = home.run(&["which", "acme/web", "--json"]);
    assert_eq!(ended.code, 9);
    assert_eq!(
        ended.json(),
        json!({
            "schema": 1, "host": "github.com", "owner": "acme", "repository": "web", "helpers": [], "use_http_path": false,
            "rule": null, "app": "acme-bot", "installation_id": null, "account": null, "repository_selection": null,
            "permissions": {}, "lowered": [], "covered": false, "reason": "acme-bot is not installed on acme",
            "code": "not_installed", "hint": "install it: https://github.com/apps/acme-bot",
        })
    );
    agent.asked();
}

#[test]
fn the_exit_code_is_that_of_the_cause() {
    let home = Home::new();
    let causes = [
        ("not_covered", 9),
        ("host_not_configured", 3),
        ("suspended", 7),
        ("permission_missing", 7),
        ("rate_limited", 7),
        ("unreachable", 8),
        ("keyring_locked", 6),
        ("login_needed", 4),
        ("denied", 1),
        ("of_the_future", 1),
    ];
    let mut replies: Vec<_> = causes.iter().map(|(code, _)| not_covered(code)).collect();
    let mut without = not_covered("");
    without.as_object_mut().unwrap().remove("code");
    replies.extend([without, error("config", "config.toml:3:1: no", "mend it")]);
    let agent = home.agent(replies);
    for (code, exit) in causes {
        assert_eq!(home.run(&["which", "acme/web", "--json"]).code, exit, "{code}");
    }
    assert_eq!(home.run(&["which", "acme/web"]).code, 9, "whatever the reason");
    let broken = home.run(&["which", "acme/web", "--json"]);
    assert_eq!((broken.code, broken.stdout.as_str()), (2, ""));
    agent.asked();
}

#[test]
fn a_remote_is_a_url_a_name_or_the_origin_of_the_current_directory() {
    let home = Home::new();
    let outside = home.run(&["which"]);
    assert!(outside.stderr.contains("hint: name the repository: ghapp which OWNER/REPO"), "{outside:?}");
    home.git(&["init", "--quiet"]);
    home.git(&["remote", "add", "origin", "https://github.com/acme/web.git"]);
    let agent = home.agent(vec![route(), route(), route(), route()]);
    assert_eq!(home.run(&["which"]).code, 0);
    assert_eq!(home.run(&["which", "."]).code, 0);
    assert_eq!(home.run(&["which", "acme/web", "--app", "acme-bot"]).code, 0);
    assert_eq!(home.run(&["which", "https://ghes.corp:8443/acme/web"]).code, 0);
    let here = json!({"call": "which", "host": "github.com", "repository": "acme/web"});
    assert_eq!(
        agent.asked(),
        [
            here.clone(),
            here,
            json!({"call": "which", "repository": "acme/web", "app": "acme-bot"}),
            json!({"call": "which", "host": "ghes.corp:8443", "repository": "acme/web"}),
        ]
    );
    let ssh = home.run(&["which", "git@github.com:acme/web.git"]);
    assert_eq!(ssh.code, 2);
    assert!(ssh.stderr.contains("hint: run: ghapp which https://github.com/acme/web.git"), "{ssh:?}");
    let nonsense = home.run(&["which", "https://ghs_canary/x"]);
    assert_eq!(nonsense.code, 2);
    assert!(!nonsense.stderr.contains("canary"), "{nonsense:?}");
}

#[test]
fn what_keeps_git_from_asking_ghapp_is_said() {
    let home = Home::new();
    let agent = home.agent(vec![route(), route(), route(), route(), route()]);
    let which = |url: &str| home.run(&["which", url]);
    let url = "https://github.com/acme/web.git";
    let without = which(url);
    assert!(without.stdout.contains("helper       none: git asks a person\n"), "{without:?}");
    assert_eq!(
        without.stderr,
        "ghapp: warning: git does not ask ghapp for this remote; run: ghapp setup-git --host github.com\n"
    );
    home.write(".gitconfig", "[credential]\n\thelper = store\n\thelper = ghapp\n");
    let late = which(url);
    assert!(late.stderr.contains("git does not tell helpers the path; run: git config --global"), "{late:?}");
    assert!(late.stderr.contains("git asks store first, and ghapp only if it has no answer"), "{late:?}");
    home.write(".gitconfig", "[credential]\n\thelper = ghapp --owner=acme\n");
    assert_eq!(which(url).stderr, "");
    let somebody = which("https://ghp_canary@github.com/acme/web.git");
    assert!(somebody.stderr.contains("the URL names a user, so ghapp leaves the remote"), "{somebody:?}");
    home.write(".gitconfig", "[credential]\n\thelper = \"!f() { echo password=ghs_canary; }; f\"\n");
    let hidden = home.run(&["which", url, "--json"]);
    assert_eq!(hidden.json()["helpers"][0]["command"], "a shell command");
    assert!(!format!("{somebody:?}{hidden:?}").contains("canary"));
    agent.asked();
}

/// git itself is the judge: its helpers write down that git asked them, and whether it told them the path.
#[test]
fn the_helpers_are_those_that_git_asks_in_its_order() {
    let home = Home::new();
    let names = ["all", "host", "wild", "owner", "part", "scheme", "user", "other", "late", "deep", "above", "exact"];
    let script = "#!/bin/sh\ncat > \"$HOME/told\"\necho \"${0##*-}\" >> \"$HOME/asked\"\n";
    for name in names {
        home.install_script(&format!("helper-{name}"), script);
    }
    let helper = |name: &str| format!("\thelper = {}\n", home.path(&format!("helper-{name}")).display());
    let section = |url: &str, rest: String| format!("[credential \"{url}\"]\n{rest}");
    let global = [
        format!("[credential]\n{}", helper("all")),
        section("https://GitHub.com", helper("host")),
        section("https://*.com:443", helper("wild")),
        section("https://github.com/acme/", format!("{}\tuseHttpPath = yes\n", helper("owner"))),
        section("https://github.com/acme/we", helper("other")),
        section("https://github.com/ACME", helper("other")),
        section("http://github.com", helper("other")),
        section("https://hub.com", helper("other")),
        section("github.com", helper("part")),
        section("github.com/acme", helper("other")),
        section("github.com/acme/web.git", helper("exact")),
        section("https://", helper("scheme")),
        section("https://mona@github.com", helper("user")),
        section("https://github.com:8443", helper("above")),
        section("https://github.com/acme/web.git", helper("deep")),
    ]
    .concat();
    home.write(".gitconfig", global);
    home.git(&["init", "--quiet"]);
    let local = section("https://github.com/octo", format!("\thelper =\n{}\tuseHttpPath = off\n", helper("late")));
    std::fs::write(home.path(".git/config"), local).unwrap();

    let urls = [
        ("https", "github.com", "acme/web.git", ""),
        ("https", "github.com", "acme/web", ""),
        ("https", "github.com", "acme/web.git", "mona"),
        ("https", "github.com", "octo/web.git", ""),
        ("https", "github.com:8443", "acme/web.git", ""),
        ("https", "ghes.corp", "acme/web", ""),
        ("https", "api.github.com", "acme/web", ""),
    ];
    let agent = home.agent(urls.iter().map(|_| route()).collect());
    for (protocol, host, path, user) in urls {
        let at = if user.is_empty() { String::new() } else { format!("{user}@") };
        let which = home.run(&["which", &format!("{protocol}://{at}{host}/{path}"), "--json"]).json();
        let told = which["helpers"].as_array().unwrap().iter().map(|helper| {
            let command = helper["command"].as_str().unwrap();
            format!("{}\n", command.rsplit('-').next().unwrap())
        });
        let told: String = told.collect();

        let attributes = format!("url={protocol}://{at}{host}/{path}\n\n");
        home.write("asked", "");
        home.write("told", "");
        home.credential_fill(&attributes);
        assert_eq!(told, std::fs::read_to_string(home.path("asked")).unwrap(), "{at}{host}/{path}");
        let path_told = std::fs::read_to_string(home.path("told")).unwrap().contains("path=");
        assert_eq!(which["use_http_path"], path_told, "{at}{host}/{path}");
    }
    agent.asked();
}
