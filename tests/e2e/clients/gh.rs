//! GitHub's own command line, `gh`, with a token that `ghapp exec` gives it.

use ghapp_tests::Desk;
use ghapp_tests::github::Endpoint;
use ghapp_tests::process::Output;
use ghapp_tests::tools::{Tool, all_there};

const GH: Tool = Tool { program: "gh", package: "gh" };

/// A desk where `gh` trusts GitHub, which it learns from the environment only. It has no login of its own.
fn desk() -> Desk {
    let mut desk = Desk::ready();
    let ca_file = desk.github.ca_file().to_owned();
    desk.set_env("SSL_CERT_FILE", ca_file);
    desk
}

fn gh(desk: &Desk, exec: &[&str], arguments: &[&str]) -> Output {
    desk.ghapp([&["exec"], exec, &["--", "gh"], arguments].concat())
}

#[test]
fn gh_reads_a_private_repository_with_the_token_of_a_command() {
    if !all_there(&[GH]) {
        return;
    }
    let desk = desk();
    let alone = ["gh", "api", "repos/acme/web", "--hostname", desk.github.host()];
    ghapp_tests::process::run(desk.command(alone[0]).args(&alone[1..]), b"").failed();
    assert_eq!(desk.github.calls().of(Endpoint::RepoGet), 0, "it asks for a login first");

    let read = gh(&desk, &["acme/web"], &["api", "repos/acme/web", "--jq", ".full_name, .private"]);
    assert_eq!(read.ok().stdout(), "acme/web\ntrue\n");
    // A token for one repository reaches that one alone.
    gh(&desk, &["acme/web"], &["api", "repos/acme/api"]).failed().stderr_contains("Not Found (HTTP 404)");
    assert_eq!(desk.github.mints().len(), 1);
}

#[test]
fn gh_lists_what_a_token_reaches_page_by_page() {
    if !all_there(&[GH]) {
        return;
    }
    let desk = desk();
    let reached = |exec: &[&str]| {
        let arguments =
            ["api", "/installation/repositories?per_page=1", "--paginate", "--jq", ".repositories[].full_name"];
        gh(&desk, exec, &arguments).ok().stdout()
    };
    assert_eq!(reached(&["acme/web"]), "acme/web\n");
    assert_eq!(reached(&["acme/web", "--repositories", "api"]), "acme/web\nacme/api\n");
}
