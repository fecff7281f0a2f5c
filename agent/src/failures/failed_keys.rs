//! Which of an App's keys signs: the first that has not failed.
//!
//! Failures are remembered in memory only: the configuration is the user's decision, and a refusal may be a whim of GitHub's. An
//! agent that is started again meets it again, at the price of one call.

use std::collections::HashMap;

use crate::model::{App, AppName, Fingerprint};

/// Why a key does not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// GitHub refused it.
    Refused,
    /// Its store answered that it does not have the key. A store that is locked or silent says nothing about a key.
    Missing,
}

/// The keys that failed while GitHub accepted another one of the same App. A refusal alone says nothing about a key: the App may
/// have been deleted, or GitHub may be out of order.
#[derive(Debug, Default)]
pub(crate) struct FailedKeys(HashMap<AppName, Vec<(Fingerprint, Failure)>>);

impl FailedKeys {
    /// An App's keys in the order in which a call tries them, each once: those that failed come last.
    pub(crate) fn order(&self, app: &App) -> Vec<Fingerprint> {
        let has_failed = |key: &Fingerprint| self.failure(&app.name, key).is_some();
        let (last, first): (Vec<_>, Vec<_>) = app.keys().cloned().partition(has_failed);
        [first, last].concat()
    }

    /// The key that signs.
    pub(crate) fn signing(&self, app: &App) -> Option<Fingerprint> {
        self.order(app).into_iter().next()
    }

    /// The keys of an App that failed in that way.
    pub(crate) fn of(&self, app: &AppName, failure: Failure) -> impl Iterator<Item = &Fingerprint> {
        self.0.get(app).into_iter().flatten().filter(move |(_, why)| *why == failure).map(|(key, _)| key)
    }

    /// Why a key of an App does not sign, if it failed.
    pub(crate) fn failure(&self, app: &AppName, key: &Fingerprint) -> Option<Failure> {
        self.0.get(app)?.iter().find(|(other, _)| other == key).map(|(_, why)| *why)
    }

    /// Notes that a key failed and GitHub accepted another one. False when that was known.
    pub(crate) fn fail(&mut self, app: &AppName, key: &Fingerprint, failure: Failure) -> bool {
        if self.failure(app, key) == Some(failure) {
            return false;
        }
        self.accept(app, key);
        self.0.entry(app.clone()).or_default().push((key.clone(), failure));
        true
    }

    /// Notes that GitHub accepts a key.
    pub(crate) fn accept(&mut self, app: &AppName, key: &Fingerprint) {
        if let Some(failed) = self.0.get_mut(app) {
            failed.retain(|(other, _)| other != key);
        }
    }

    /// Forgets all but these Apps and their keys.
    pub(crate) fn keep_only(&mut self, apps: &[App]) {
        self.0.retain(|name, failed| {
            let app = apps.iter().find(|app| app.name == *name);
            failed.retain(|(key, _)| app.is_some_and(|app| app.keys().any(|other| other == key)));
            !failed.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::Host;

    use super::{FailedKeys, Failure};
    use crate::model::{ApiUrl, App, AppName, Fingerprint, StoreKind};

    fn key(letter: &str) -> Fingerprint {
        Fingerprint::from_base64(letter)
    }

    fn app(name: &str, keys: &[&str]) -> App {
        let host = Host::parse("github.com").unwrap();
        let app = App {
            name: AppName::parse(name).unwrap(),
            api_url: ApiUrl::of(&host),
            host,
            ca_file: None,
            app_id: Some(1),
            client_id: None,
            slug: None,
            installation: None,
            store: StoreKind::Memory,
            key: None,
            more_keys: Vec::new(),
        };
        app.with_keys(keys.iter().map(|letter| key(letter)).collect())
    }

    fn order(failed: &FailedKeys, app: &App) -> String {
        failed.order(app).iter().map(|key| key.as_str().trim_start_matches("SHA256:")).collect()
    }

    #[test]
    fn the_first_key_that_has_not_failed_signs_and_a_call_tries_each_once() {
        let (bot, other) = (app("bot", &["a", "b", "c"]), app("other", &["a", "b"]));
        let mut failed = FailedKeys::default();
        assert_eq!(order(&failed, &bot), "abc");
        assert!(failed.fail(&bot.name, &key("a"), Failure::Refused));
        assert!(!failed.fail(&bot.name, &key("a"), Failure::Refused), "it was known");
        assert_eq!((order(&failed, &bot).as_str(), order(&failed, &other).as_str()), ("bca", "ab"));
        assert_eq!(failed.signing(&bot), Some(key("b")));
        failed.fail(&bot.name, &key("b"), Failure::Missing);
        failed.fail(&bot.name, &key("c"), Failure::Refused);
        assert_eq!(order(&failed, &bot), "abc", "when none is good, what is configured counts");
        failed.accept(&bot.name, &key("c"));
        assert_eq!(order(&failed, &bot), "cab");
    }

    #[test]
    fn what_was_refused_may_be_gone_later() {
        let bot = app("bot", &["a", "b"]);
        let mut failed = FailedKeys::default();
        failed.fail(&bot.name, &key("a"), Failure::Refused);
        assert!(failed.fail(&bot.name, &key("a"), Failure::Missing), "that is news");
        assert_eq!(failed.of(&bot.name, Failure::Missing).collect::<Vec<_>>(), [&key("a")]);
        assert_eq!(failed.of(&bot.name, Failure::Refused).count(), 0);
    }

    #[test]
    fn an_app_without_a_key_has_none_that_signs() {
        assert_eq!(FailedKeys::default().signing(&app("bot", &[])), None);
    }

    #[test]
    fn what_is_not_configured_any_more_is_forgotten() {
        let (bot, other) = (app("bot", &["a", "b"]), app("other", &["a", "b"]));
        let mut failed = FailedKeys::default();
        failed.fail(&bot.name, &key("a"), Failure::Refused);
        failed.fail(&bot.name, &key("b"), Failure::Refused);
        failed.fail(&other.name, &key("a"), Failure::Missing);
        failed.keep_only(&[app("bot", &["b", "c"])]);
        assert_eq!(failed.failure(&bot.name, &key("a")), None);
        assert_eq!(failed.failure(&bot.name, &key("b")), Some(Failure::Refused));
        assert_eq!(failed.failure(&other.name, &key("a")), None);
    }
}
