//! Bad input: each mistake is a clear error with the next step; nothing is stored and nothing is lost.

use std::io::{Read, Write};
use std::net::TcpListener;

use ghapp_tests::github::{Endpoint, Fault};
use ghapp_tests::process::{self, Output};
use ghapp_tests::{Desk, binary};

/// A login, of which a test exchanges one part at a time.
struct Login<'a> {
    desk: &'a Desk,
    pem: String,
    app_id: String,
    host: String,
    trusted: bool,
}

impl<'a> Login<'a> {
    fn of(desk: &'a Desk) -> Self {
        Self {
            desk,
            pem: desk.app.pem().to_owned(),
            app_id: desk.app.app_id.to_string(),
            host: desk.github.host().to_owned(),
            trusted: true,
        }
    }

    fn run(&self) -> Output {
        let mut command = self.desk.command(binary("ghapp"));
        command.args(["login", "--pem", "-", "--app-id", &self.app_id, "--host", &self.host, "--store", "memory"]);
        if self.trusted {
            command.arg("--ca-file").arg(self.desk.github.ca_file());
        }
        process::run(&mut command, self.pem.as_bytes())
    }

    /// Runs it and asserts what every failed login has in common.
    #[track_caller]
    fn fails(&self, code: i32, id: &str, cause: &str) {
        let outcome = self.run();
        outcome.failed().stderr_contains(&format!("ghapp: error[{id}]: ")).stderr_contains(cause);
        outcome.stderr_contains("\nghapp: hint: ");
        assert_eq!(outcome.status.code(), Some(code), "{}", outcome.stderr());
        assert!(!self.desk.config_file().exists(), "a configuration was left behind");
        let status = self.desk.ghapp_json(["status"]);
        assert_eq!(status["apps"], serde_json::json!([]), "an App was left behind");
    }
}

#[test]
fn a_file_that_is_no_private_key_is_named_for_what_it_is() {
    let desk = Desk::new();
    let login = Login::of(&desk);
    let block = |label: &str| format!("-----BEGIN {label}-----\nMIIB\n-----END {label}-----\n");
    let with = |pem: String| Login { pem, ..Login::of(&desk) };
    with("hello".to_owned()).fails(1, "E13", "not a PEM private key");
    with(String::new()).fails(1, "E13", "not a PEM private key");
    with(login.pem[..900].to_owned()).fails(1, "E13", "damaged");
    with(block("PUBLIC KEY")).fails(1, "E14", "public key");
    with(block("CERTIFICATE")).fails(1, "E14", "certificate");
    with(block("ENCRYPTED PRIVATE KEY")).fails(1, "E14", "encrypted");
    with(block("OPENSSH PRIVATE KEY")).fails(1, "E14", "OpenSSH");
    with(block("EC PRIVATE KEY")).fails(1, "E14", "RSA");
    assert_eq!(desk.github.calls().api(), 0, "GitHub was not bothered");
}

#[test]
fn a_key_of_another_app_is_refused() {
    let desk = Desk::new();
    let other = desk.github.create_app("other-bot", "acme");
    Login { pem: other.pem().to_owned(), ..Login::of(&desk) }.fails(7, "E15", "does not accept the key");
}

#[test]
fn a_wrong_app_id_is_refused() {
    let desk = Desk::new();
    Login { app_id: "424242".to_owned(), ..Login::of(&desk) }.fails(7, "E38", "no App with the id 424242");
}

#[test]
fn a_client_id_at_a_server_that_knows_only_app_ids_is_explained() {
    let desk = Desk::new();
    desk.github.accept_client_id(false);
    let mut command = desk.command(binary("ghapp"));
    command.args(["login", "--pem", "-", "--client-id", &desk.app.client_id, "--host", desk.github.host()]);
    command.args(["--store", "memory", "--ca-file"]).arg(desk.github.ca_file());
    let outcome = process::run(&mut command, desk.app.pem().as_bytes());
    outcome.failed().stderr_contains("numeric App ID");
    assert_eq!(outcome.status.code(), Some(7));
}

#[test]
fn a_host_that_does_not_answer_and_one_that_is_not_trusted_are_different_errors() {
    let desk = Desk::new();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    Login { host: format!("localhost:{closed}"), ..Login::of(&desk) }.fails(8, "E24", "cannot reach localhost");
    Login { host: "no-such-host.invalid".to_owned(), ..Login::of(&desk) }.fails(
        8,
        "E24",
        "cannot reach no-such-host.invalid",
    );
    Login { trusted: false, ..Login::of(&desk) }.fails(8, "E25", "not trusted");
}

#[test]
fn a_server_that_is_not_github_is_named() {
    let desk = Desk::new();
    desk.github.fault(Endpoint::AppGet, Fault::bad_gateway(), 1);
    Login::of(&desk).fails(8, "E27", "502");
}

#[test]
fn a_broken_configuration_file_is_left_as_it_is() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.config_file().parent().unwrap()).unwrap();
    let broken = "[agent]\nmin_tll = \"10m\"\n";
    std::fs::write(desk.config_file(), broken).unwrap();
    let outcome = desk.log_in("memory");
    outcome.failed().stderr_contains("config.toml:2:1").stderr_contains("did you mean \"min_ttl\"?");
    assert_eq!(outcome.status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(desk.config_file()).unwrap(), broken);

    desk.set_up_git();
    desk.fill("acme/web").failed().stderr_contains("config.toml:2:1");
    std::fs::write(desk.config_file(), "[agent]\nmin_ttl = \"10m\"\n").unwrap();
    desk.ghapp(["agent", "reload"]).ok();
    desk.log_in("memory").ok();
    desk.clone("acme/web").ok();
}

#[test]
fn a_configuration_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::ready();
    std::fs::set_permissions(desk.config_file(), std::fs::Permissions::from_mode(0o666)).unwrap();
    desk.ghapp(["agent", "reload"]).failed().stderr_contains("others can write it");
}

#[test]
fn a_second_app_under_the_same_name_is_refused_and_the_first_stays() {
    let desk = Desk::ready();
    let other = desk.github.create_app("other-bot", "acme");
    let mut command = desk.command(binary("ghapp"));
    command.args(["login", "--pem", "-", "--app-id", &other.app_id.to_string(), "--name", "acme-bot"]);
    command.args(["--host", desk.github.host(), "--store", "memory", "--ca-file"]).arg(desk.github.ca_file());
    process::run(&mut command, other.pem().as_bytes()).failed().stderr_contains("error[E42]");
    desk.clone("acme/web").ok();
}

#[test]
fn logging_in_again_replaces_the_key_and_keeps_the_app() {
    let desk = Desk::ready();
    let new_pem = desk.github.add_key(&desk.app);
    desk.github.remove_key(&desk.app, desk.app.pem());
    let mut command = desk.command(binary("ghapp"));
    command.args(["login", "--pem", "-", "--app-id", &desk.app.app_id.to_string(), "--host", desk.github.host()]);
    command.args(["--store", "memory", "--ca-file"]).arg(desk.github.ca_file());
    process::run(&mut command, new_pem.as_bytes()).ok();
    desk.clone("acme/web").ok();
    assert_eq!(desk.ghapp_json(["status"])["apps"].as_array().unwrap().len(), 1);
}

/// What the helper answers for a path, as git sends it.
fn answer_for(desk: &Desk, path: &str) -> String {
    let request = format!("protocol=https\nhost={}\npath={path}\n\n", desk.github.host());
    process::run(desk.command(binary("git-credential-ghapp")).arg("get"), request.as_bytes()).ok().stdout()
}

#[test]
fn hostile_paths_ask_nothing_of_github() {
    let desk = Desk::ready();
    let before = desk.github.calls().len();
    let too_long = format!("acme/{}.git", "r".repeat(101));
    let too_long_owner = format!("{}/web.git", "o".repeat(40));
    for path in [
        "",
        "/",
        "acme",
        "acme/",
        "/web.git",
        "/acme/web.git",
        "../acme/web.git",
        "acme/../web.git",
        "./acme/web.git",
        "acme/.",
        "acme/..",
        "acme/.git",
        "acme/web.git.git",
        "acme.corp/web.git",
        "acme%2fweb.git",
        "acme%2Fweb.git",
        "acme/%2e%2e/web.git",
        "acme/web%2egit",
        "acme/web%00.git",
        "acme/web.git%0apath=acme/api.git",
        "acme/web.git/../api.git",
        "acme//web.git",
        "acme/web.git//",
        "acme\\web.git",
        "acme/web.git/info",
        "acme/web.git/info/lfs/objects/batch",
        "acme/web.git/info/lfs/info/lfs",
        "acme/web.git?x=/info/lfs",
        "acme/web.git#main",
        "acme/web.git;acme/api.git",
        "acme/w\u{435}b.git",
        "acme/w\u{ff45}b.git",
        "\u{212a}acme/web.git",
        "acme\u{2215}web.git",
        "acme/\u{202e}bew.git",
        "acme/we b.git",
        "acme/web\t.git",
        &too_long,
        &too_long_owner,
    ] {
        assert_eq!(answer_for(&desk, path), "", "{path:?}");
    }
    assert_eq!(desk.github.calls().len(), before, "neither the API nor the git server heard of it");
    assert_eq!(desk.agent().unwrap().leases, 0);
}

#[test]
fn all_spellings_of_a_repository_share_one_token() {
    let desk = Desk::ready();
    let before = desk.github.calls();
    let longest = format!("acme/{}", "Long-name_".repeat(10));
    let names = [
        "acme/web",
        "acme/.github",
        "acme/a.b.c",
        "acme/web.js",
        "acme/-",
        "acme/_",
        "acme/...",
        "acme/web.git2",
        &longest,
    ];
    for (number, name) in names.into_iter().enumerate() {
        if name != "acme/web" {
            desk.github.create_repository(name);
        }
        let spellings = ["", ".git", "/", ".git/", ".GIT", "/info/lfs", ".git/info/lfs", ".git/info/lfs/"];
        let odd = spellings.map(|ending| format!("{}{ending}", name.to_uppercase()));
        let plain = spellings.map(|ending| format!("{name}{ending}"));
        let first = answer_for(&desk, name);
        assert!(first.contains("\npassword="), "{name}: {first}");
        for spelling in plain.iter().chain(&odd) {
            assert_eq!(answer_for(&desk, spelling), first, "{spelling}");
        }
        assert_eq!(desk.agent().unwrap().leases, number + 1, "one token more for {name}");
    }
    let minted: Vec<_> = desk.github.mints().into_iter().filter_map(|mint| mint.repositories).collect();
    assert_eq!(minted, names.map(|name| vec![name["acme/".len()..].to_owned()]));
    let calls = desk.github.calls();
    assert_eq!((calls.of(Endpoint::UserInstallation), calls.of(Endpoint::Mint)), (1, names.len()));
    assert_eq!(calls.api() - before.api(), 1 + names.len(), "and nothing else");
    assert_eq!(calls.git() - before.git(), names.len(), "but the proof of each token");
}

#[test]
fn a_proxy_that_refuses_is_named() {
    let mut desk = Desk::new();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in proxy.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    });
    desk.set_env("HTTPS_PROXY", format!("http://{address}"));
    let login = Login::of(&desk);
    login.fails(8, "E26", "the proxy refused a connection to ");
    assert!(desk.github.calls().is_empty());
}

#[test]
fn an_owner_that_github_cannot_have_is_not_ours_and_costs_no_call() {
    let desk = Desk::ready();
    let before = desk.github.calls().api();
    let fill = desk.fill("-acme/web");
    assert!(!fill.stderr().contains("install"), "{}", fill.stderr());
    assert_eq!(desk.github.calls().api(), before);
}
