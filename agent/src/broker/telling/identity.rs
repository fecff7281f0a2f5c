//! As whom an App commits: the name and the address of its bot, by which GitHub links commits to it.
//!
//! The number in the address is that of the bot's user and not that of the App, so GitHub has to be asked for it; once, since it
//! never changes.

use std::sync::Arc;

use ghapp_protocol::error::{ErrorCode, WireError};
use ghapp_protocol::message::{Identity, IdentityCall, Reply};

use crate::broker::app_api::call::pending;
use crate::broker::{Broker, explain, new_record, panicked};
use crate::config::Config;
use crate::github::{GitHubError, User};
use crate::model::{App, Caller, Installation};

impl Broker {
    /// As whom an App commits.
    pub async fn identity(self: &Arc<Self>, call: &IdentityCall, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = new_record("identity", caller, started);
        record.app.clone_from(&call.app);
        let reply = match self.identified(call, caller).await {
            Ok(identity) => {
                record.app = Some(identity.app.clone());
                Reply::Identity(Box::new(identity))
            }
            Err(error) => Reply::Error(error),
        };
        self.finish(record, started, &reply);
        reply
    }

    async fn identified(self: &Arc<Self>, call: &IdentityCall, caller: &Caller) -> Result<Identity, WireError> {
        let config = self.config()?;
        let app = meant(&config, call.app.as_deref())?;
        let known = self.state().bots.get(&app.name).cloned();
        let bot = if let Some(bot) = known {
            bot
        } else {
            self.needed();
            self.unlocked()?;
            let (outcome, _) = self
                .introductions
                .join(app.name.clone(), || {
                    let (broker, app, caller) = (Arc::clone(self), app.clone(), caller.clone());
                    async move { broker.find_bot(&app, &caller).await }
                })
                .await;
            outcome.unwrap_or_else(|| Err(panicked()))?
        };
        Ok(identity_of(app, bot))
    }

    async fn find_bot(self: &Arc<Self>, app: &App, caller: &Caller) -> Result<User, WireError> {
        let slug = match &app.slug {
            Some(slug) => slug.clone(),
            None => self.slug_now(app).await?,
        };
        let bot = if let Some(bot) = self.bot_of(app, &slug, caller).await? {
            bot
        } else {
            // The App is called differently now, or has no bot.
            let now = self.slug_now(app).await?;
            let bot = if now == slug { None } else { self.bot_of(app, &now, caller).await? };
            bot.ok_or_else(|| explain::no_bot(app, &now))?
        };
        let mut state = self.state();
        if state.config.app(&app.name).is_some_and(|now| now == app) {
            state.bots.insert(app.name.clone(), bot.clone());
        }
        Ok(bot)
    }

    async fn slug_now(self: &Arc<Self>, app: &App) -> Result<String, WireError> {
        let call = |jwt| pending(async move { self.github.app(app, &jwt).await });
        let info = self.ask(app, call).await?.map_err(|error| explain::github(&error, app))?;
        Ok(info.slug)
    }

    /// The bot of that name, if there is one.
    async fn bot_of(self: &Arc<Self>, app: &App, slug: &str, caller: &Caller) -> Result<Option<User>, WireError> {
        let login = &format!("{slug}[bot]");
        let refusal = match self.github.user(app, login, None).await {
            Ok(bot) => return Ok(Some(bot)),
            Err(error) if is_about_strangers(&error) => error,
            Err(error) => return Err(explain::github(&error, app)),
        };
        let Some(installation) = self.some_installation(app).await? else {
            // Nothing to show: what strangers are told has to do.
            return if refusal == GitHubError::NotFound { Ok(None) } else { Err(explain::github(&refusal, app)) };
        };
        let question = |token| pending(async move { self.github.user(app, login, Some(&token)).await });
        match self.look(app, &installation, caller, question).await? {
            Ok(bot) => Ok(Some(bot)),
            Err(GitHubError::NotFound) => Ok(None),
            Err(error) => Err(explain::github(&error, app)),
        }
    }

    /// An installation that a token can be minted for.
    async fn some_installation(self: &Arc<Self>, app: &App) -> Result<Option<Installation>, WireError> {
        let usable = |one: &&Installation| one.suspended_at.is_none() && one.account.is_some();
        let seen = self.state().installations.seen(&app.name).find(usable).cloned();
        if seen.is_some() {
            return Ok(seen);
        }
        self.list_all(app).await?;
        Ok(self.state().installations.seen(&app.name).find(usable).cloned())
    }
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

/// Whether somebody who shows a token may be told more. Servers in private mode and tenants of GHE.com tell strangers nothing, and
/// github.com answers few questions of an address an hour, which others may have asked.
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
