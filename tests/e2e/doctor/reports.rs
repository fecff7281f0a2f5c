//! What people see and attach: the lines, the report without secrets, and the repairs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use ghapp_tests::secrets::Secrets;

use super::{healthy, set_mode, visit, visit_with};

#[test]
fn a_report_has_the_findings_and_nothing_secret() {
    let mut desk = healthy();
    desk.clone("acme/web").ok();
    let url = format!("https://x-access-token:{}@{}/acme/web.git", desk.token("acme/web"), desk.github.host());
    desk.git_in("web", ["remote", "set-url", "origin", &url]).ok();
    desk.git(["config", "--global", "--add", "credential.helper", "!echo password=ghs_canary"]).ok();
    desk.set_env("GITHUB_TOKEN", "ghs_canary");
    desk.set_env("HTTPS_PROXY", "");
    let key = format!("http.https://{}/.extraHeader", desk.github.host());
    desk.git(["config", "--global", &key, &format!("Authorization: bearer {}", desk.token("acme/web"))]).ok();
    let file = desk.path("report.txt");
    let visited = visit_with(&desk, "web", &["--report", &file.display().to_string()]);
    assert!(visited.code != 0);
    let report = fs::read_to_string(&file).unwrap();
    for told in
        ["fail  remote E49: the URL holds a password", "      fix: git remote set-url origin https://", "~/.gitconfig"]
    {
        assert!(report.contains(told), "{told}\n{report}");
    }
    let everything = format!("{report}{}{}", visited.output.stdout(), visited.output.stderr());
    assert!(!everything.contains("canary"), "{everything}");
    assert!(Secrets::of(&desk).found_in(everything.as_bytes()).is_empty());
    assert!(!report.contains(&desk.home().display().to_string()), "{report}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn fix_mends_one_thing_after_the_other_and_says_what_it_did() {
    let desk = healthy();
    // The second failure is seen only after the first is repaired.
    desk.ghapp(["setup-git", "--remove", "--host", desk.github.host()]).ok();
    set_mode(&desk.config_file(), 0o622);
    set_mode(&desk.runtime_directory().join("ghapp"), 0o755);
    let output = desk.ghapp(["doctor", "acme/web", "--fix"]);
    output
        .ok()
        .stderr_contains("done: chmod go-w")
        .stderr_contains("done: ghapp setup-git")
        .stderr_contains("done: chmod 0700");
    // Only a warning is left: the helper is not where desktops look.
    assert!(output.stdout().ends_with("\n1 warning\n"), "{}", output.stdout());
    assert_eq!(visit(&desk).state("token"), "ok");
}
