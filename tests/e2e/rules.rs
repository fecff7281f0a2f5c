//! Rules: first match wins, deny, the reach of a token, and what git does on a failure.

use ghapp_tests::Desk;
use ghapp_tests::github::{Endpoint, Fault};

#[test]
fn a_rule_for_the_installation_makes_one_token_for_all_its_repositories() {
    let desk = Desk::ready();
    let host = desk.github.host();
    let rule = format!("\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\nrepositories = \"installation\"\n");
    desk.configure(&rule).ok();
    assert_eq!(desk.token("acme/web"), desk.token("acme/api"));
    assert_eq!(desk.github.mints().len(), 1);
    assert_eq!(desk.github.mints()[0].repositories, None);
}

#[test]
fn a_named_set_shares_one_token_and_refuses_who_is_not_in_it() {
    let desk = Desk::ready();
    desk.github.create_repository("acme/secret");
    let host = desk.github.host();
    desk.configure(&format!(
        "\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\nrepositories = [\"web\", \"api\"]\n\
         permissions = {{ contents = \"read\" }}\n"
    ))
    .ok();
    assert_eq!(desk.token("acme/web"), desk.token("acme/API"));
    let mints = desk.github.mints();
    assert_eq!(mints.len(), 1);
    assert_eq!(mints[0].repositories, Some(vec!["api".to_owned(), "web".to_owned()]));
    assert_eq!(mints[0].permissions.level("contents"), Some("read"));
    desk.fill("acme/secret").failed().stderr_contains("does not list acme/secret").stderr_contains("told us to quit");
    assert_eq!(desk.github.mints().len(), 1);
}

#[test]
fn a_denied_repository_stops_git_unless_the_rule_says_next() {
    let desk = Desk::ready();
    let host = desk.github.host();
    desk.configure(&format!(
        "\n[[rule]]\nmatch = \"{host}/acme/web\"\ndeny = true\n\
         \n[[rule]]\nmatch = \"{host}/acme/api\"\ndeny = true\non_failure = \"next\"\n"
    ))
    .ok();
    desk.fill("acme/web").failed().stderr_contains("denies").stderr_contains("told us to quit");
    let next = desk.fill("acme/api");
    next.failed().stderr_contains("denies");
    assert!(!next.stderr().contains("told us to quit"), "{}", next.stderr());
    assert_eq!(desk.github.mints().len(), 0);
}

#[test]
fn access_read_makes_read_only_tokens() {
    let desk = Desk::ready();
    let host = desk.github.host();
    desk.configure(&format!("\n[[rule]]\nmatch = \"{host}/*\"\napp = \"acme-bot\"\naccess = \"read\"\n")).ok();
    desk.clone("acme/web").ok();
    let mint = &desk.github.mints()[0];
    assert_eq!(mint.permissions.level("contents"), Some("read"));
    assert!(mint.permissions.level("workflows").is_none());
}

#[test]
fn a_broken_file_keeps_the_running_configuration_and_says_where_it_is_broken() {
    let desk = Desk::ready();
    let token = desk.token("acme/web");
    let reload = desk.configure("\n[[rule]]\nmatch = \"x/y/z\"\npermision = 1\n");
    reload.failed().stderr_contains("unknown key \"permision\"").stderr_contains("did you mean \"permissions\"?");
    assert_eq!(reload.status.code(), Some(2));
    let line =
        std::fs::read_to_string(desk.config_file()).unwrap().lines().position(|line| line.starts_with("permision"));
    reload.stderr_contains(&format!("config.toml:{}:1", line.unwrap() + 1));
    assert_eq!(desk.token("acme/web"), token, "keys, tokens and rules are as before");
}

#[test]
fn access_auto_makes_read_tokens_for_fetches_and_write_tokens_for_everything_else() {
    let desk = Desk::ready();
    let host = desk.github.host();
    desk.configure(&format!("\n[[rule]]\nmatch = \"{host}/*\"\napp = \"acme-bot\"\naccess = \"auto\"\n")).ok();
    desk.clone("acme/web").ok();
    desk.git_in("web", ["fetch", "--quiet"]).ok();
    desk.git_in("web", ["pull", "--quiet"]).ok();
    let levels = || -> Vec<String> {
        desk.github
            .mints()
            .iter()
            .map(|mint| mint.permissions.level("contents").unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(levels(), ["read"]);
    desk.commit("web", "README.md", "hello");
    desk.git_in("web", ["push", "--quiet"]).ok();
    assert_eq!(levels(), ["read", "write"]);
    desk.token("acme/api");
    assert_eq!(levels(), ["read", "write", "write"], "a client that is no git command gets what it may need");
}

#[test]
fn a_pinned_installation_is_used_and_a_wrong_one_is_named() {
    let desk = Desk::ready();
    let host = desk.github.host();
    let rule =
        |number| format!("\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\ninstallation_id = {number}\n");
    let without = std::fs::read_to_string(desk.config_file()).unwrap();
    desk.configure(&rule(desk.installation)).ok();
    desk.clone("acme/web").ok();
    let calls = desk.github.calls();
    assert_eq!((calls.of(Endpoint::UserInstallation), calls.of(Endpoint::InstallationGet)), (0, 1));
    desk.git_in("web", ["fetch"]).ok();
    assert_eq!(desk.github.calls().of(Endpoint::InstallationGet), 1);

    std::fs::write(desk.config_file(), without).unwrap();
    desk.configure(&rule(424_242)).ok();
    desk.fill("acme/api").failed().stderr_contains("has no installation 424242").stderr_contains("told us to quit");
}

#[test]
fn a_refusal_of_too_much_at_once_comes_with_githubs_words_and_what_to_change() {
    let desk = Desk::ready();
    let host = desk.github.host();
    let rule =
        format!("\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\nrepositories = [\"web\", \"api\"]\n");
    desk.configure(&rule).ok();
    desk.github.fault(Endpoint::Mint, Fault::message(422, "Too many. The maximum number of repositories is 40."), 1);
    let fill = desk.fill("acme/web");
    fill.failed().stderr_contains("maximum number of repositories is 40").stderr_contains("list fewer repositories");
}

#[test]
fn a_denied_repository_is_not_reached_by_naming_it_second() {
    let desk = Desk::ready();
    desk.github.create_repository("acme/infra-x");
    let host = desk.github.host();
    desk.configure(&format!(
        "\n[[rule]]\nmatch = \"{host}/acme/infra-*\"\ndeny = true\n\
         \n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\n"
    ))
    .ok();
    let token = desk.ghapp(["token", "acme/web", "--repositories", "infra-x"]);
    token.failed().stderr_contains("error[E39]");
    assert_eq!(desk.github.mints().len(), 0);
    desk.ghapp(["token", "acme/web", "--repositories", "api"]).ok();
}
