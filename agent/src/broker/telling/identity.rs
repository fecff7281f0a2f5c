//! The identity that an App commits with: the name and the address of its bot, by which GitHub links commits to it.
//!
//! The id in the address is that of the bot's user and not that of the App, so GitHub has to be asked for it; once, since it never
//! changes.

use std::sync::Arc;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Identity, IdentityCall, Reply};

use crate::broker::app_api::pending;
use crate::broker::shared::panicked;
use crate::broker::{Broker, explain};
use crate::config::Config;
use crate::github::{GitHubError, User};
use crate::model::{App, Caller, Installation};

/// The identity that an App commits with.
pub(crate) async fn identity(broker: &Arc<Broker>, call: &IdentityCall, caller: &Caller) -> Reply {
    let mut entry = broker.shared.entry("identity", caller);
    entry.record.app.clone_from(&call.app);
    let reply = match identified(broker, call, caller).await {
        Ok(identity) => {
            entry.record.app = Some(identity.app.clone());
            Reply::Identity(Box::new(identity))
        }
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

async fn identified(broker: &Arc<Broker>, call: &IdentityCall, caller: &Caller) -> Result<Identity, WireError> {
    let config = broker.shared.config()?;
    let app = meant(&config, call.app.as_deref())?;
    let known = broker.shared.state().listed.bot(&app.name);
    let bot = if let Some(bot) = known {
        bot
    } else {
        broker.shared.needed();
        broker.shared.unlocked()?;
        let (outcome, _) = broker
            .introductions
            .join(app.name.clone(), || {
                let (broker, app, caller) = (Arc::clone(broker), app.clone(), caller.clone());
                async move { find_bot(&broker, &app, &caller).await }
            })
            .await;
        outcome.unwrap_or_else(|| Err(panicked()))?
    };
    Ok(identity_of(app, bot))
}

async fn find_bot(broker: &Broker, app: &App, caller: &Caller) -> Result<User, WireError> {
    let slug = match &app.slug {
        Some(slug) => slug.clone(),
        None => slug_now(broker, app).await?,
    };
    let bot = if let Some(bot) = bot_of(broker, app, &slug, caller).await? {
        bot
    } else {
        // The App has another name now, or has no bot.
        let now = slug_now(broker, app).await?;
        let bot = if now == slug { None } else { bot_of(broker, app, &now, caller).await? };
        bot.ok_or_else(|| explain::no_bot(app, &now))?
    };
    let mut state = broker.shared.state();
    if state.config.has(app) {
        state.listed.keep_bot(&app.name, bot.clone());
    }
    Ok(bot)
}

async fn slug_now(broker: &Broker, app: &App) -> Result<String, WireError> {
    let call = broker.app_api.ask(app, |github, jwt| pending(async move { github.app(app, &jwt).await }));
    Ok(call.await?.slug)
}

/// The bot of that name, if there is one.
async fn bot_of(broker: &Broker, app: &App, slug: &str, caller: &Caller) -> Result<Option<User>, WireError> {
    let login = &format!("{slug}[bot]");
    let refusal = match broker.shared.github.user(app, login, None).await {
        Ok(bot) => return Ok(Some(bot)),
        Err(error) if is_about_strangers(&error) => error,
        Err(error) => return Err(explain::github(&error, app)),
    };
    let Some(installation) = some_installation(broker, app).await? else {
        // There is no token to show: what strangers are told has to do.
        return if refusal == GitHubError::NotFound { Ok(None) } else { Err(explain::github(&refusal, app)) };
    };
    let asked = broker.tokens.with_metadata_token(app, &installation, caller, |github, token| {
        pending(async move { github.user(app, login, Some(&token)).await })
    });
    match asked.await? {
        Ok(bot) => Ok(Some(bot)),
        Err(GitHubError::NotFound) => Ok(None),
        Err(error) => Err(explain::github(&error, app)),
    }
}

/// An installation that a token can be minted for.
async fn some_installation(broker: &Broker, app: &App) -> Result<Option<Installation>, WireError> {
    let usable = |one: &Installation| one.suspended_at.is_none() && one.account.is_some();
    let seen = broker.tokens.seen(&app.name, usable);
    if seen.is_some() {
        return Ok(seen);
    }
    broker.tokens.list_installations(app).await?;
    Ok(broker.tokens.seen(&app.name, usable))
}

/// The App that is meant.
fn meant<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a App, WireError> {
    match (name, config.apps.as_slice()) {
        (Some(name), apps) => {
            apps.iter().find(|app| app.name.as_str() == name).ok_or_else(|| explain::unknown_app(name))
        }
        (None, [app]) => Ok(app),
        (None, []) => Err(explain::not_configured()),
        (None, [first, ..]) => Err(WireError::new(ErrorCode::Usage, "several Apps are configured, so --app is needed")
            .hint(format!("run: ghapp identity --app {}", first.name))),
    }
}

/// Whether GitHub may say more when it is shown a token. Servers in private mode and tenants of GHE.com tell strangers nothing, and
/// github.com answers few questions an hour from one address, which other machines may share.
fn is_about_strangers(error: &GitHubError) -> bool {
    matches!(
        error,
        GitHubError::NotFound
            | GitHubError::BadCredentials
            | GitHubError::RateLimited { .. }
            | GitHubError::Refused { .. }
    )
}

fn identity_of(app: &App, bot: User) -> Identity {
    // The host has no port there; github.com, tenants of GHE.com and servers are alike in this.
    let email = format!("{}+{}@users.noreply.{}", bot.id, bot.login, app.host.name());
    Identity { app: app.name.to_string(), host: app.host.clone(), name: bot.login, email, user_id: bot.id }
}
