//! Rules 10 to 16: whose request it is.

use std::collections::HashSet;

use ghapp_protocol::remote::{FullName, Host, RepositoryName};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::{outcome, with_host, with_lines};

fn with_path(path: &str) -> String {
    outcome(format!("protocol=https\nhost=github.com\npath={path}\n"))
}

#[test]
fn rule_10_only_exactly_https_is_ours() {
    for protocol in ["http", "HTTPS", "https ", "https:", "ssh", "cert", "smtp"] {
        let request = format!("protocol={protocol}\nhost=github.com\n");
        assert_eq!(outcome(request), "not ours: Protocol", "{protocol:?}");
    }
}

#[test]
fn rule_11_hosts_are_compared_as_a_whole_without_case_and_default_port() {
    for (host, same) in [
        ("github.com", "github.com"),
        ("GitHub.COM", "github.com"),
        ("github.com:443", "github.com"),
        ("github.com:8443", "github.com:8443"),
        ("github.com.evil.example", "github.com.evil.example"),
        ("evilgithub.com", "evilgithub.com"),
        ("xn--gthub-n4a.com", "xn--gthub-n4a.com"),
    ] {
        assert_eq!(with_host(host), format!("{same} acme/web"));
    }
    for host in [
        "github.com.",
        ".github.com",
        "github..com",
        "g\u{131}thub.com",
        "github\u{3002}com",
        "\u{212a}.example", // the Kelvin sign, which Unicode lowers to `k`
        "mona@github.com",
        "github.com@evil.example",
        "github.com/",
        "evil.example/github.com",
        "github.com#",
        "github.com?",
        "github.com\\",
        "github.com:",
        "github.com:0",
        "github.com:65536",
        "github.com:4294967739", // 443 in 32 bits
        "github.com:+443",
        "github.com:443:443",
        "[::1]",
        "*",
        "*.github.com",
    ] {
        assert_eq!(with_host(host), "not ours: Host", "{host:?}");
    }
}

#[test]
fn rule_12_what_a_server_says_about_itself_changes_nothing() {
    let plain = with_host("evil.example");
    let request = "protocol=https\nhost=evil.example\npath=acme/web.git\n";
    for realm in ["GitHub", "https://github.com", "x\" host=github.com"] {
        let claimed = format!("{request}wwwauth[]=Basic realm=\"{realm}\"\n");
        assert_eq!(outcome(claimed), plain);
    }
}

#[test]
fn rule_13_another_users_request_is_not_ours() {
    assert_eq!(with_lines("username=x-access-token\n"), "github.com -");
    for name in ["mona", "", "X-Access-Token", "x-access-token ", "\u{ff}"] {
        assert_eq!(with_lines(&format!("username={name}\n")), "not ours: Username", "{name:?}");
    }
}

#[test]
fn rule_14_a_path_is_a_repository_of_github_or_not_ours() {
    for path in [
        "acme/web",
        "acme/web.git",
        "acme/web.GIT",
        "acme/web/",
        "acme/web.git/",
        "acme/web/info/lfs",
        "acme/web.git/info/lfs",
    ] {
        let name = with_path(path);
        assert_eq!(name.to_lowercase(), "github.com acme/web", "{path:?}");
    }
    assert_eq!(with_path("mona_acme/.github"), "github.com mona_acme/.github");
    for path in [
        "",
        "/",
        "acme",
        "acme/",
        "/acme/web",
        "acme//web",
        "acme/web/extra",
        "acme/web/info/lfs/objects",
        "acme/web.git.git",
        "acme/.git",
        "acme/.",
        "acme/..",
        "../web",
        "acme/..%2fother",
        "acme/web%00",
        "acme/web?service=git-upload-pack",
        "acme/web#main",
        "acme/web ",
        "acme\\web",
        "acme/w\u{435}b",
        "acme.corp/web",
    ] {
        // rule 15: and never an outcome without a path, for which another source of the owner would be used
        assert_eq!(with_path(path), "not ours: Path", "{path:?}");
    }
    let longest = format!("{}/{}", "o".repeat(39), "r".repeat(100));
    assert_eq!(with_path(&longest), format!("github.com {longest}"));
    assert_eq!(with_path(&format!("o{longest}")), "not ours: Path");
    assert_eq!(with_path(&format!("{longest}r")), "not ours: Path");
}

#[test]
fn rule_16_a_url_must_agree_with_the_other_attributes() {
    let request = "protocol=https\nhost=github.com\npath=acme/web.git\n";
    for url in [
        "https://github.com/acme/web.git",
        "https://GITHUB.com/acme/web.git/",
        "https://mona:pass@github.com/acme/web.git",
    ] {
        assert_eq!(outcome(format!("url={url}\n{request}")), "github.com acme/web", "{url}");
    }
    for url in [
        "",
        "github.com/acme/web.git",
        "http://github.com/acme/web.git",
        "HTTPS://github.com/acme/web.git",
        "https://evil.example/acme/web.git",
        "https://github.com@evil.example/acme/web.git",
        "https://github.com.evil.example/acme/web.git",
        "https://github.com:8443/acme/web.git",
        "https://github.com/acme/other.git",
        "https://github.com/acme/web.git?x",
        "https://github.com",
        "https://",
        "\u{2028}",
    ] {
        assert_eq!(
            outcome(format!("url={url}\n{request}")),
            "refused: the attribute url contradicts the other attributes",
            "{url}"
        );
    }
    assert_eq!(
        with_lines("url=https://github.com/acme/web.git\n"),
        "github.com -",
        "a path is never taken from the url"
    );
}

proptest! {
    #[test]
    fn rule_14_every_spelling_of_any_name_is_that_name(
        owner in "[A-Za-z0-9][A-Za-z0-9_-]{0,38}",
        repository in "[A-Za-z0-9._-]{1,100}",
        suffix in select(vec!["", "/", ".git", ".GIT", ".git/", "/info/lfs", ".git/info/lfs", ".Git/info/lfs/"]),
    ) {
        prop_assume!(RepositoryName::parse(&repository).is_ok());
        let name = format!("{owner}/{repository}");
        let path = format!("{name}{suffix}");
        prop_assert_eq!(with_path(&path), format!("github.com {name}"));
        prop_assert_eq!(FullName::parse(&path.to_uppercase().replace("/INFO/LFS", "/info/lfs")), FullName::parse(&name));
    }

    // Without NUL and the two characters that end a line of git's.
    #[test]
    fn rule_14_any_other_character_anywhere_is_not_ours(
        name in "[A-Za-z0-9_-]{1,19}/[A-Za-z0-9_-]{1,19}",
        bad in "[\\x01-\\x09\\x0b\\x0c\\x0e-\\x1f\\x7f !\"$&'*+,:;<=>?@|~%#\\\\\u{80}-\u{10ffff}]",
        at in any::<Index>(),
    ) {
        let at = at.index(name.len() + 1);
        let path = format!("{}{bad}{}", &name[..at], &name[at..]);
        prop_assert!(FullName::parse(&path).is_err());
        let outcome = with_path(&path);
        prop_assert!(outcome == "not ours: Path" || outcome.starts_with("refused: "), "{}", outcome);
    }

    // Few letters, so that names often are alike.
    #[test]
    fn rule_14_names_are_the_same_only_as_a_whole_and_without_case(
        one in "[aAbB][aAbB-]?/[aAbB_-]{1,2}",
        other in "[aAbB][aAbB-]?/[aAbB_-]{1,2}",
    ) {
        let [first, second] = [&one, &other].map(|name| FullName::parse(name).unwrap());
        let same = one.to_lowercase() == other.to_lowercase();
        prop_assert_eq!(first == second, same);
        prop_assert_eq!(first.cmp(&second).is_eq(), same, "order agrees");
        prop_assert_eq!(HashSet::from([first, second]).len() == 1, same, "and so does the hash");
    }

    #[test]
    fn rule_11_any_host_is_itself_in_any_case_and_no_longer_one(
        host in "[A-Za-z0-9_-]{1,20}(\\.[A-Za-z0-9_-]{1,20}){0,3}(:[1-9][0-9]{0,3})?",
        other in "[A-Za-z0-9_-]",
    ) {
        let parse = |host: &str| Host::parse(host).unwrap();
        prop_assert_eq!(parse(&host), parse(&host.to_uppercase()));
        prop_assert_ne!(parse(&host), parse(&format!("{other}{host}")));
        prop_assert_ne!(parse(&host), parse(&format!("{other}.{host}")));
        if !host.contains(':') {
            prop_assert_eq!(parse(&host), parse(&format!("{host}:443")));
            prop_assert_ne!(parse(&host), parse(&format!("{host}:444")));
            prop_assert_ne!(parse(&host), parse(&format!("{host}.{other}")));
        }
    }
}
