//! The author of an App's commits: the bot's name and address, for people, git's configuration and one command.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use ghapp_tests::Desk;
use ghapp_tests::github::{Endpoint, Fault, Selection};
use serde_json::json;

/// The address of `acme-bot`: the number of its user, and the host without a port.
fn address(desk: &Desk) -> String {
    format!("{}+acme-bot[bot]@users.noreply.localhost", desk.github.bot_user_id(&desk.app))
}

/// What git says about the last commit of a clone.
fn author(desk: &Desk, clone: &str) -> String {
    desk.git_in(clone, ["log", "-1", "--format=%an %ae %cn %ce"]).ok().stdout().trim_end().to_owned()
}

#[test]
fn the_address_has_the_number_of_the_bot_and_github_is_asked_for_it_once() {
    let desk = Desk::ready();
    let before = desk.github.calls();
    let identity = desk.ghapp_json(["identity"]);
    let (id, host) = (desk.github.bot_user_id(&desk.app), desk.github.host());
    assert_ne!(id, desk.app.app_id);
    let expected = json!({
        "schema": 1, "app": "acme-bot", "host": host, "name": "acme-bot[bot]", "email": address(&desk), "user_id": id,
    });
    assert_eq!(identity, expected);
    let lines = format!("user.name=acme-bot[bot]\nuser.email={}\n", address(&desk));
    assert_eq!(desk.ghapp(["identity"]).ok().stdout(), lines);

    let asked: Vec<_> = desk.github.calls().iter().skip(before.len()).map(|call| call.line.clone()).collect();
    assert_eq!(asked, ["GET /api/v3/users/acme-bot%5Bbot%5D"], "one call, no token");
    // A lock keeps it, since it forgets only secrets; a locked agent asks for no name that it lacks.
    desk.ghapp(["lock"]).ok();
    desk.ghapp(["identity"]).ok();
    desk.ghapp(["agent", "reload"]).ok();
    let locked = desk.ghapp(["identity"]);
    assert_eq!(locked.status.code(), Some(4));
    locked.stderr_contains("error[E08]");
    assert_eq!(desk.github.calls().len(), before.len() + 1);
}

#[test]
fn a_host_that_tells_strangers_nothing_is_shown_a_token_that_may_only_look_and_dies_at_once() {
    let desk = Desk::ready();
    desk.github.private_mode(true);
    assert_eq!(desk.ghapp_json(["identity"])["email"], address(&desk).as_str());
    let mints = desk.github.mints();
    assert_eq!(mints.len(), 1);
    assert_eq!(mints[0].asked, json!({ "permissions": { "metadata": "read" } }));
    assert_eq!(desk.github.calls().of(Endpoint::Revoke), 1);
    assert_eq!(desk.ghapp_json(["leases"])["leases"], json!([]));
    let audit = desk.audit();
    let with_token = |call: &str| audit.iter().find(|line| line["call"] == call).unwrap()["hashed_token"].clone();
    assert!(with_token("look").is_string());
    assert_eq!(with_token("look"), with_token("revoke"));
}

#[test]
fn a_renamed_app_commits_under_its_new_name() {
    let desk = Desk::ready();
    desk.github.rename_app(&desk.app, "Web Bot");
    let identity = desk.ghapp_json(["identity"]);
    assert_eq!(identity["name"], "web-bot[bot]");
    assert_eq!(identity["user_id"], desk.github.bot_user_id(&desk.app));
    assert_eq!(desk.github.calls().of(Endpoint::Mint), desk.github.calls().of(Endpoint::Revoke), "no token is left");
}

#[test]
fn why_there_is_no_identity_is_said() {
    let desk = Desk::ready();
    // No user has that name.
    desk.github.fault(Endpoint::UserGet, Fault::message(404, "Not Found"), 2);
    let nobody = desk.ghapp(["identity"]);
    assert_eq!(nobody.status.code(), Some(7));
    nobody.stderr_contains("error[E43]").stderr_contains("has no user acme-bot[bot]");
    desk.github.fault(Endpoint::UserGet, Fault::bad_gateway(), 1);
    assert_eq!(desk.ghapp(["identity"]).status.code(), Some(8));

    let other = desk.github.create_app("other-bot", "acme");
    desk.github.install(&other, "acme", Selection::All, &[("contents", "read")]);
    desk.log_in_as(&other, "memory").ok();
    let two = desk.ghapp(["identity"]);
    assert_eq!(two.status.code(), Some(2));
    two.stderr_contains("run: ghapp identity --app acme-bot");
    assert_eq!(desk.ghapp_json(["identity", "--app", "other-bot"])["name"], "other-bot[bot]");
    assert_eq!(desk.ghapp(["identity", "--app", "nobody"]).status.code(), Some(3));
}

#[test]
fn what_is_written_makes_git_commit_as_the_bot_until_it_is_taken_back() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    let in_clone = |arguments: &[&str]| {
        let mut command = desk.command(ghapp_tests::binary("ghapp"));
        ghapp_tests::process::run(command.args(arguments).current_dir(desk.work().join("web")), b"").ok().stdout()
    };
    desk.git_in("web", ["config", "user.name", "Mona"]).ok();
    let written = in_clone(&["identity", "--write", "local"]);
    assert!(written.contains("    before: name = Mona\n  + name = acme-bot[bot]\n"), "{written}");
    desk.commit("web", "README.md", "hello");
    let bot = format!("acme-bot[bot] {}", address(&desk));
    assert_eq!(author(&desk, "web"), format!("{bot} {bot}"));
    assert!(in_clone(&["identity", "--write", "local"]).contains("is set up already"));

    let undo = written.lines().find_map(|line| line.strip_prefix("undo: ghapp ")).unwrap().to_owned();
    in_clone(&undo.split(' ').collect::<Vec<_>>());
    desk.commit("web", "README.md", "hello again");
    assert_eq!(author(&desk, "web"), "Mona developer@example.com Mona developer@example.com");
    let config = desk.git_in("web", ["config", "--local", "--list"]).ok().stdout();
    assert!(config.contains("user.name=Mona") && !config.contains("user.email"), "{config}");

    desk.ghapp(["setup-git", "--identity"]).ok();
    desk.git_in("web", ["config", "--unset", "user.name"]).ok();
    desk.commit("web", "README.md", "hello once more");
    assert_eq!(author(&desk, "web"), format!("{bot} {bot}"));
    desk.ghapp(["logout"]).ok();
    let after = desk.git(["config", "--global", "--get-all", "user.name"]).ok().stdout();
    assert_eq!(after, "A Developer\n");
}

#[test]
fn a_command_can_commit_as_the_bot() {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    let commit = ["git", "-C", "web", "commit", "--quiet", "--allow-empty", "--message", "By a bot"];
    let exec = ["exec", "acme/web", "--identity", "--"];
    desk.ghapp([exec.as_slice(), &commit].concat()).ok();
    let bot = format!("acme-bot[bot] {}", address(&desk));
    assert_eq!(author(&desk, "web"), format!("{bot} {bot}"));
    desk.ghapp([
        "exec",
        "acme/web",
        "--",
        "git",
        "-C",
        "web",
        "commit",
        "--quiet",
        "--allow-empty",
        "--message",
        "Not",
    ])
    .ok();
    assert!(author(&desk, "web").starts_with("A Developer"));

    // The token and the bot belong to one App, also where there are two.
    let other = desk.github.create_app("other-bot", "globex");
    desk.github.create_repository("globex/site");
    desk.github.install(&other, "globex", Selection::All, &[("contents", "read")]);
    desk.log_in_as(&other, "memory").ok();
    let name = desk.ghapp(["exec", "globex/site", "--identity", "--", "sh", "-c", "echo \"$GIT_COMMITTER_NAME\""]);
    assert_eq!(name.ok().stdout(), "other-bot[bot]\n");
    desk.github.fault(Endpoint::UserGet, Fault::bad_gateway(), 1);
    desk.ghapp(["agent", "reload"]).ok();
    let without = desk.ghapp(["exec", "globex/site", "--identity", "--", "echo", "ran"]);
    assert_eq!((without.status.code(), without.stdout().as_str()), (Some(111), ""));
}
