//! Programs that run `git credential fill` and read its answer, with no repository around them.

use std::process::Command;

use ghapp_tests::Desk;
use ghapp_tests::process::{self, Output};

/// Runs a command for its answer to `git credential fill`, from the root of the file system.
fn ask(command: &mut Command, question: &str) -> Output {
    process::run(command.current_dir("/"), question.as_bytes())
}

/// What Go's `GOAUTH=git` reads from an answer: the address it is for, the user name and the password.
///
/// It takes both streams for the answer, so a line on standard error that looks like an attribute becomes one:
/// <https://go.dev/src/cmd/go/internal/auth/gitauth.go>
fn read_by_go(desk: &Desk, url: &str) -> Option<[String; 3]> {
    let mut shell = desk.command("sh");
    let output = ask(shell.args(["-c", "exec git credential fill 2>&1"]), &format!("url={url}\n"));
    if !output.status.success() {
        return None;
    }
    let [mut protocol, mut host, mut path, mut username, mut password] = [const { String::new() }; 5];
    let answer = output.stdout();
    for (key, value) in answer.lines().filter_map(|line| line.trim().split_once('=')) {
        let known = match key {
            "protocol" => &mut protocol,
            "host" => &mut host,
            "path" => &mut path,
            "username" => &mut username,
            "password" => &mut password,
            "url" => panic!("no helper answers with an address: {answer}"),
            _ => continue,
        };
        value.clone_into(known);
    }
    Some([format!("{protocol}://{host}/{path}"), username, password])
}

#[test]
fn go_reads_a_credential_for_the_address_it_asked_about() {
    let desk = Desk::ready();
    let url = format!("https://{}/acme/web", desk.github.host());
    let [prefix, username, password] = read_by_go(&desk, &url).expect("there is an answer");
    assert!(url.starts_with(&prefix), "{prefix}");
    assert_eq!((username.as_str(), password), ("x-access-token", desk.token("acme/web")));
}

#[test]
fn go_gets_nothing_for_a_page_about_a_module() {
    let desk = Desk::ready();
    // A page is no repository, and git's answer for this path would be refused by Go as one for another address.
    assert_eq!(read_by_go(&desk, &format!("https://{}/acme/web?go-get=1", desk.github.host())), None);
    assert_eq!(desk.github.mints().len(), 0);
}

#[test]
fn go_takes_no_hint_of_ours_for_an_answer() {
    let desk = Desk::ready();
    // Not installed there: our hint goes to standard error, and the next helper answers.
    desk.github.create_repository("octo/lib");
    let key = format!("credential.https://{}.helper", desk.github.host());
    desk.git(["config", "--global", "--add", &key, "!f() { echo username=next; echo password=helper; }; f"]).ok();
    let url = format!("https://{}/octo/lib", desk.github.host());
    assert_eq!(read_by_go(&desk, &url), Some([url, "next".to_owned(), "helper".to_owned()]));

    // Ours and refused: the exit code tells Go so.
    desk.github.suspend(desk.installation);
    assert_eq!(read_by_go(&desk, &format!("https://{}/acme/web", desk.github.host())), None);
}

#[test]
fn a_dev_containers_git_is_answered_through_the_host() {
    let desk = Desk::ready();
    // What VS Code puts into a container passes the question to `git credential` on the host, in whatever directory and with
    // little of an environment. Here the container is another home without our helper, and a shell stands for its node.
    let container = ghapp_tests::Sandbox::new();
    container.trust_in_git(&desk.github);
    let host = |name: &str| format!("{name}='{}'", desk.variable(name).to_str().expect("the sandbox's paths are text"));
    let environment = ["HOME", "XDG_RUNTIME_DIR", "GIT_CONFIG_GLOBAL", "PATH"].map(host).join(" ");
    let helper = format!(
        "!f() {{ case $1 in get) set fill ;; store) set approve ;; erase) set reject ;; esac; \
         cd / && env -i GIT_TERMINAL_PROMPT=0 {environment} git credential $1; }}; f"
    );
    container.git(["config", "--global", "credential.helper", &helper]).ok();
    let url = desk.github.clone_url("acme/web");

    // Without the path the host would not be told which repository it is about. (Here it could be found out: this container's git
    // is an ancestor of the question, which a real one's is not.)
    container.git(["config", "--global", "credential.useHttpPath", "true"]).ok();
    container.git(["clone", "--quiet", &url]).ok();
    let mints = desk.github.mints();
    assert_eq!(mints.len(), 1);
    assert_eq!(mints[0].repositories.as_deref(), Some(&["web".to_owned()][..]));

    // A token that died is erased the same way.
    desk.github.revoke_token(&mints[0].token);
    container.git_in("web", ["fetch", "--quiet"]).failed();
    container.git_in("web", ["fetch", "--quiet"]).ok();
    assert_eq!(desk.github.mints().len(), 2);
}
