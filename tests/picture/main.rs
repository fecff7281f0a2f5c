//! Makes `docs/first-run.svg`, the moving picture of a first run: real commands at an embedded GitHub, and what they print.

#[cfg(unix)]
mod first_run;
#[cfg(unix)]
mod screen;
#[cfg(unix)]
mod svg;

use std::process::ExitCode;

/// Where the picture is kept, seen from this package.
#[cfg(unix)]
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/first-run.svg");

#[cfg(unix)]
fn main() -> ExitCode {
    if !ghapp_tests::build::programs() || !ghapp_tests::keyring::available() {
        return ExitCode::FAILURE;
    }
    std::fs::write(KEPT, picture()).expect("the checkout is writable");
    ExitCode::SUCCESS
}

/// The run needs a Secret Service, which only Unix has.
#[cfg(not(unix))]
fn main() -> ExitCode {
    ExitCode::FAILURE
}

/// Runs everything and draws it.
#[cfg(unix)]
fn picture() -> String {
    svg::draw(&first_run::run())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// What GitHub's tokens and keys begin with.
    const SECRETS: [&str; 4] = ["ghs_", "ghp_", "github_pat_", "PRIVATE KEY"];

    /// Text that only paths of a machine have.
    const PATHS: [&str; 6] = ["/tmp", "/home", "/root", "/Users", "/var", "localhost"];

    /// What a reader of the README has to load, in bytes.
    const LIMIT: usize = 150_000;

    fn kept() -> String {
        std::fs::read_to_string(KEPT).expect("the picture is kept in docs/")
    }

    #[test]
    fn the_kept_picture_shows_what_the_programs_print_today() {
        if ghapp_tests::keyring::available() {
            let message = "the programs print something else now: cargo run --locked -p ghapp-tests --bin picture";
            assert_eq!(kept(), picture(), "{message}");
        }
    }

    #[test]
    fn the_kept_picture_is_small_and_well_formed() {
        let kept = kept();
        assert!(kept.len() < LIMIT, "{} bytes", kept.len());
        let document = roxmltree::Document::parse(&kept).expect("it is well-formed");
        let lines = document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
        assert!(lines.count() > 20, "it shows a run");
    }

    #[test]
    fn the_kept_picture_tells_nothing_of_the_machine_and_no_secret() {
        let kept = kept();
        for text in SECRETS.iter().chain(&PATHS) {
            assert!(!kept.contains(text), "{text} is in the picture");
        }
    }
}
