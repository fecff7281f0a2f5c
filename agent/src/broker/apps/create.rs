//! Adding an App that GitHub has just registered from a manifest. Its key comes straight from GitHub.

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{CreateApp, Reply};
use ghapp_protocol::secret::Secret;
use tokio::time::sleep;
use tracing::info;

use super::login::{at, check_passphrase, explain_exists, keep, usage};
use crate::broker::app_api::chance;
use crate::broker::explain::stores;
use crate::broker::telling::app_status;
use crate::broker::{Broker, explain};
use crate::config::{self, Config};
use crate::failures::pause_after;
use crate::github::{GitHubError, NewApp};
use crate::model::{App, AppName, Caller, ManifestCode, PrivateKey, StoreKind};
use crate::signer;

/// Most Apps that may want the same nickname; the slugs of one host are all different.
const MAX_NAMESAKES: usize = 100;

/// Adds an App; without a code, only says whether that could be done.
///
/// GitHub hands the key out once, and keeps no copy. So everything that can be known to fail fails before GitHub is asked, and an
/// error after that says how the App gets another key.
pub(crate) async fn create_app(broker: &Broker, call: CreateApp, caller: &Caller) -> Reply {
    let Some(code) = call.code.clone() else {
        return prepare(broker, &call).await.map_or_else(Reply::Error, |_| Reply::ReadyToCreate {});
    };
    let mut entry = broker.shared.entry("create", caller);
    entry.record.host = Some(call.host.to_string());
    let made = match ManifestCode::parse(code) {
        Some(code) => take_over(broker, &call, &code).await,
        None => Err(WireError::new(ErrorCode::BadRequest, "that is no code of GitHub's")),
    };
    let reply = match made {
        Ok(app) => {
            entry.record.app = Some(app.name.to_string());
            Reply::LoggedIn(Box::new(app_status(&app, "ok".to_owned())))
        }
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

/// Checks everything but GitHub. Returns the App as far as it is known, with the name that was chosen for it.
async fn prepare(broker: &Broker, call: &CreateApp) -> Result<(App, Option<AppName>), WireError> {
    let config = broker.shared.config()?;
    broker.shared.needed();
    broker.shared.unlocked()?;
    let app = at(&call.host, call.api_url.as_deref(), call.ca_file.as_deref(), &call.store)?;
    let chosen = call.name.as_deref().map(AppName::parse).transpose().map_err(|error| usage(&error))?;
    if let Some(other) = chosen.as_ref().and_then(|name| config.app(name)) {
        return Err(explain_exists(other)); // a new App cannot be one that is configured already
    }
    let placeholder = App { app_id: Some(1), ..app.clone() };
    let edit = config::add_app(&broker.shared.config_file, &placeholder);
    edit.and_then(|edit| edit.rehearse()).map_err(|error| explain::edit(&error))?;
    check_passphrase(call.passphrase.as_ref(), app.store)?;
    if app.store == StoreKind::CredentialsDir {
        return Err(usage(
            &"GitHub makes the key of a new App, and credentials-dir takes none: choose another --store",
        ));
    }
    broker.shared.stores.reach(app.store).await.map_err(|error| stores::explain_new(&error, &app))?;
    Ok((app, chosen))
}

async fn take_over(broker: &Broker, call: &CreateApp, code: &ManifestCode) -> Result<App, WireError> {
    let (mut app, chosen) = prepare(broker, call).await?;
    broker.shared.github.reconnect(); // a CA file may have been replaced since the last attempt
    let new = convert(broker, &app, code).await.map_err(|error| refused(&error, &app))?;
    let kept = keep_new(broker, &mut app, &new, chosen, call.passphrase.clone()).await;
    kept.map_err(|error| without_key(&error, &app, &new))?;
    Ok(app)
}

/// Fetches the App. GitHub's hiccups are worth another try: without the key the App is of no use. If an answer was lost, the next
/// one says that the code is used up.
async fn convert(broker: &Broker, app: &App, code: &ManifestCode) -> Result<NewApp, GitHubError> {
    let mut attempts = 0;
    loop {
        let error = match broker.shared.github.convert_manifest(app, code).await {
            Err(error) if error.is_passing() => error,
            outcome => return outcome,
        };
        attempts += 1;
        let Some(pause) = pause_after(attempts, chance()) else { return Err(error) };
        info!(host = %app.host, %error, "trying again");
        sleep(pause).await;
    }
}

async fn keep_new(
    broker: &Broker,
    app: &mut App,
    new: &NewApp,
    chosen: Option<AppName>,
    passphrase: Option<Secret>,
) -> Result<(), WireError> {
    app.app_id = Some(new.id);
    app.client_id.clone_from(&new.client_id);
    app.slug = Some(new.slug.clone());
    let key = key_of(new)?;
    let fingerprint = signer::fingerprint(&key).map_err(unusable)?;
    app.key = Some(fingerprint);
    let name = match chosen {
        Some(name) => name,
        None => free_name(&*broker.shared.config()?, &new.slug)?,
    };
    keep(broker, app, key, Some(name), passphrase).await
}

fn key_of(new: &NewApp) -> Result<PrivateKey, WireError> {
    signer::from_pem(new.pem.expose().as_bytes()).map_err(unusable)
}

fn unusable(error: signer::ImportError) -> WireError {
    WireError::new(ErrorCode::GitHubUnavailable, format!("GitHub sent no usable key: {error}"))
}

/// The App's slug, with a number behind it when another host has an App of that name.
fn free_name(config: &Config, slug: &str) -> Result<AppName, WireError> {
    let names =
        (1..=MAX_NAMESAKES).map(|number| if number == 1 { slug.to_owned() } else { format!("{slug}-{number}") });
    let names = names.map(|name| AppName::parse(&name)).collect::<Result<Vec<_>, _>>();
    let free = names.map_err(|error| usage(&error))?.into_iter().find(|name| config.app(name).is_none());
    free.ok_or_else(|| usage(&format!("there are too many Apps called {slug}; choose a name with --name")))
}

/// Why GitHub gave no App for a code. Nothing has been stored.
fn refused(error: &GitHubError, app: &App) -> WireError {
    match error {
        GitHubError::NotFound => WireError::new(
            ErrorCode::ManifestCodeRefused,
            format!(
                "{} does not know the code that the browser brought: it was used already, or is older than an hour",
                app.host
            ),
        )
        .hint(format!("delete the App without a key below https://{}/settings/apps, and create one anew", app.host)),
        // The call carries no key and names no App, so these are no words about one.
        GitHubError::KeyRefused | GitHubError::Issuer | GitHubError::UnknownApp => WireError::new(
            ErrorCode::Refused,
            format!("{}: {error}; so the App that it has registered has no key here", app.host),
        )
        .hint(format!("delete the App without a key below https://{}/settings/apps, and create one anew", app.host)),
        error => {
            let WireError { code, message, hint, git_next } = explain::github(error, app);
            let cause = format!("{message}; so the App that {} has registered has no key here", app.host);
            let hint = hint.map(|hint| {
                format!("{hint}; the App without a key can be deleted below https://{}/settings/apps", app.host)
            });
            WireError { code, message: cause, hint, git_next }
        }
    }
}

/// GitHub has made the App, and its only key is lost.
fn without_key(error: &WireError, app: &App, new: &NewApp) -> WireError {
    let page = new.html_url.clone().unwrap_or_else(|| format!("https://{}/settings/apps/{}", app.host, new.slug));
    let cause = format!("{}; so the new App {} has no key here", error.message, new.slug);
    WireError::new(error.code, cause)
        .hint(format!("generate a key in the settings of {page}, then {}", explain::login_again(app)))
}

#[cfg(test)]
mod tests {
    use super::free_name;
    use crate::config::Config;
    use crate::model::{App, AppName};

    #[test]
    fn a_namesake_on_another_host_keeps_its_name() {
        let host = ghapp_protocol::remote::Host::parse("github.com").unwrap();
        let app =
            |name: &str| App { name: AppName::parse(name).unwrap(), ..super::at(&host, None, None, "memory").unwrap() };
        let mut config = Config::default();
        assert_eq!(free_name(&config, "bot").unwrap().as_str(), "bot");
        config.apps.extend([app("bot"), app("bot-2")]);
        assert_eq!(free_name(&config, "bot").unwrap().as_str(), "bot-3");
        assert!(free_name(&config, "no name").is_err());
    }
}
