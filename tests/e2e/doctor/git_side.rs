//! Programs, configurations, git's chain of helpers, and what bypasses it.

use std::fs;

use ghapp_tests::{Desk, binary, binary_directory, process};

use super::{edit_config, first_in_path, healthy, install_script, paste, set_mode, visit, visit_with, wire};

#[test]
fn a_git_that_is_too_old_or_not_there() {
    let mut desk = healthy();
    install_script(&desk, "old/git", "#!/bin/sh\nif [ \"$1\" = --version ]; then echo git version 1.8.3.1; fi\n");
    first_in_path(&mut desk, "old");
    let (detail, fix) = visit(&desk).sees("git", "fail");
    assert_eq!(detail, "git 1.8.3.1 is too old");
    assert!(fix.contains("https://git-scm.com"), "{fix}");

    desk.set_env("PATH", binary_directory());
    let visit = visit(&desk);
    assert_eq!(visit.sees("git", "fail").0, "git is not in PATH");
    assert_eq!((visit.code, visit.state("helper"), visit.state("token")), (1, "skip", "skip"));
}

#[test]
fn a_helper_that_git_does_not_find_is_named_by_its_path() {
    let mut desk = healthy();
    // By name, and with a PATH that lacks it.
    desk.ghapp(["setup-git", "--host", desk.github.host()]).ok();
    let path = desk.variable("PATH").to_owned();
    let rest: Vec<_> = std::env::split_paths(&path).filter(|directory| *directory != binary_directory()).collect();
    desk.set_env("PATH", std::env::join_paths(rest).unwrap());
    let (detail, fix) = visit(&desk).sees("helper", "fail");
    assert!(detail.contains("git-credential-ghapp: it is not in PATH"), "{detail}");
    assert!(fix.starts_with("ghapp setup-git --host ") && fix.ends_with(" --absolute"), "{fix}");
    let fixed = visit_with(&desk, ".", &[&desk.github.clone_url("acme/web"), "--fix"]);
    fixed.is_well();
    assert!(fixed.output.stderr().contains(&format!("done: {fix}")), "{}", fixed.output.stderr());
}

#[test]
fn a_helper_whose_path_leads_nowhere() {
    let desk = healthy();
    let key = format!("credential.https://{}.helper", desk.github.host());
    desk.git(["config", "--global", "--unset-all", &key]).ok();
    desk.git(["config", "--global", "--add", &key, "/opt/1.0/git-credential-ghapp"]).ok();
    let (detail, fix) = visit(&desk).sees("helper", "fail");
    assert!(detail.ends_with("says to run /opt/1.0/git-credential-ghapp, which is not there"), "{detail}");
    paste(&desk, ".", &fix);
    assert_eq!(visit(&desk).state("helper"), "ok");
}

#[test]
fn a_helper_of_another_version() {
    let desk = healthy();
    install_script(&desk, "old/git-credential-ghapp", "#!/bin/sh\necho git-credential-ghapp 0.0.1\n");
    let key = format!("credential.https://{}.helper", desk.github.host());
    desk.git(["config", "--global", "--unset-all", &key]).ok();
    let old = desk.path("old/git-credential-ghapp").display().to_string();
    desk.git(["config", "--global", "--add", &key, &old]).ok();
    let (detail, fix) = visit(&desk).sees("versions", "warn");
    assert!(detail.contains("is 0.0.1, and this ghapp is "), "{detail}");
    paste(&desk, ".", &fix);
    visit(&desk).is_well();
}

#[test]
fn an_agent_that_was_not_installed_beside_ghapp() {
    let desk = healthy();
    fs::create_dir(desk.path("alone")).unwrap();
    let alone = desk.path("alone/ghapp");
    process::run(desk.command("cp").arg(binary("ghapp")).arg(&alone), b"").ok();
    let output = process::run(desk.command(&alone).args(["doctor", "--color", "never"]), b"");
    assert_eq!(output.status.code(), Some(5), "{}", output.stdout());
    let line = output.stdout().lines().find(|line| line.starts_with("FAIL ")).map(str::to_owned);
    assert_eq!(line.unwrap(), "FAIL versions             ghapp-agent is not beside ghapp");
}

#[test]
fn programs_that_no_shell_has_started_do_not_find_it() {
    let desk = healthy();
    desk.ghapp(["setup-git", "--host", desk.github.host()]).ok();
    let (_, fix) = visit(&desk).sees("desktop", "warn");
    paste(&desk, ".", &fix);
    visit(&desk).is_well();
}

#[test]
fn a_mistake_in_the_configuration_has_a_line_and_a_column() {
    let desk = healthy();
    edit_config(&desk, "app_id", "app_ib");
    let visit = visit(&desk);
    let (detail, fix) = visit.sees("config", "fail");
    let line = fs::read_to_string(desk.config_file()).unwrap().lines().position(|line| line.contains("app_ib"));
    let line = line.unwrap() + 1;
    assert!(
        detail.contains(&format!("config.toml:{line}:1 unknown key \"app_ib\"; did you mean \"app_id\"?")),
        "{detail}"
    );
    assert_eq!(fix, format!("\"${{EDITOR:-vi}}\" +{line} {}", desk.config_file().display()));
    assert_eq!((visit.code, visit.state("apps"), visit.state("agent")), (2, "skip", "ok"));
}

#[test]
fn a_configuration_that_others_can_write() {
    let desk = healthy();
    set_mode(&desk.config_file(), 0o666);
    let (detail, fix) = visit(&desk).sees("config", "fail");
    assert!(detail.contains("others can write it"), "{detail}");
    paste(&desk, ".", &fix);
    visit(&desk).is_well();
}

#[test]
fn a_host_without_an_app_and_an_app_that_is_not_there() {
    let desk = healthy();
    let visit = visit_with(&desk, ".", &["https://github.com/acme/web"]);
    let (_, fix) = visit.sees("apps", "fail");
    assert_eq!(
        (visit.code, fix.as_str()),
        (3, "ghapp login --create  # for an App that exists: ghapp login --pem FILE --app-id N")
    );
    let visit = visit_with(&desk, ".", &["--app", "other"]);
    assert_eq!((visit.sees("apps", "fail").1.as_str(), visit.code), ("ghapp apps", 3));
}

#[test]
fn a_broken_configuration_of_git() {
    let desk = healthy();
    let file = desk.home().join(".gitconfig");
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str("[credential\n");
    fs::write(&file, text).unwrap();
    let visit = visit_with(&desk, ".", &[]);
    // git says the same to every question.
    let (detail, fix) = visit.sees("git_config", "fail");
    assert!(detail.contains("bad config line"), "{detail}");
    assert_eq!(fix, "git config --global --edit");
    assert_eq!(visit.state("asked"), "skip");
}

/// A clone of `acme/web` whose origin is something else.
fn with_origin(desk: &Desk, url: &str) {
    desk.git(["init", "--quiet", "web"]).ok();
    desk.git_in("web", ["remote", "add", "origin", url]).ok();
}

#[test]
fn an_origin_that_is_not_https() {
    let desk = healthy();
    let (name, _port) = desk.github.host().split_once(':').unwrap();
    // A rule makes the host known. An ssh address has no port for https, so the configuration has to know the bare name.
    desk.ghapp(["setup-git", "--absolute", "--host", name]).ok();
    fs::write(
        desk.config_file(),
        format!("{}\n[[rule]]\nmatch = \"{name}/*\"\ndeny = true\n", fs::read_to_string(desk.config_file()).unwrap()),
    )
    .unwrap();
    desk.ghapp(["agent", "reload"]).ok();
    with_origin(&desk, &format!("git@{name}:acme/web.git"));
    let (detail, fix) = visit_with(&desk, "web", &[]).sees("remote", "fail");
    assert!(detail.contains("the remote origin is an ssh URL"), "{detail}");
    assert_eq!(fix, format!("git remote set-url origin https://{name}/acme/web.git"));
    paste(&desk, "web", &fix);
    assert_eq!(visit_with(&desk, "web", &[]).state("remote"), "ok");
}

#[test]
fn a_setting_that_makes_an_ssh_address_of_it() {
    let desk = healthy();
    let (name, _port) = desk.github.host().split_once(':').unwrap();
    let to = format!("url.git@{name}:.insteadOf");
    desk.git(["config", "--global", &to, &format!("https://{}/", desk.github.host())]).ok();
    fs::write(
        desk.config_file(),
        format!("{}\n[[rule]]\nmatch = \"{name}/*\"\ndeny = true\n", fs::read_to_string(desk.config_file()).unwrap()),
    )
    .unwrap();
    desk.ghapp(["agent", "reload"]).ok();
    with_origin(&desk, &desk.github.clone_url("acme/web"));
    let (detail, fix) = visit_with(&desk, "web", &[]).sees("remote", "fail");
    assert!(detail.contains(&to), "{detail}");
    paste(&desk, "web", &fix);
    visit_with(&desk, "web", &[]).is_well();
}

#[test]
fn an_origin_with_a_password_or_a_user_is_asked_about_nowhere() {
    let desk = healthy();
    let rest = format!("{}/acme/web.git", desk.github.host());
    with_origin(&desk, &format!("https://x-access-token:ghs_canary@{rest}"));
    let visit = visit_with(&desk, "web", &[]);
    let (detail, fix) = visit.sees("remote", "fail");
    assert_eq!(detail, "the URL holds a password, so git asks no helper");
    assert!(!visit.output.stdout().contains("canary"));
    paste(&desk, "web", &fix);
    visit_with(&desk, "web", &[]).is_well();
    desk.git_in("web", ["remote", "set-url", "origin", &format!("https://mona@{rest}")]).ok();
    assert!(visit_with(&desk, "web", &[]).sees("remote", "fail").0.contains("names a user"));
}

#[test]
fn pushes_that_go_elsewhere() {
    let desk = healthy();
    with_origin(&desk, &desk.github.clone_url("acme/web"));
    desk.git_in("web", ["config", "remote.origin.pushurl", "git@localhost:acme/web.git"]).ok();
    let (detail, fix) = visit_with(&desk, "web", &[]).sees("remote", "warn");
    assert!(detail.contains("pushes to another address"), "{detail}");
    paste(&desk, "web", &fix);
    visit_with(&desk, "web", &[]).is_well();
}

#[test]
fn a_git_that_does_not_ask() {
    let desk = healthy();
    desk.ghapp(["setup-git", "--remove", "--host", desk.github.host()]).ok();
    desk.git(["config", "--global", "credential.helper", "store"]).ok();
    let (detail, fix) = visit(&desk).sees("asked", "fail");
    assert_eq!(detail, format!("git does not ask ghapp about https://{}/acme, but store", desk.github.host()));
    paste(&desk, ".", &fix);
    assert_eq!(visit(&desk).state("asked"), "ok");
    // Without a repository, the whole host is meant.
    desk.ghapp(["setup-git", "--remove", "--host", desk.github.host()]).ok();
    let (_, fix) = visit_with(&desk, ".", &[]).sees("asked", "fail");
    assert_eq!(fix, format!("ghapp setup-git --host {}", desk.github.host()));
}

#[test]
fn an_owner_in_other_letters() {
    let desk = healthy();
    desk.ghapp(["setup-git", "--remove", "--host", desk.github.host()]).ok();
    desk.ghapp(["setup-git", "--absolute", "--host", desk.github.host(), "--owner", "ACME"]).ok();
    let (detail, fix) = visit(&desk).sees("asked", "fail");
    assert!(detail.contains("it looks at capitals"), "{detail}");
    paste(&desk, ".", &fix);
    assert_eq!(visit(&desk).state("asked"), "ok");
}

/// Adds a helper without a reset, before ours or after it.
fn add_helper(desk: &Desk, helper: &str, in_front: bool) {
    let key = format!("credential.https://{}.helper", desk.github.host());
    let ours = binary("git-credential-ghapp").display().to_string();
    desk.git(["config", "--global", "--unset-all", &key]).ok();
    let both = if in_front { [helper, &ours] } else { [&ours, helper] };
    for helper in both {
        desk.git(["config", "--global", "--add", &key, helper]).ok();
    }
}

#[test]
fn a_helper_that_is_asked_first_because_there_is_no_reset() {
    let desk = healthy();
    add_helper(&desk, "store", true);
    let visited = visit(&desk);
    let (detail, fix) = visited.sees("first", "warn");
    assert!(
        detail.starts_with("git asks store (") && detail.ends_with("first, and ghapp only if there is no answer"),
        "{detail}"
    );
    // Another helper may open a window: it is not asked.
    assert_eq!((visited.code, visited.state("token")), (0, "skip"));
    paste(&desk, ".", &fix);
    assert_eq!(visit(&desk).state("first"), "ok");
    wire(&desk);
    visit(&desk).is_well();
}

#[test]
fn a_git_that_does_not_say_which_repository() {
    let desk = healthy();
    let key = format!("credential.https://{}.useHttpPath", desk.github.host());
    desk.git(["config", "--global", &key, "false"]).ok();
    let (_, fix) = visit(&desk).sees("path", "fail");
    assert_eq!(fix, format!("git config --global {key} true"));
    paste(&desk, ".", &fix);
    visit(&desk).is_well();
    desk.git(["config", "--global", "--unset-all", &key]).ok();
    visit_with(&desk, ".", &["acme/web", "--fix"]).is_well();
}

#[test]
fn a_helper_behind_ours_that_keeps_tokens() {
    let desk = healthy();
    for keeper in ["store --file /tmp/x", "/usr/lib/git-core/git-credential-libsecret", "osxkeychain", "cache"] {
        add_helper(&desk, keeper, false);
        let (detail, fix) = visit(&desk).sees("keepers", "warn");
        assert!(detail.contains("as well, which keeps it"), "{detail}");
        paste(&desk, ".", &fix);
        assert_eq!(visit(&desk).state("keepers"), "ok", "{fix}");
    }
    // In another file that git reads later.
    desk.git(["init", "--quiet", "web"]).ok();
    desk.git_in("web", ["remote", "add", "origin", &desk.github.clone_url("acme/web")]).ok();
    wire(&desk);
    desk.git_in("web", ["config", "credential.helper", "store"]).ok();
    let (_, fix) = visit_with(&desk, "web", &[]).sees("keepers", "warn");
    assert!(fix.contains(" --local "), "{fix}");
    paste(&desk, "web", &fix);
    assert_eq!(visit_with(&desk, "web", &[]).state("keepers"), "ok");
}

#[test]
fn a_header_that_git_sends_unasked() {
    let desk = healthy();
    let key = format!("http.https://{}/.extraHeader", desk.github.host());
    desk.git(["config", "--global", &key, "AUTHORIZATION: basic Y2FuYXJ5"]).ok();
    let visited = visit(&desk);
    let (detail, fix) = visited.sees("headers", "fail");
    assert!(detail.contains("adds an Authorization header"), "{detail}");
    assert!(!visited.output.stdout().contains("Y2FuYXJ5"));
    paste(&desk, ".", &fix);
    visit(&desk).is_well();
    // A header without credentials is no business of ours.
    desk.git(["config", "--global", &key, "X-Trace: 1"]).ok();
    visit(&desk).is_well();
}

#[test]
fn variables_that_lead_past_the_app() {
    let mut desk = healthy();
    desk.set_env("GH_TOKEN", "ghs_canary");
    let visited = visit(&desk);
    let (_, fix) = visited.sees("environment", "warn");
    assert_eq!((fix.as_str(), visited.code), ("unset GH_TOKEN", 0));
    assert!(!visited.output.stdout().contains("canary"));
    desk.remove_env("GH_TOKEN");
    desk.set_env("GIT_ASKPASS", "/bin/true");
    assert_eq!(visit(&desk).sees("environment", "warn").1, "unset GIT_ASKPASS");
    desk.set_env("VSCODE_GIT_ASKPASS_MAIN", "/x");
    visit(&desk).is_well();
}

#[test]
fn large_files_that_git_does_not_filter() {
    let mut desk = healthy();
    desk.clone("acme/web").ok();
    fs::write(desk.work().join("web/.gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n").unwrap();
    install_script(
        &desk,
        "bin/git-lfs",
        "#!/bin/sh\n[ \"$1\" = install ] && git config --global filter.lfs.process x\nexit 0\n",
    );
    first_in_path(&mut desk, "bin");
    let (_, fix) = visit_with(&desk, "web", &[]).sees("lfs", "warn");
    assert_eq!(fix, "git lfs install");
    paste(&desk, "web", &fix);
    visit_with(&desk, "web", &[]).is_well();
    fs::write(desk.work().join("web/.lfsconfig"), "[lfs]\n\turl = https://lfs.example/acme/web\n").unwrap();
    let (detail, _) = visit_with(&desk, "web", &[]).sees("lfs", "warn");
    assert!(detail.contains("on another server"), "{detail}");
    install_script(&desk, "bin/git-lfs", "#!/bin/sh\nexit 1\n");
    let (detail, _) = visit_with(&desk, "web", &[]).sees("lfs", "warn");
    assert!(detail.contains("git-lfs is not installed"), "{detail}");
}
