//! `ghapp which`: where a remote leads and what stands in the way, without handing out a token.

use ghapp_tests::Desk;
use ghapp_tests::desk::GIT_PERMISSIONS;
use ghapp_tests::github::{AccountKind, Endpoint, Fault, Selection};
use ghapp_tests::process::Output;
use serde_json::{Value, json};

/// What `which --json` says, and its exit code. Nothing may have been minted for it.
fn which(desk: &Desk, repository: &str) -> (Value, Option<i32>) {
    let mints = desk.github.mints().len();
    let url = desk.github.clone_url(repository);
    let output = desk.ghapp(["which", &url, "--json"]);
    assert_eq!(desk.github.mints().len(), mints, "nothing is minted");
    (json_of(&output), output.status.code())
}

fn json_of(output: &Output) -> Value {
    serde_json::from_str(&output.stdout()).unwrap_or_else(|error| panic!("{error}: {}", output.stderr()))
}

#[test]
fn a_covered_repository_is_explained_from_the_helper_to_the_permissions() {
    let desk = Desk::ready();
    let (route, code) = which(&desk, "acme/web");
    assert_eq!(code, Some(0));
    assert_eq!(
        route,
        json!({
            "schema": 1, "host": desk.github.host(), "owner": "acme", "repository": "web",
            "helpers": [{"command": "ghapp", "file": desk.home().join(".gitconfig"), "ghapp": true}], "use_http_path": true,
            "rule": null, "app": "acme-bot", "installation_id": desk.installation, "account": "acme",
            "repository_selection": "all", "permissions": {"contents": "write", "workflows": "write"}, "lowered": [],
            "covered": true, "reason": "git gets a token for acme/web with contents:write workflows:write",
            "code": null, "hint": null,
        })
    );
    assert!(desk.github.mints().is_empty());
    assert_eq!(desk.ghapp_json(["leases"])["leases"], json!([]));
    let audit = desk.audit();
    let record = audit.iter().find(|record| record["call"] == "which").unwrap();
    assert_eq!((&record["outcome"], &record["app"]), (&json!("covered"), &json!("acme-bot")));
}

#[test]
fn the_current_directory_and_a_name_are_remotes_too() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    let program = ghapp_tests::binary("ghapp");
    for arguments in [&["which", "--json"][..], &["which", ".", "--json"], &["which", "acme/web", "--json"]] {
        let mut command = desk.command(&program);
        command.args(arguments).current_dir(desk.work().join("web"));
        let route = json_of(ghapp_tests::process::run(&mut command, b"").ok());
        assert_eq!((&route["repository"], &route["covered"]), (&json!("web"), &json!(true)), "{arguments:?}");
    }
    desk.ghapp(["which", "."]).failed().stderr_contains("ghapp which OWNER/REPO");
}

#[test]
fn a_repository_outside_the_selection_and_one_that_does_not_exist_are_not_covered() {
    let desk = Desk::ready();
    desk.github.select(desk.installation, Selection::selected(&["api"]));
    for repository in ["acme/web", "acme/nothing"] {
        let (route, code) = which(&desk, repository);
        assert_eq!((code, &route["covered"], &route["code"]), (Some(9), &json!(false), &json!("not_covered")));
        assert!(route["reason"].as_str().unwrap().contains(&format!("does not include {repository}")), "{route}");
        assert!(route["hint"].as_str().unwrap().contains(&desk.installation.to_string()), "{route}");
        assert_eq!(route["repository_selection"], "selected");
    }
    let output = desk.ghapp(["which", "acme/web"]);
    output.failed().stderr_contains("error[E18]").stderr_contains("hint: https://");
    assert!(output.stdout().ends_with("covered      no\n"), "{}", output.stdout());
    assert_eq!(which(&desk, "acme/api").1, Some(0));
    // git would be told what was explained.
    desk.fill("acme/web").failed().stderr_contains("does not include acme/web");
}

#[test]
fn an_owner_without_the_app_is_told_where_to_install_it() {
    let desk = Desk::ready();
    desk.github.create_account("octo", AccountKind::Organization);
    desk.github.create_repository("octo/lib");
    let (route, code) = which(&desk, "octo/lib");
    assert_eq!((code, &route["code"], &route["app"]), (Some(9), &json!("not_installed"), &json!("acme-bot")));
    assert!(route["hint"].as_str().unwrap().contains("/acme-bot/installations/new"), "{route}");
    assert_eq!(route["installation_id"], Value::Null);

    // An installation that was there a moment ago is looked up again.
    assert_eq!(which(&desk, "acme/web").1, Some(0));
    desk.github.uninstall(desk.installation);
    let (route, code) = which(&desk, "acme/web");
    assert_eq!((code, &route["code"]), (Some(9), &json!("not_installed")));
    assert_eq!((&route["installation_id"], &route["permissions"]), (&Value::Null, &json!({})));
    let new = desk.github.install(&desk.app, "acme", Selection::All, GIT_PERMISSIONS);
    desk.ghapp(["agent", "reload"]).ok();
    assert_eq!(which(&desk, "acme/web").0["installation_id"], new);
}

#[test]
fn a_suspended_installation_is_named_even_when_it_was_fine_a_moment_ago() {
    let desk = Desk::ready();
    assert_eq!(which(&desk, "acme/web").1, Some(0));
    desk.github.suspend(desk.installation);
    let (route, code) = which(&desk, "acme/web");
    assert_eq!((code, &route["code"]), (Some(7), &json!("suspended")));
    assert_eq!(route["installation_id"], desk.installation);
    desk.github.unsuspend(desk.installation);
    assert_eq!(which(&desk, "acme/web").1, Some(0));
}

#[test]
fn a_rule_that_denies_and_one_that_lists_others_are_named() {
    let desk = Desk::ready();
    let host = desk.github.host();
    desk.configure(&format!(
        "\n[[rule]]\nmatch = \"{host}/acme/web\"\ndeny = true\n\
         \n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\nrepositories = [\"docs\"]\n"
    ))
    .ok();
    let before = desk.github.calls().of(Endpoint::RepoInstallation);
    let (route, code) = which(&desk, "acme/web");
    assert_eq!((code, &route["code"], &route["rule"]), (Some(1), &json!("denied"), &json!(format!("{host}/acme/web"))));
    let (route, code) = which(&desk, "acme/api");
    assert_eq!((code, &route["app"]), (Some(1), &json!("acme-bot")));
    assert!(route["reason"].as_str().unwrap().contains("does not list acme/api"), "{route}");
    assert_eq!(desk.github.calls().of(Endpoint::RepoInstallation), before, "GitHub is not asked about it");
}

#[test]
fn a_host_without_an_app_is_not_configured() {
    let desk = Desk::ready();
    let output = desk.ghapp(["which", "https://gitlab.example/acme/web", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let route = json_of(&output);
    assert_eq!((&route["host"], &route["covered"]), (&json!("gitlab.example"), &json!(false)));
    assert_eq!((&route["app"], &route["helpers"]), (&Value::Null, &json!([])));
    output.stderr_contains("ghapp login --create --host gitlab.example  # for an App that exists: ghapp login --pem FILE --app-id N --host gitlab.example");
    let nobody = Desk::new();
    assert_eq!(nobody.ghapp(["which", "acme/web", "--no-input"]).status.code(), Some(3));
}

#[test]
fn permissions_that_are_lowered_or_missing_are_listed() {
    let desk = Desk::ready();
    assert_eq!(which(&desk, "acme/web").0["lowered"], json!([]));
    desk.github.grant(desk.installation, &[("contents", "read"), ("metadata", "read")]);
    let (route, code) = which(&desk, "acme/web");
    assert_eq!(code, Some(0));
    assert_eq!(
        (&route["permissions"], &route["lowered"]),
        (&json!({"contents": "read"}), &json!(["contents", "workflows"]))
    );
    assert_eq!(route["reason"], "git gets a token for acme/web with contents:read");

    desk.github.grant(desk.installation, &[("metadata", "read")]);
    let (route, code) = which(&desk, "acme/web");
    assert_eq!((code, &route["code"]), (Some(7), &json!("permission_missing")));
    assert_eq!(route["lowered"], json!(["contents", "workflows"]));
}

#[test]
fn two_apps_on_one_owner_are_ambiguous_until_one_is_named() {
    let desk = Desk::ready();
    let second = desk.github.create_app("ci-bot", "acme");
    desk.github.install(&second, "acme", Selection::All, GIT_PERMISSIONS);
    desk.log_in_as(&second, "memory").ok();
    let (route, code) = which(&desk, "acme/web");
    assert_eq!((code, &route["code"], &route["app"]), (Some(1), &json!("ambiguous_app"), &Value::Null));
    assert!(route["reason"].as_str().unwrap().contains("acme-bot, ci-bot"), "{route}");
    assert_eq!(desk.ghapp_json(["which", "acme/web", "--app", "ci-bot"])["app"], "ci-bot");
    let host = desk.github.host();
    desk.configure(&format!("\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"ci-bot\"\n")).ok();
    let (route, _) = which(&desk, "acme/web");
    assert_eq!((&route["app"], &route["rule"]), (&json!("ci-bot"), &json!(format!("{host}/acme/*"))));
    let other = desk.ghapp(["which", "acme/web", "--app", "acme-bot"]);
    assert_eq!(other.status.code(), Some(9));
    assert!(desk.github.mints().is_empty());
}

#[test]
fn a_renamed_repository_is_followed() {
    let desk = Desk::ready();
    desk.github.rename_repository("acme/web", "acme/site");
    let route = desk.ghapp_json(["which", "acme/web"]);
    assert!(desk.github.live_tokens().is_empty(), "what told the name is dead");
    assert!(route["reason"].as_str().unwrap().contains("another name now"), "{route}");
    desk.clone("acme/web").ok();
}

#[test]
fn limits_and_outages_are_named_unless_there_is_a_token_at_hand() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.github.fault(Endpoint::RepoInstallation, Fault::bad_gateway(), 3);
    let (route, code) = which(&desk, "acme/api");
    assert_eq!((code, &route["code"]), (Some(8), &json!("github_unavailable")));
    desk.github.fault(Endpoint::RepoInstallation, Fault::secondary_rate_limit(None), 1);
    let (route, code) = which(&desk, "acme/api");
    assert_eq!((code, &route["code"]), (Some(7), &json!("rate_limited")));
    let (route, code) = which(&desk, "acme/web");
    assert_eq!(code, Some(0));
    assert!(route["reason"].as_str().unwrap().starts_with("git gets the token at hand until "), "{route}");
    desk.git_in("web", ["fetch"]).ok();
}

#[test]
fn helpers_are_listed_in_gits_order_with_their_files() {
    let desk = Desk::ready();
    let key = format!("credential.https://{}.helper", desk.github.host());
    desk.git(["config", "--global", "--replace-all", &key, ""]).ok();
    for helper in ["!/usr/bin/gh auth git-credential", "store", "ghapp"] {
        desk.git(["config", "--global", "--add", &key, helper]).ok();
    }
    desk.git(["init", "--quiet", "here"]).ok();
    desk.git_in("here", ["remote", "add", "origin", &desk.github.clone_url("acme/web")]).ok();
    desk.git_in("here", ["config", "--add", "credential.helper", "cache"]).ok();
    let mut command = desk.command(ghapp_tests::binary("ghapp"));
    command.args(["which", ".", "--json"]).current_dir(desk.work().join("here"));
    let output = ghapp_tests::process::run(&mut command, b"");
    let helpers = json_of(output.ok())["helpers"].take();
    let listed: Vec<_> = helpers.as_array().unwrap().iter().map(|helper| helper["command"].as_str().unwrap()).collect();
    assert_eq!(listed, ["!/usr/bin/gh auth git-credential", "store", "ghapp", "cache"]);
    let ours: Vec<_> = helpers.as_array().unwrap().iter().map(|helper| helper["ghapp"] == true).collect();
    assert_eq!(ours, [false, false, true, false]);
    assert_eq!(helpers[3]["file"], ".git/config");
    output.stderr_contains("git asks !/usr/bin/gh auth git-credential, store first");
}
