//! How far an App gets: is its key there, can GitHub be reached, is the clock right, does GitHub accept the key?

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{Examine, Examined, KeyStatus, Reply};

use super::shapes::proved_key_statuses;
use crate::broker::app_api::{is_absence, pending};
use crate::broker::{Broker, explain};
use crate::model::{App, Caller};

/// How far an App gets. What stands in its way is part of the answer and not an error.
pub(crate) async fn examine(broker: &Broker, call: &Examine, caller: &Caller) -> Reply {
    let mut entry = broker.shared.entry("examine", caller);
    entry.record.app = Some(call.app.clone());
    let reply = match examined(broker, &call.app).await {
        Ok(examined) => {
            let obstacle = examined.key.as_ref().or(examined.reach.as_ref()).or(examined.refused.as_ref());
            entry.record.outcome = obstacle.map_or("ok".to_owned(), |error| format!("error {}", error.code.id()));
            Reply::Examined(Box::new(examined))
        }
        Err(error) => Reply::Error(error),
    };
    broker.shared.finish(entry, &reply);
    reply
}

async fn examined(broker: &Broker, name: &str) -> Result<Examined, WireError> {
    let config = broker.shared.config()?;
    let app = config.apps.iter().find(|app| app.name.as_str() == name);
    let app = app.ok_or_else(|| explain::unknown_app(name))?;
    broker.shared.needed();
    broker.shared.unlocked()?;
    // A JWT at hand would hide that the key has gone since.
    let key = read_key(broker, app).await.err();
    let (reach, skew) = reach(broker, app).await;
    let (mut refused, mut others) = (None, Vec::new());
    if key.is_none() && reach.is_none() {
        refused = introduce(broker, app).await;
        others = other_keys(broker, app).await;
    }
    Ok(Examined { api_url: app.api_url.as_str().to_owned(), key, reach, skew, refused, other_keys: others })
}

/// Reads the key that signs; if that is gone, the next one, as a call does.
async fn read_key(broker: &Broker, app: &App) -> Result<(), WireError> {
    let mut gone = None;
    for key in broker.app_api.order(app) {
        match broker.app_api.sign(app, &key).await {
            Ok(_) => return Ok(()),
            Err(error) if is_absence(&error) => gone = gone.or(Some(error)),
            Err(error) => return Err(error),
        }
    }
    Err(gone.unwrap_or_else(|| explain::no_key(app)))
}

/// Why the API cannot be reached, and how far its clock is from ours.
async fn reach(broker: &Broker, app: &App) -> (Option<WireError>, Option<i64>) {
    // People look here after they mended a proxy or a certificate; a kept connection would not show that.
    broker.shared.github.reconnect();
    match broker.shared.github.time(app).await {
        Ok(time_there) => (None, time_there.map(|time_there| time_there - broker.shared.now().wall)),
        Err(error) => (Some(explain::github(&error, app)), None),
    }
}

/// Why GitHub does not accept the App's key.
async fn introduce(broker: &Broker, app: &App) -> Option<WireError> {
    broker.app_api.ask(app, |github, jwt| pending(async move { github.app(app, &jwt).await })).await.err()
}

/// The keys of an App that do not sign, with GitHub's word about each. An App with one key costs nothing.
async fn other_keys(broker: &Broker, app: &App) -> Vec<KeyStatus> {
    let all = broker.app_api.order_of(app);
    if all.len() < 2 {
        return Vec::new();
    }
    // All of them: a refusal of one says something only if another one is accepted.
    let proved = broker.app_api.prove_keys(app, all).await;
    proved_key_statuses(app, proved).into_iter().filter(|key| !key.signing).collect()
}
