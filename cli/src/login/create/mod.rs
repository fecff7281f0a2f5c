//! `ghapp login --create`: has GitHub register a new App from a manifest, by a page on this machine and the user's browser.
//!
//! `callback` serves the page and waits for the browser to come back from GitHub with a code; the code goes to the agent, which
//! fetches the App's key with it. The key never comes here. GitHub docs, "Registering a GitHub App from a manifest".

mod callback;
mod manifest;
mod page;
mod site;
mod visitor;

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::message::{AppStatus, Call, CreateApp, Reply};
use ghapp_protocol::pasted::shell_word;
use ghapp_protocol::remote::Host;
use ghapp_protocol::secret::Secret;

use crate::arguments;
use crate::failure::CliError;
use crate::login::passphrase;
use crate::session::Session;
use crate::terminal::browser;
use callback::Callback;
use manifest::Manifest;
use site::{Outcome, Site};

/// How long the page is served: long enough to find a security key and to ask a colleague for a name.
const OPEN_FOR: Duration = Duration::from_secs(600);
/// Length of a secret that cannot be guessed, in bytes.
const SECRET: usize = 32;

/// Has GitHub register an App, and adds it. A failure before GitHub has registered it leaves nothing made or stored.
pub(super) fn run(session: &Session<'_>, arguments: &arguments::Login) -> Result<AppStatus, CliError> {
    let manifest = Manifest::of(arguments)?;
    let host = arguments.host();
    // All that can be checked is checked before the user is sent to GitHub.
    let passphrase = passphrase::for_login(session, arguments, false)?;
    match session.agent.ask_slow(call(session, arguments, &host, passphrase.as_ref(), None)?)? {
        Reply::ReadyToCreate {} => {}
        _ => return Err(session.agent.unexpected()),
    }
    let callback = Callback::open().map_err(|error| {
        CliError::new(ErrorCode::File, format!("cannot listen on 127.0.0.1: {error}")).caused_by(error)
    })?;
    let site = Site::new(&callback.address(), &manifest, random()?, random()?);
    invite(session, &site, callback.port());
    let waiting = session.output.waiting("waiting for the browser");
    let outcome = callback.wait(site, OPEN_FOR);
    waiting.end();
    let code = understood(outcome).map_err(|error| error.hint(format!("run: {}", command(arguments))))?;
    match session.agent.ask_slow(call(session, arguments, &host, passphrase.as_ref(), Some(code))?)? {
        Reply::LoggedIn(app) => Ok(*app),
        _ => Err(session.agent.unexpected()),
    }
}

fn call(
    session: &Session<'_>,
    arguments: &arguments::Login,
    host: &Host,
    passphrase: Option<&Secret>,
    code: Option<Secret>,
) -> Result<Call, CliError> {
    Ok(Call::CreateApp(Box::new(CreateApp {
        name: arguments.name.clone().or_else(|| session.app.clone()).map(|name| name.to_string()),
        host: host.clone(),
        api_url: arguments.api_url()?,
        ca_file: arguments.ca_file()?,
        store: arguments.store().as_str().to_owned(),
        passphrase: passphrase.cloned(),
        code,
    })))
}

/// Shows the page, or says where it is.
fn invite(session: &Session<'_>, site: &Site, port: u16) {
    let (url, minutes) = (site.url(), OPEN_FOR.as_secs() / 60);
    let output = session.output;
    let opened = browser::open(&url);
    let verb = if opened { "Your browser opens" } else { "Open in your browser" };
    output.invite(&format!("{verb}, within {minutes} minutes:\n  {url}"));
    if let Some(tunnel) = browser::tunnel(port).filter(|_| !opened) {
        output.invite(&format!("You came by ssh. On the machine with the browser, first run:\n  {tunnel}"));
    }
}

fn understood(outcome: std::io::Result<Option<Outcome>>) -> Result<Secret, CliError> {
    let failed = |code, cause: &str| Err(CliError::new(code, cause));
    match outcome {
        Ok(Some(Outcome::Code(code))) => Ok(code),
        Ok(Some(Outcome::Cancelled)) => {
            failed(ErrorCode::Cancelled, "you cancelled it in the browser; nothing was stored")
        }
        Ok(Some(Outcome::Forged)) => failed(
            ErrorCode::ForgedCallback,
            "a browser came back with another state than this login's, so nothing was stored; another page may have sent it",
        ),
        Ok(None) => {
            let minutes = OPEN_FOR.as_secs() / 60;
            failed(
                ErrorCode::NoCallback,
                &format!("the browser did not come back from GitHub within {minutes} minutes; nothing was stored"),
            )
        }
        Err(error) => Err(CliError::new(ErrorCode::File, format!("cannot serve the page: {error}")).caused_by(error)),
    }
}

/// The command for the same login again, to be pasted.
fn command(arguments: &arguments::Login) -> String {
    let text = |path: Option<&PathBuf>| path.map(|path| path.display().to_string());
    let options = [
        ("org", arguments.org.as_ref().map(ToString::to_string)),
        ("name", arguments.name.as_ref().map(ToString::to_string)),
        ("permissions", arguments.permissions.clone()),
        ("host", arguments.host.as_ref().map(ToString::to_string)),
        ("api-url", arguments.api_url.clone()),
        ("ca-file", text(arguments.ca_file.as_ref())),
        ("store", arguments.store.clone()),
        ("passphrase-file", text(arguments.passphrase_file.as_ref())),
    ];
    let given = options.into_iter().filter_map(|(name, value)| Some(format!(" --{name} {}", shell_word(&value?))));
    format!("ghapp login --create{}", given.collect::<String>())
}

/// A secret that cannot be guessed, in letters that fit into a URL.
fn random() -> Result<Secret, CliError> {
    let mut bytes = [0; SECRET];
    getrandom::fill(&mut bytes)
        .map_err(|error| CliError::new(ErrorCode::Internal, format!("the system gives no random numbers: {error}")))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
}

#[cfg(test)]
mod tests {
    use super::{Outcome, random, understood};

    #[test]
    fn every_end_has_its_id() {
        let id = |outcome| understood(Ok(outcome)).unwrap_err().code.id();
        assert_eq!(id(Some(Outcome::Forged)), "E51");
        assert_eq!(id(Some(Outcome::Cancelled)), "E53");
        assert_eq!(id(None), "E54");
    }

    #[test]
    fn no_two_secrets_are_alike() {
        let [one, other] = [random().unwrap(), random().unwrap()];
        assert_eq!(one.expose().len(), 43);
        assert_ne!(one.expose(), other.expose());
    }
}
