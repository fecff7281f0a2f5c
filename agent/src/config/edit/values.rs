//! Reads and changes one value of the configuration file, for `ghapp config`.

use std::path::Path;

use serde_json::json;
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use super::super::dotted::{Dotted, Place};
use super::super::keys::Form;
use super::super::load;
use super::{Edit, EditError, position, revise, text_of};

/// A value in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// For people, and for `ghapp config set`: text without quotation marks, everything else as TOML.
    pub text: String,
    /// For scripts.
    pub json: serde_json::Value,
    /// Whether the file sets it; otherwise it is the default.
    pub written: bool,
}

/// The value in force; `None` when the file sets none and there is no default.
pub fn value_of(path: &Path, dotted: &Dotted) -> Result<Option<Found>, EditError> {
    let config = load(path)?;
    let document: DocumentMut = text_of(path)?.parse().map_err(|_| form(path))?;
    let table = table_of(&document, path, &dotted.place)?;
    if let Some(item) = table.and_then(|table| table.get(dotted.key.name)) {
        return Ok(Some(Found { text: text(item), json: as_json(item), written: true }));
    }
    let derived = match &dotted.place {
        Place::App(name) if dotted.key.name == "api_url" => {
            config.app(name).map(|app| Value::from(app.api_url.as_str()))
        }
        _ => dotted.key.default.and_then(|default| default.parse().ok()),
    };
    let item = derived.map(Item::Value);
    Ok(item.map(|item| Found { text: text(&item), json: as_json(&item), written: false }))
}

/// Sets a value, or takes it out of the file. Comments stay where they are.
pub fn set_value(path: &Path, dotted: &Dotted, written: Option<&str>) -> Result<Edit, EditError> {
    let missing = || missing(path, &dotted.place);
    revise(path, |document| {
        let table = match &dotted.place {
            Place::Agent => {
                let agent = document.entry("agent").or_insert(Item::Table(Table::new()));
                agent.as_table_like_mut()
            }
            Place::App(name) => {
                let apps = document.get_mut("app").and_then(Item::as_array_of_tables_mut).ok_or_else(missing)?;
                let at = position(apps, name).ok_or_else(missing)?;
                apps.get_mut(at).map(|table| table as &mut dyn TableLike)
            }
            Place::Rule(number) => {
                let rules = document.get_mut("rule").and_then(Item::as_array_of_tables_mut).ok_or_else(missing)?;
                rules.get_mut(number - 1).map(|table| table as &mut dyn TableLike)
            }
        };
        let table = table.ok_or_else(missing)?;
        let Some(written) = written else {
            table.remove(dotted.key.name);
            return Ok(());
        };
        let mut value = match dotted.key.form {
            Form::Text => Value::from(written),
            Form::Toml => written.parse().unwrap_or_else(|_| Value::from(written)),
        };
        match table.get_mut(dotted.key.name) {
            Some(Item::Value(old)) => {
                // What stands before and after it, a comment for instance.
                *value.decor_mut() = old.decor().clone();
                *old = value;
            }
            _ => {
                table.insert(dotted.key.name, Item::Value(value));
            }
        }
        Ok(())
    })
}

/// The table; `None` for an `[agent]` that the file does not have.
fn table_of<'a>(document: &'a DocumentMut, path: &Path, place: &Place) -> Result<Option<&'a dyn TableLike>, EditError> {
    let tables = |name: &str| document.get(name).and_then(Item::as_array_of_tables);
    let table = match place {
        Place::Agent => return Ok(document.get("agent").and_then(Item::as_table_like)),
        Place::App(name) => tables("app").and_then(|apps| apps.get(position(apps, name)?)),
        Place::Rule(number) => tables("rule").and_then(|rules| rules.get(number - 1)),
    };
    table.map(|table| Some(table as &dyn TableLike)).ok_or_else(|| missing(path, place))
}

fn missing(path: &Path, place: &Place) -> EditError {
    let what = match place {
        Place::Agent => "[agent]".to_owned(),
        Place::App(name) => format!("[[app]] table of the name \"{name}\""),
        Place::Rule(number) => format!("[[rule]] table number {number}"),
    };
    EditError::Missing { path: path.to_owned(), what }
}

fn form(path: &Path) -> EditError {
    EditError::Form { path: path.to_owned() }
}

fn text(item: &Item) -> String {
    match item.as_str() {
        Some(text) => text.to_owned(),
        None => match item.clone().into_value() {
            Ok(mut value) => {
                value.decor_mut().clear();
                value.to_string()
            }
            Err(item) => item.to_string().trim().to_owned(),
        },
    }
}

fn as_json(item: &Item) -> serde_json::Value {
    if let Some(table) = item.as_table_like() {
        return table.iter().map(|(key, item)| (key.to_owned(), as_json(item))).collect();
    }
    match item.as_value() {
        Some(Value::String(text)) => json!(text.value()),
        Some(Value::Integer(number)) => json!(number.value()),
        Some(Value::Boolean(yes)) => json!(yes.value()),
        Some(Value::Array(list)) => list.iter().map(|value| as_json(&Item::Value(value.clone()))).collect(),
        _ => json!(item.to_string().trim()),
    }
}
