//! Which repository is meant when git does not say (rules 43 to 48): each way in which git and other programs ask, and never a guess.
//!
//! Everything here runs without `useHttpPath`, which `setup-git` would have set.

#![cfg(target_os = "linux")] // elsewhere the arguments of other processes cannot be seen

use std::fs;

use ghapp_tests::desk::GIT_PERMISSIONS;
use ghapp_tests::github::{AccountKind, Selection};
use ghapp_tests::process::{self, Output};
use ghapp_tests::{Desk, binary};

/// A desk whose git never names a repository, with `acme/web` and `acme/api` and, as another owner's, `octo/lib`.
fn desk() -> Desk {
    let desk = Desk::ready();
    let key = format!("credential.https://{}.useHttpPath", desk.github.host());
    desk.git(["config", "--global", "--replace-all", &key, "false"]).ok();
    desk.github.create_account("octo", AccountKind::Organization);
    desk.github.create_repository("octo/lib");
    desk.github.install(&desk.app, "octo", Selection::All, GIT_PERMISSIONS);
    desk
}

/// The repositories that git's questions were about since the last time, each once.
fn asked(desk: &Desk, seen: &mut usize) -> Vec<String> {
    let lines = desk.audit();
    let gets = lines.iter().skip(*seen).filter(|line| line["call"] == "get");
    let mut names: Vec<_> = gets.map(|line| line["repository"].as_str().unwrap_or("-").to_owned()).collect();
    *seen = lines.len();
    names.dedup();
    names
}

/// What the helper answers when it is asked for the host alone, from a directory below the working directory.
fn asked_without_a_path(desk: &Desk, directory: &str, arguments: &[&str]) -> Output {
    let request = format!("protocol=https\nhost={}\n\n", desk.github.host());
    let mut command = desk.command(binary("git-credential-ghapp"));
    command.args(arguments).arg("get").current_dir(desk.work().join(directory));
    process::run(&mut command, request.as_bytes())
}

/// Nothing for git, and one line that says which setting is missing.
#[track_caller]
fn assert_nothing_but_a_hint(desk: &Desk, output: &Output) {
    assert_eq!(output.ok().stdout(), "");
    output.stderr_contains(&format!("credential.https://{}.useHttpPath true", desk.github.host()));
    assert_eq!(output.stderr().lines().count(), 1, "{}", output.stderr());
}

#[test]
fn rule_45_git_is_understood_in_each_way_in_which_it_asks() {
    let desk = desk();
    let (web, api, lib) = ("acme/web", "acme/api", "octo/lib");
    let url = |name: &str| desk.github.clone_url(name);
    let mut seen = desk.audit().len();
    let mut expect = |what: &str, output: Output, names: &[&str]| {
        output.ok();
        assert_eq!(asked(&desk, &mut seen), names, "{what}");
    };
    expect("clone", desk.clone(web), &[web]);
    fs::create_dir_all(desk.work().join("web/below")).unwrap();
    expect("fetch in a subdirectory", desk.git_in("web/below", ["fetch"]), &[web]);
    desk.git_in("web", ["remote", "add", "other", &url(lib)]).ok();
    expect("fetch --all with remotes of two owners", desk.git_in("web", ["fetch", "--all"]), &[web, lib]);
    expect("pull of one of them", desk.git_in("web", ["fetch", "other"]), &[lib]);
    desk.git_in("web", ["worktree", "add", "--quiet", "../tree"]).ok();
    expect("fetch in a linked worktree", desk.git_in("tree", ["fetch", "origin"]), &[web]);
    expect("ls-remote outside a repository", desk.git(["ls-remote", &url(api)]), &[api]);
    expect("ls-remote within another's clone", desk.git_in("web", ["ls-remote", &url(lib)]), &[lib]);
    let push = desk.git_in("web", ["push", "--quiet", &url(api), "HEAD:refs/heads/from-web"]);
    expect("push to another repository's URL", push, &[api]);
    desk.git(["config", "--global", &format!("url.{}.insteadOf", url(api)), "short:api"]).ok();
    expect("a URL that git rewrites", desk.git(["ls-remote", "short:api"]), &[api]);
}

#[test]
fn rule_45_submodules_and_lazy_fetches_ask_for_their_own_repository() {
    let desk = desk();
    let (web, api, lib) = ("acme/web", "acme/api", "octo/lib");
    let url = |name: &str| desk.github.clone_url(name);
    desk.clone(api).ok();
    desk.git_in("api", ["submodule", "--quiet", "add", &url(lib), "lib"]).ok();
    desk.git_in("api", ["commit", "--quiet", "--message", "Use lib"]).ok();
    desk.git_in("api", ["push", "--quiet"]).ok();
    let mut seen = desk.audit().len();
    let mut expect = |what: &str, output: Output, names: &[&str]| {
        output.ok();
        assert_eq!(asked(&desk, &mut seen), names, "{what}");
    };
    let clone = desk.git(["clone", "--quiet", "--recurse-submodules", &url(api), "whole"]);
    expect("clone with submodules", clone, &[api, lib]);
    expect("submodule update", desk.git_in("whole", ["submodule", "update", "--remote"]), &[lib]);
    let fetch = desk.git_in("whole", ["fetch", "--recurse-submodules=yes"]);
    expect("fetch with submodules", fetch, &[api, lib]);
    let partial = desk.git(["clone", "--quiet", "--filter=blob:none", "--no-checkout", &url(web), "lazy"]);
    expect("a partial clone", partial, &[web]);
    expect("the objects that it needs later", desk.git_in("lazy", ["checkout", "--quiet", "main"]), &[web]);
}

#[test]
fn rules_46_to_48_clients_without_git_remote_https_get_a_hint_and_never_what_the_directory_suggests() {
    let desk = desk();
    desk.clone("acme/web").ok();
    desk.git_in("web", ["remote", "add", "other", &desk.github.clone_url("octo/lib")]).ok();
    let mints = desk.github.mints().len();
    for directory in [".", "web", "web/.git"] {
        assert_nothing_but_a_hint(&desk, &asked_without_a_path(&desk, directory, &[]));
    }
    // git-lfs, Go and others come through `git credential fill`, some with a URL: git drops its path.
    let host = desk.github.host();
    for request in
        [format!("protocol=https\nhost={host}\n\n"), format!("url={}\n\n", desk.github.clone_url("acme/web"))]
    {
        let mut command = desk.command("git");
        command.args(["credential", "fill"]).current_dir(desk.work().join("web"));
        command.env("GIT_DIR", ".git").env("GIT_CONFIG_PARAMETERS", "'ghapp.owner'='acme'");
        let filled = process::run(&mut command, request.as_bytes());
        filled.failed().stderr_contains("useHttpPath true");
        assert!(!filled.stderr().contains("told us to quit"), "{}", filled.stderr());
    }
    assert_eq!(desk.github.mints().len(), mints);
}

/// `sh` under the name of git's program for HTTP; it runs the script `NAME` with the URL behind it.
fn pretend(desk: &Desk) -> String {
    let program = desk.work().join("git-remote-https").display().to_string();
    // Not copied here: a process just forked by another test may hold the copy open for writing, and it could not be run.
    process::run(desk.command("cp").args(["--dereference", "/bin/sh", &program]), b"").ok();
    let ask = "printf 'protocol=https\nhost=%s\n' \"$HOST\" | git-credential-ghapp $OPTIONS get\n";
    write(desk, "ask", ask);
    // Another process further up, which is about another repository.
    write(desk, "ask-below", "./git-remote-https ask \"$BELOW\"\nexit $?\n");
    program
}

fn write(desk: &Desk, script: &str, text: &str) {
    fs::write(desk.work().join(script), text).expect("the sandbox is writable");
}

#[test]
fn rule_45_only_the_nearest_url_of_the_same_host_and_scheme_is_believed() {
    let desk = desk();
    let program = pretend(&desk);
    let right = desk.github.clone_url("acme/web");
    let host = desk.github.host().to_owned();
    let run = |arguments: &[&str], below: &str, options: &str| {
        let mut command = desk.command(&program);
        command.args(arguments).env("HOST", &host).env("BELOW", below).env("OPTIONS", options);
        process::run(&mut command, b"")
    };
    assert!(run(&["ask", &right], "", "").ok().stdout().contains("password="));
    assert!(run(&["ask-below", "https://github.com/x/y"], &right, "").ok().stdout().contains("password="));
    let name = host.split(':').next().unwrap();
    for url in [
        format!("http://{host}/acme/web.git"),
        format!("https://{name}:1/acme/web.git"),
        format!("https://{host}.evil.example/acme/web.git"),
        format!("https://{host}@evil.example/acme/web.git"),
        format!("https://{host}/acme"),
        format!("https://{host}/acme/web/more"),
        format!("https://{host}/acme%2fweb"),
        "acme/web".to_owned(),
    ] {
        assert_nothing_but_a_hint(&desk, &run(&["ask", &url], "", ""));
        assert_nothing_but_a_hint(&desk, &run(&["ask-below", &right], &url, ""));
    }
    assert_nothing_but_a_hint(&desk, &run(&["ask", &right, "one-too-many"], "", ""));
    // rule 43: two candidates remain
    assert!(run(&["ask", &right], "", "--owner=acme").ok().stdout().contains("password="));
    let differ = run(&["ask", &right], "", "--owner=octo");
    assert_nothing_but_a_hint(&desk, &differ);
    differ.stderr_contains("git talks to acme/web");
}

#[test]
fn rule_43_a_path_comes_before_every_other_source() {
    let desk = desk();
    let program = pretend(&desk);
    let request =
        "printf 'protocol=https\\nhost=%s\\npath=acme/api.git\\n' \"$HOST\" | git-credential-ghapp --owner=octo get\n";
    write(&desk, "ask", request);
    let mut command = desk.command(&program);
    command.args(["ask", &desk.github.clone_url("acme/web")]).env("HOST", desk.github.host());
    assert!(process::run(&mut command, b"").ok().stdout().contains("password="));
    assert_eq!(desk.github.mints()[0].repositories.as_deref(), Some(&["api".to_owned()][..]));
}

#[test]
fn rule_44_a_section_for_an_owner_names_the_owner_and_no_more_than_a_rule_allows() {
    let desk = desk();
    let host = desk.github.host().to_owned();
    desk.git(["config", "--global", "--remove-section", &format!("credential.https://{host}")]).ok();
    for owner in ["acme", "octo"] {
        let key = format!("credential.https://{host}/{owner}.helper");
        desk.git(["config", "--global", &key, &format!("ghapp --owner={owner}")]).ok();
    }
    let fill = |path: &str| desk.git_credential("fill", &format!("url=https://{host}/{path}\n\n"));
    fill("acme/web").failed().stderr_contains("useHttpPath");
    desk.configure(&format!(
        "\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\nrepositories = \"installation\"\n\
         \n[[rule]]\nmatch = \"{host}/octo/*\"\napp = \"acme-bot\"\nrepositories = [\"lib\"]\n"
    ))
    .ok();
    assert!(fill("acme/web").ok().stdout().contains("password="));
    assert!(fill("octo/lib").ok().stdout().contains("password="));
    let reached: Vec<_> = desk.github.mints().into_iter().map(|mint| mint.repositories).collect();
    assert_eq!(reached, [None, Some(vec!["lib".to_owned()])]);
    // git compares whole components, so it asks no helper about these.
    let asked = desk.audit().len();
    for path in ["acm/web", "acme2/web", "mona/notes"] {
        fill(path).failed();
    }
    assert_eq!(desk.audit().len(), asked);
    // Two owners on one command line are two candidates.
    assert_nothing_but_a_hint(&desk, &asked_without_a_path(&desk, ".", &["--owner=acme", "--owner=octo"]));
}

#[test]
fn rule_43_the_only_installation_names_the_owner_and_two_name_none() {
    let desk = Desk::ready();
    let host = desk.github.host().to_owned();
    assert_nothing_but_a_hint(&desk, &asked_without_a_path(&desk, ".", &[]));
    let before = desk.github.calls().api();
    assert_nothing_but_a_hint(&desk, &asked_without_a_path(&desk, ".", &[]));
    assert_eq!(desk.github.calls().api(), before, "without such a rule the list is not needed");
    desk.configure(&format!(
        "\n[[rule]]\nmatch = \"{host}/acme/*\"\napp = \"acme-bot\"\nrepositories = \"installation\"\n"
    ))
    .ok();
    let answer = asked_without_a_path(&desk, ".", &[]).ok().stdout();
    assert!(answer.contains("password="), "{answer}");
    assert_eq!(desk.github.mints()[0].repositories, None);
    let before = desk.github.calls().api();
    assert_eq!(asked_without_a_path(&desk, ".", &[]).ok().stdout(), answer);
    assert_eq!(desk.github.calls().api(), before, "neither the list nor the token is asked for again");

    desk.github.create_account("octo", AccountKind::Organization);
    desk.github.install(&desk.app, "octo", Selection::All, GIT_PERMISSIONS);
    desk.ghapp(["agent", "reload"]).ok();
    assert_nothing_but_a_hint(&desk, &asked_without_a_path(&desk, ".", &[]));
}
