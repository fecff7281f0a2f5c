//! Looks how far an App gets: is its key there, can GitHub be reached, is the clock right, does GitHub accept the key?

use std::sync::Arc;

use ghapp_protocol::error::WireError;
use ghapp_protocol::message::{Examine, Examined, Reply};

use crate::broker::app_api::call::{is_absence, pending};
use crate::broker::{Broker, explain, new_record};
use crate::model::{App, Caller};

impl Broker {
    /// How far an App gets. What stands in its way is part of the answer and not an error.
    pub async fn examine(self: &Arc<Self>, call: &Examine, caller: &Caller) -> Reply {
        let started = self.clock.now();
        let mut record = new_record("examine", caller, started);
        record.app = Some(call.app.clone());
        let reply = match self.examined(&call.app).await {
            Ok(examined) => {
                let obstacle = examined.key.as_ref().or(examined.reach.as_ref()).or(examined.refused.as_ref());
                record.outcome = obstacle.map_or("ok".to_owned(), |error| format!("error {}", error.code.id()));
                Reply::Examined(Box::new(examined))
            }
            Err(error) => Reply::Error(error),
        };
        self.finish(record, started, &reply);
        reply
    }

    async fn examined(self: &Arc<Self>, name: &str) -> Result<Examined, WireError> {
        let config = self.config()?;
        let app = config.apps.iter().find(|app| app.name.as_str() == name);
        let app = app.ok_or_else(|| explain::unknown_app(name))?;
        self.needed();
        self.unlocked()?;
        // A JWT at hand would hide that the key has gone since.
        let key = self.read_key(app).await.err();
        let (reach, skew) = self.reach(app).await;
        let (mut refused, mut other_keys) = (None, Vec::new());
        if key.is_none() && reach.is_none() {
            refused = self.introduce(app).await;
            other_keys = self.other_keys(app).await;
        }
        Ok(Examined { api_url: app.api_url.as_str().to_owned(), key, reach, skew, refused, other_keys })
    }

    /// Reads the key that signs; the next one if that is gone, as a call does.
    async fn read_key(&self, app: &App) -> Result<(), WireError> {
        let mut gone = None;
        for key in self.order(app) {
            match self.sign(app, &key).await {
                Ok(_) => return Ok(()),
                Err(error) if is_absence(&error) => gone = gone.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(gone.unwrap_or_else(|| explain::no_key(app)))
    }

    /// Why the API cannot be reached, and how far its clock is from ours.
    async fn reach(&self, app: &App) -> (Option<WireError>, Option<i64>) {
        // A proxy or a certificate that was mended since is what people look for; a kept connection would not show it.
        self.github.reconnect();
        match self.github.time(app).await {
            Ok(time_there) => (None, time_there.map(|time_there| time_there - self.clock.now().wall)),
            Err(error) => (Some(explain::github(&error, app)), None),
        }
    }

    /// Why GitHub does not accept the App's key.
    async fn introduce(self: &Arc<Self>, app: &App) -> Option<WireError> {
        let call = |jwt| pending(async move { self.github.app(app, &jwt).await });
        match self.ask(app, call).await {
            Ok(outcome) => outcome.err().map(|error| explain::github(&error, app)),
            Err(error) => Some(error),
        }
    }
}
