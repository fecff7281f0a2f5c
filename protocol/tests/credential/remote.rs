//! Rules 10 to 16: whose request it is.

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
