//! Which of an App's keys signs: the first that GitHub has not refused.
//!
//! It is remembered in memory only. What is configured is a person's word, and a refusal may be a whim of GitHub's; an agent that
//! starts anew meets it again, at the price of one call.

use std::collections::HashMap;

use crate::model::{App, AppName, Fingerprint};

/// The keys that GitHub refused while it accepted another one of the same App. A refusal alone says nothing about a key: the App may
/// have been deleted, or GitHub be out of order.
#[derive(Debug, Default)]
pub struct RefusedKeys(HashMap<AppName, Vec<Fingerprint>>);

impl RefusedKeys {
    /// An App's keys in the order in which a call tries them, each once: those that were refused come last.
    pub fn order(&self, app: &App) -> Vec<Fingerprint> {
        let refused = self.of(&app.name);
        let (last, first): (Vec<_>, Vec<_>) = app.keys().cloned().partition(|key| refused.contains(key));
        [first, last].concat()
    }

    /// The key that signs.
    pub fn signing(&self, app: &App) -> Option<Fingerprint> {
        self.order(app).into_iter().next()
    }

    /// The refused keys of an App.
    pub fn of(&self, app: &AppName) -> &[Fingerprint] {
        self.0.get(app).map(Vec::as_slice).unwrap_or_default()
    }

    /// Notes that GitHub refused a key and accepted another one. False when that was known.
    pub fn refuse(&mut self, app: &AppName, key: &Fingerprint) -> bool {
        let refused = self.0.entry(app.clone()).or_default();
        let is_new = !refused.contains(key);
        if is_new {
            refused.push(key.clone());
        }
        is_new
    }

    /// Notes that GitHub accepts a key.
    pub fn accept(&mut self, app: &AppName, key: &Fingerprint) {
        if let Some(refused) = self.0.get_mut(app) {
            refused.retain(|other| other != key);
        }
    }

    /// Forgets what is not among these Apps and their keys.
    pub fn keep_only(&mut self, apps: &[App]) {
        self.0.retain(|name, refused| {
            let app = apps.iter().find(|app| app.name == *name);
            refused.retain(|key| app.is_some_and(|app| app.keys().any(|other| other == key)));
            !refused.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::Host;

    use super::RefusedKeys;
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

    fn order(refused: &RefusedKeys, app: &App) -> String {
        refused.order(app).iter().map(|key| key.as_str().trim_start_matches("SHA256:")).collect()
    }

    #[test]
    fn the_first_key_that_was_not_refused_signs_and_a_call_tries_each_once() {
        let (bot, other) = (app("bot", &["a", "b", "c"]), app("other", &["a", "b"]));
        let mut refused = RefusedKeys::default();
        assert_eq!(order(&refused, &bot), "abc");
        assert!(refused.refuse(&bot.name, &key("a")));
        assert!(!refused.refuse(&bot.name, &key("a")), "it was known");
        assert_eq!((order(&refused, &bot).as_str(), order(&refused, &other).as_str()), ("bca", "ab"));
        assert_eq!(refused.signing(&bot), Some(key("b")));
        refused.refuse(&bot.name, &key("b"));
        refused.refuse(&bot.name, &key("c"));
        assert_eq!(order(&refused, &bot), "abc", "when none is good, what is configured counts");
        refused.accept(&bot.name, &key("c"));
        assert_eq!(order(&refused, &bot), "cab");
    }

    #[test]
    fn an_app_without_a_key_has_none_that_signs() {
        assert_eq!(RefusedKeys::default().signing(&app("bot", &[])), None);
    }

    #[test]
    fn what_is_not_configured_any_more_is_forgotten() {
        let (bot, other) = (app("bot", &["a", "b"]), app("other", &["a", "b"]));
        let mut refused = RefusedKeys::default();
        refused.refuse(&bot.name, &key("a"));
        refused.refuse(&bot.name, &key("b"));
        refused.refuse(&other.name, &key("a"));
        refused.keep_only(&[app("bot", &["b", "c"])]);
        assert_eq!((refused.of(&bot.name), refused.of(&other.name)), (&[key("b")][..], &[][..]));
    }
}
