//! Waits until a new App is installed, so that a login ends with an App that works.

use std::thread;
use std::time::{Duration, Instant};

use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{AppStatus, InstallationStatus};

use crate::failure::CliError;
use crate::known_apps;
use crate::session::Session;
use crate::terminal::browser;

/// The pause between two questions to GitHub: 200 in all, far below what it allows, and short for a user who waits.
const INTERVAL: Duration = Duration::from_secs(3);
/// How long to wait for an installation. An owner's approval may take days; the App stays logged in.
const PATIENCE: Duration = Duration::from_secs(600);

/// Where an App can be installed (GitHub docs, "Installing your own GitHub App").
pub(crate) fn page(app: &AppStatus) -> Option<String> {
    let (host, slug) = (&app.host, app.slug.as_ref()?);
    // GitHub Enterprise Server has the page under another name.
    let directory = if is_cloud(host.name()) { "apps" } else { "github-apps" };
    Some(format!("https://{host}/{directory}/{slug}/installations/new"))
}

fn is_cloud(host: &str) -> bool {
    host == "github.com" || host.ends_with(".ghe.com")
}

/// Sends the user to the page and waits. Returns no installation if there is none in time.
pub(crate) fn wait(session: &Session<'_>, app: &AppStatus, resume: &str) -> Result<Vec<InstallationStatus>, CliError> {
    let output = session.output;
    let Some(page) = page(app) else { return Ok(Vec::new()) };
    let verb = if browser::open(&page) { "Your browser opens" } else { "Open in your browser" };
    output.invite(&format!("Install it: {}\n  {page}", verb.to_lowercase()));
    output.talk(&format!("{} is logged in. To stop waiting press Ctrl-C; go on later with: {resume}", app.name));
    let waiting = output.waiting("waiting for the installation");
    let until = Instant::now() + PATIENCE;
    loop {
        match known_apps::installations(session, &app.name, true) {
            Ok(found) if !found.is_empty() => return Ok(found),
            Ok(_) => {}
            Err(error) if passes(error.code) => output.detail(&format!("not yet: {}", error.message)),
            Err(error) => {
                waiting.end();
                return Err(error);
            }
        }
        if Instant::now() + INTERVAL >= until {
            return Ok(Vec::new());
        }
        rest();
    }
}

#[expect(clippy::disallowed_methods, reason = "GitHub does not report an installation: it can only be asked")]
fn rest() {
    thread::sleep(INTERVAL);
}

/// Whether a failure may pass soon: GitHub is busy, or some of its machines do not know the App yet.
fn passes(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::Unreachable
            | ErrorCode::GitHubUnavailable
            | ErrorCode::DeadlinePassed
            | ErrorCode::KeyRefused
            | ErrorCode::UnknownApp
    )
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::message::AppStatus;
    use ghapp_protocol::remote::Host;

    use super::page;

    #[test]
    fn the_page_is_called_differently_on_a_server_of_ones_own() {
        let page = |host: &str, slug: Option<&str>| {
            page(&AppStatus {
                name: "bot".to_owned(),
                host: Host::parse(host).unwrap(),
                app_id: Some(1),
                client_id: None,
                slug: slug.map(str::to_owned),
                key_fingerprint: None,
                store: "memory".to_owned(),
                state: "ok".to_owned(),
                refused_keys: Vec::new(),
                missing_keys: Vec::new(),
            })
        };
        let found = |host| page(host, Some("bot")).unwrap();
        assert_eq!(found("github.com"), "https://github.com/apps/bot/installations/new");
        assert_eq!(found("acme.ghe.com"), "https://acme.ghe.com/apps/bot/installations/new");
        assert_eq!(found("ghes.corp:8443"), "https://ghes.corp:8443/github-apps/bot/installations/new");
        assert_eq!(page("github.com", None), None);
    }
}
