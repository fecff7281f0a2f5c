//! cargo and a dependency in a private repository: fetched by libgit2, which cargo brings along, and by git.

use std::path::Path;

use ghapp_tests::Desk;
use ghapp_tests::process::{self, Output};

/// A desk where `acme/web` is a crate, and a package that depends on it.
fn desk_with_dependency() -> Desk {
    let desk = Desk::ready();
    desk.clone("acme/web").ok();
    desk.commit("web", "src/lib.rs", "");
    desk.commit("web", "Cargo.toml", "[package]\nname = \"web\"\nversion = \"1.0.0\"\n");
    desk.git_in("web", ["push", "--quiet"]).ok();
    let package = desk.work().join("package");
    std::fs::create_dir_all(package.join("src")).expect("the sandbox is writable");
    std::fs::write(package.join("src/lib.rs"), "").expect("the sandbox is writable");
    let url = desk.github.clone_url("acme/web");
    let manifest =
        format!("[package]\nname = \"package\"\nversion = \"1.0.0\"\n\n[dependencies]\nweb = {{ git = \"{url}\" }}\n");
    std::fs::write(package.join("Cargo.toml"), manifest).expect("the sandbox is writable");
    desk
}

/// Runs `cargo fetch` for the package, with the cargo that runs this test.
fn fetch(desk: &Desk, with_git: bool) -> Output {
    let cargo = Path::new(env!("CARGO"));
    let rustc = cargo.with_file_name(format!("rustc{}", std::env::consts::EXE_SUFFIX));
    let mut command = desk.command(cargo);
    command
        .arg("fetch")
        .current_dir(desk.work().join("package"))
        .env("RUSTC", rustc)
        // Not `http.cainfo`: with any setting for its own HTTP client cargo uses that client for git too, and it asks no helper.
        .env("SSL_CERT_FILE", desk.github.ca_file())
        .env("CARGO_NET_RETRY", "0")
        .env("CARGO_NET_GIT_FETCH_WITH_CLI", with_git.to_string());
    process::run(&mut command, b"")
}

/// The commit that cargo wrote down is the one at GitHub.
fn is_locked(desk: &Desk) -> bool {
    let lock = std::fs::read_to_string(desk.work().join("package/Cargo.lock")).unwrap_or_default();
    lock.contains(&desk.github.head("acme/web", "main").expect("it has a commit"))
}

#[test]
fn cargo_fetches_a_private_dependency_with_git() {
    let desk = desk_with_dependency();
    fetch(&desk, true).ok();
    assert!(is_locked(&desk));
    assert_eq!(desk.github.mints().len(), 1);
}

#[test]
fn cargo_fetches_a_private_dependency_with_its_own_libgit2() {
    let desk = desk_with_dependency();
    desk.set_up_git_without_port();
    fetch(&desk, false).ok();
    assert!(is_locked(&desk));
    assert_eq!(desk.github.mints().len(), 1);
}
