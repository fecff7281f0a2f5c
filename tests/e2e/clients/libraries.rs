//! Libraries that speak git's credential protocol by themselves, instead of leaving it to `git credential`.

use std::env;

use ghapp_tests::Desk;
use ghapp_tests::process::{self, Output};
use git2::{Config, CredentialHelper};
use gix_credentials::Program;
use gix_credentials::helper::{Action, Cascade};

/// The address a test asks for once it is the client: see [`play`].
const ADDRESS: &str = "GHAPP_TESTS_CLIENT_ASKS_FOR";

/// Starts the test `name` of this file once more, as the client in the desk's sandbox.
///
/// A library runs helpers in the environment of its own process, and this process is not in the sandbox.
fn play(desk: &Desk, name: &str, address: &str) -> Output {
    let mut client = desk.command(env::current_exe().expect("a running program has a path"));
    client.args(["--exact", &format!("clients::libraries::{name}"), "--nocapture"]).env(ADDRESS, address);
    process::run(&mut client, b"")
}

/// The address, if this process is the client.
fn address() -> Option<String> {
    env::var(ADDRESS).ok()
}

/// Prints what the client got, for [`answer`] to find.
#[expect(clippy::print_stdout, reason = "for the test that started this process")]
fn print_answer(credential: Option<(String, String)>) {
    match credential {
        Some((username, password)) => println!("answer: {username} {password}"),
        None => println!("answer: none"),
    }
}

/// What the client printed about what it got.
fn answer(client: &Output) -> String {
    let stdout = client.ok().stdout();
    let line = stdout.lines().find(|line| line.starts_with("answer: "));
    line.unwrap_or_else(|| panic!("no answer: {stdout}\n{}", client.stderr())).to_owned()
}

fn expected(desk: &Desk) -> String {
    format!("answer: x-access-token {}", desk.token("acme/web"))
}

/// Does what programs do with libgit2 and the configuration of their user.
fn ask_with_libgit2(address: &str) {
    // The user's file only: libgit2 would read the machine's too, whatever `GIT_CONFIG_NOSYSTEM` says.
    let file = Config::find_global().expect("the user has a configuration");
    let config = Config::open(&file).expect("the configuration can be read");
    print_answer(CredentialHelper::new(address).config(&config).execute());
}

#[test]
fn libgit2_runs_the_helper_of_the_host() {
    if let Some(address) = address() {
        return ask_with_libgit2(&address);
    }
    let desk = Desk::ready();
    desk.set_up_git_without_port();
    let own = "libgit2_runs_the_helper_of_the_host";
    let client = play(&desk, own, &desk.github.clone_url("acme/web"));
    assert_eq!(answer(&client), expected(&desk));

    desk.ghapp(["setup-git", "--host", "localhost", "--absolute"]).ok();
    let client = play(&desk, own, &desk.github.clone_url("acme/web"));
    assert_eq!(answer(&client), expected(&desk));
    assert_eq!(desk.github.mints().len(), 1);
    assert_eq!(desk.github.mints()[0].repositories.as_deref(), Some(&["web".to_owned()][..]));
}

#[test]
fn libgit2_does_not_see_what_is_configured_for_an_owner() {
    if let Some(address) = address() {
        return ask_with_libgit2(&address);
    }
    let desk = Desk::new();
    desk.log_in("memory").ok();
    desk.ghapp(["setup-git", "--host", desk.github.host(), "--owner", "acme"]).ok();
    let own = "libgit2_does_not_see_what_is_configured_for_an_owner";
    let client = play(&desk, own, &desk.github.clone_url("acme/web"));
    assert_eq!(answer(&client), "answer: none");
    desk.clone("acme/web").ok();
}

#[test]
fn gitoxide_runs_the_helper_and_tells_it_what_was_refused() {
    if let Some(address) = address() {
        return ask_with_gitoxide(&address);
    }
    let desk = Desk::ready();
    let token = desk.token("acme/web");
    let client =
        play(&desk, "gitoxide_runs_the_helper_and_tells_it_what_was_refused", &desk.github.clone_url("acme/web"));
    assert_eq!(answer(&client), format!("answer: x-access-token {token}"));
    assert_ne!(desk.token("acme/web"), token, "it was erased");
    assert_eq!(desk.github.mints().len(), 2);
}

/// Does what gitoxide does with a helper from git's configuration: it asks, approves the answer, and here rejects it at last.
fn ask_with_gitoxide(address: &str) {
    let program = || Program::from_custom_definition("ghapp").expect("it is the name of a helper");
    let mut cascade = Cascade::default().extend([program()]).use_http_path(true);
    let mut invoke = |action| {
        let prompt = gix_prompt::Options { mode: gix_prompt::Mode::Disable, askpass: None };
        cascade.invoke(action, prompt).expect("the helper is understood")
    };
    let outcome = invoke(Action::get_for_url(address)).expect("there is a credential");
    print_answer(Some((outcome.identity.username, outcome.identity.password)));
    invoke(outcome.next.clone().store());
    invoke(outcome.next.erase());
}
