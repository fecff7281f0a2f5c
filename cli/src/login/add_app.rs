//! `ghapp login`: adds an App. The key passes through here on its way to the agent and goes nowhere else.

use std::path::Path;

use ghapp_agent::model::StoreKind;
use ghapp_agent::signer;
use ghapp_protocol::message::{AppStatus, Call, InstallationStatus, Login, Reply};
use ghapp_protocol::remote::{Host, Owner};

use crate::failure::{CliError, LOG_IN};
use crate::git::setup_git;
use crate::login::pem::{self, PemSource};
use crate::login::{create, installing, passphrase, wizard};
use crate::session::Session;
use crate::terminal::wording;
use crate::{arguments, known_apps};

/// Most installations that are listed; a public App may have thousands.
const MAX_LISTED: usize = 20;

pub(crate) fn run(session: &Session<'_>, arguments: arguments::Login) -> Result<(), CliError> {
    // Standard input cannot give both the key and the answers.
    let asks = session.asks && arguments.pem.as_deref() != Some(Path::new("-"));
    let arguments = if asks { wizard::complete(session, arguments)? } else { arguments };
    if arguments.passphrase_file.is_some() && arguments.store() != StoreKind::EncryptedFile {
        return Err(CliError::usage("only an encrypted file has a passphrase: --store encrypted-file"));
    }
    if arguments.create {
        let app = create::run(session, &arguments)?;
        announce(session, &app)?;
        let found = installing::wait(session, &app, &setup_command(&app.host, &[]))?;
        show(session, &app, &found)?;
        let next = set_git_up(session, &arguments, &app, &found)?;
        say_next(session, next);
        return Ok(());
    }
    let source = source(&arguments)?;
    let call = call(session, &arguments, source.as_ref())?;
    let Reply::LoggedIn(app) = session.agent.ask_slow(Call::Login(Box::new(call)))? else {
        return Err(session.agent.unexpected());
    };
    announce(session, &app)?;
    let installations = installations(session, &app, arguments.setup_git)?;
    let next = set_git_up(session, &arguments, &app, &installations)?;
    // Last, after all that can fail: the file may be needed for another attempt.
    if let Some(source) = source
        && (arguments.delete_pem || (asks && wizard::may_delete(&source, arguments.store())?))
    {
        source.delete()?;
        session.output.report(&format!("Deleted    {}", source.name()))?;
    }
    say_next(session, next);
    Ok(())
}

/// Prints the command that is left to run, if there is one.
fn say_next(session: &Session<'_>, next: Option<String>) {
    if let Some(command) = next {
        session.output.talk(&format!("next: {command}"));
    }
}

/// Makes git use the App where it is installed, if the user wants that, or returns the command for it.
fn set_git_up(
    session: &Session<'_>,
    arguments: &arguments::Login,
    app: &AppStatus,
    installations: &[InstallationStatus],
) -> Result<Option<String>, CliError> {
    let (host, owners) = (&app.host, owners(installations));
    if arguments.setup_git && owners.is_empty() {
        session.output.warning(&format!(
            "git is not set up: {} is not installed on any account yet; install it, then run: {}",
            app.name,
            setup_command(host, &[])
        ));
        return Ok(None);
    }
    let wanted = arguments.setup_git
        || (session.asks && !arguments.no_setup_git && !owners.is_empty() && wizard::may_set_up(app, &owners)?);
    if wanted {
        return setup_git::write_for_owners(host, &owners, session.output).map(|()| None);
    }
    Ok(Some(setup_command(host, &owners)))
}

/// Where the key comes from; `None` when its store has it already.
fn source(arguments: &arguments::Login) -> Result<Option<PemSource>, CliError> {
    let store = arguments.store();
    if arguments.pem.is_none() && store != StoreKind::CredentialsDir {
        return Err(CliError::usage("login needs the file with the App's private key: --pem FILE").hint(LOG_IN));
    }
    if arguments.app_id.is_none() && arguments.client_id.is_none() {
        return Err(CliError::usage("login needs to know which App: --app-id N or --client-id ID")
            .hint(format!("both are shown on the App's page below https://{}/settings/apps", arguments.host())));
    }
    let Some(pem) = &arguments.pem else {
        if arguments.delete_pem {
            return Err(CliError::usage("--delete-pem needs a file: --pem FILE").hint(LOG_IN));
        }
        return Ok(None);
    };
    if store == StoreKind::CredentialsDir {
        let cause = "--store credentials-dir takes the key that the service manager hands to the agent";
        return Err(CliError::usage(cause).hint("leave out --pem"));
    }
    let source = PemSource::of(pem.clone())?;
    if arguments.delete_pem && source == PemSource::Stdin {
        return Err(CliError::usage("--delete-pem needs a file: --pem FILE").hint(LOG_IN));
    }
    if arguments.delete_pem {
        pem::check_lasting(store)?;
    }
    Ok(Some(source))
}

fn call(session: &Session<'_>, arguments: &arguments::Login, source: Option<&PemSource>) -> Result<Login, CliError> {
    let (api_url, ca_file) = (arguments.api_url()?, arguments.ca_file()?);
    let key = match source {
        None => None,
        Some(source) => {
            let key = source.read()?;
            let fingerprint = signer::fingerprint(&key);
            let fingerprint = fingerprint.map_err(|error| CliError::from_import(error, &source.name()))?;
            pem::show(session.output, fingerprint.as_str())?;
            Some(pem::for_the_agent(&key))
        }
    };
    let passphrase = passphrase::for_login(session, arguments, source == Some(&PemSource::Stdin))?;
    Ok(Login {
        name: arguments.name.clone().or_else(|| session.app.clone()).map(|name| name.to_string()),
        host: arguments.host(),
        api_url,
        ca_file,
        app_id: arguments.app_id,
        client_id: arguments.client_id.clone(),
        store: arguments.store().as_str().to_owned(),
        key,
        passphrase,
    })
}

fn announce(session: &Session<'_>, app: &AppStatus) -> Result<(), CliError> {
    let output = session.output;
    let id = match (app.app_id, &app.client_id) {
        (Some(id), _) => format!("App {id}"),
        (None, Some(client_id)) => format!("client ID {client_id}"),
        (None, None) => "App".to_owned(),
    };
    let store = StoreKind::parse(&app.store);
    if let (Some(StoreKind::CredentialsDir), Some(fingerprint)) = (store, &app.key_fingerprint) {
        pem::show(output, fingerprint)?;
    }
    let slug = app.slug.as_deref().unwrap_or(&app.name);
    output.report(&format!("Accepted   {slug} ({id}) on {}", app.host))?;
    // Only the agent knows which keyring it is. The App is stored even if the agent does not answer.
    let status = (store == Some(StoreKind::Keyring)).then(|| session.agent.status().ok()).flatten();
    output.report(&wording::stored(&app.name, &app.store, status.as_ref()))
}

/// Asks GitHub where the App is installed, and lists that. The App is stored even if this fails.
fn installations(session: &Session<'_>, app: &AppStatus, needed: bool) -> Result<Vec<InstallationStatus>, CliError> {
    let found = match known_apps::installations(session, &app.name, true) {
        Ok(found) => found,
        Err(error) if needed => return Err(error),
        Err(error) => {
            session.output.warning(&format!("cannot list the installations: {}", error.message));
            return Ok(Vec::new());
        }
    };
    show(session, app, &found)?;
    Ok(found)
}

/// Lists where an App is installed.
fn show(session: &Session<'_>, app: &AppStatus, found: &[InstallationStatus]) -> Result<(), CliError> {
    let mut label = "Installed";
    for one in found.iter().take(MAX_LISTED) {
        let suspended = if one.suspended { ", suspended" } else { "" };
        session.output.report(&format!(
            "{label:<10} {}: {} repositories; {}  (installation {}{suspended})",
            one.account,
            one.repository_selection,
            wording::permissions(&one.permissions),
            one.id
        ))?;
        label = "";
    }
    if found.len() > MAX_LISTED {
        let rest = found.len() - MAX_LISTED;
        session.output.report(&format!("           and {rest} more: ghapp installations --app {}", app.name))?;
    }
    if found.is_empty() {
        session.output.report(&match installing::page(app) {
            Some(page) => format!("Installed  nowhere yet: {page}"),
            None => "Installed  nowhere yet".to_owned(),
        })?;
    }
    Ok(())
}

/// The accounts whose repositories the App can reach. An enterprise has no repositories, and its name is not that of an owner.
fn owners(installations: &[InstallationStatus]) -> Vec<Owner> {
    let usable = installations.iter().filter(|one| !one.suspended);
    usable.filter_map(|one| Owner::parse(&one.account).ok()).collect()
}

fn setup_command(host: &Host, owners: &[Owner]) -> String {
    let names: Vec<&str> = match owners {
        [] => vec!["OWNER"],
        owners => owners.iter().take(MAX_LISTED).map(Owner::as_str).collect(),
    };
    format!("ghapp setup-git --host {host} --owner {}", names.join(" --owner "))
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::message::InstallationStatus;
    use ghapp_protocol::remote::Host;

    use super::{owners, setup_command};

    fn installation(account: &str, suspended: bool) -> InstallationStatus {
        InstallationStatus {
            id: 1,
            account: account.to_owned(),
            repository_selection: "all".to_owned(),
            permissions: [].into(),
            suspended,
            settings: None,
        }
    }

    #[test]
    fn git_is_set_up_for_accounts_that_can_be_reached() {
        let all = [installation("acme", false), installation("octo", true), installation("an enterprise", false)];
        let owners = owners(&all);
        let host = Host::parse("github.com").unwrap();
        assert_eq!(setup_command(&host, &owners), "ghapp setup-git --host github.com --owner acme");
        assert_eq!(setup_command(&host, &[]), "ghapp setup-git --host github.com --owner OWNER");
    }
}
