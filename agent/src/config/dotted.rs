//! A key as a person names it on the command line: `agent.min_ttl`, `app.NAME.ca_file`, `rule.2.access`.

use std::fmt;

use super::keys::{KEYS, Key, Section};
use super::position::nearest;
use crate::model::AppName;

/// Which table of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// `[agent]`
    Agent,
    /// The `[[app]]` of that name.
    App(AppName),
    /// The `[[rule]]` of that number, counted from 1.
    Rule(usize),
}

/// A key of a table of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dotted {
    /// The table.
    pub place: Place,
    /// The key in it.
    pub key: &'static Key,
}

/// There is no such key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no key \"{written}\"")]
pub struct UnknownKey {
    written: String,
    /// The one that was probably meant.
    pub nearest: Option<String>,
}

impl Dotted {
    /// Parses one. An App's name may have dots in it, a key's name has none.
    pub fn parse(text: &str) -> Result<Self, UnknownKey> {
        let unknown = || UnknownKey { written: text.to_owned(), nearest: meant(text) };
        let (place, name) = text.rsplit_once('.').ok_or_else(unknown)?;
        let place = match place.split_once('.') {
            None if place == Section::Agent.name() => Some(Place::Agent),
            Some(("app", app)) => AppName::parse(app).ok().map(Place::App),
            Some(("rule", number)) => number.parse().ok().filter(|number| *number > 0).map(Place::Rule),
            _ => None,
        };
        let place = place.ok_or_else(unknown)?;
        let key = place.section().keys().find(|key| key.name == name).ok_or_else(unknown)?;
        Ok(Self { place, key })
    }
}

impl Place {
    /// What kind of table it is.
    pub fn section(&self) -> Section {
        match self {
            Self::Agent => Section::Agent,
            Self::App(_) => Section::App,
            Self::Rule(_) => Section::Rule,
        }
    }
}

impl fmt::Display for Dotted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.key.name;
        match &self.place {
            Place::Agent => write!(formatter, "agent.{name}"),
            Place::App(app) => write!(formatter, "app.{app}.{name}"),
            Place::Rule(number) => write!(formatter, "rule.{number}.{name}"),
        }
    }
}

/// A word this short is near to every key.
const SHORT: usize = 3;

/// The key nearest to what was written, in the same table if the table is known.
fn meant(text: &str) -> Option<String> {
    let (place, written) = text.rsplit_once('.').unwrap_or(("", text));
    let middle = place.split_once('.').map_or("", |(_, middle)| middle);
    let dotted = |key: &Key| match key.section {
        Section::Agent => format!("agent.{}", key.name),
        Section::App => format!("app.{}.{}", if middle.is_empty() { "NAME" } else { middle }, key.name),
        Section::Rule => format!("rule.{}.{}", middle.parse().unwrap_or(1usize).max(1), key.name),
    };
    let all: Vec<String> = KEYS.iter().map(dotted).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    nearest(text, &all).map(str::to_owned).or_else(|| {
        // The key alone, or in a table that does not exist.
        let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        let name = nearest(written, &names).filter(|_| written.len() > SHORT)?;
        KEYS.iter().find(|key| key.name == name).map(dotted)
    })
}

#[cfg(test)]
mod tests {
    use super::Dotted;

    #[test]
    fn a_key_is_read_as_it_is_shown() {
        for text in ["agent.min_ttl", "app.acme-bot.ca_file", "app.v1.2.ca_file", "rule.12.access"] {
            assert_eq!(Dotted::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn for_a_slip_the_nearest_key_is_named() {
        for (slip, nearest) in [
            ("agent.min_tll", Some("agent.min_ttl")),
            ("agnt.min_ttl", Some("agent.min_ttl")),
            ("min_ttl", Some("agent.min_ttl")),
            ("app.bot.cafile", Some("app.bot.ca_file")),
            ("ca_file", Some("app.NAME.ca_file")),
            ("rule.3.acess", Some("rule.3.access")),
            ("rule.0.access", Some("rule.1.access")),
            ("rule.x.access", Some("rule.1.access")),
            ("quite.another.thing", None),
            ("", None),
        ] {
            let error = Dotted::parse(slip).unwrap_err();
            assert_eq!(error.nearest.as_deref(), nearest, "{slip}");
        }
    }
}
