//! Adds an App to the configuration file, changes its keys and removes it, leaving everything else as it is; `values`
//! changes single values. Owns the `toml_edit` crate.

mod values;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ghapp_protocol::endpoint;
use tempfile::NamedTempFile;
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::{Config, ConfigError, load, parse};
pub use values::{Found, set_value, value_of};

use crate::files::private_directory;
use crate::model::{ApiUrl, App, AppName, Fingerprint};

/// Why the file was not changed. It is then as it was before.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It already has a mistake.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// With the change it would have one.
    #[error("{0}")]
    Outcome(ConfigError),
    /// `app` is not a list of tables.
    #[error("cannot add an App to {}: write its Apps as [[app]] tables", path.display())]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// There is no such table.
    #[error("there is no {what} in {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The table.
        what: String,
    },
    /// Another program has changed it since it was read.
    #[error("{} was changed by somebody else at the same time", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Another program is writing it, or keeps its directory locked.
    #[error("another program keeps {} locked", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The App whose keys were to be changed is not there any more.
    #[error("there is no App {name} in {} any more", path.display())]
    Gone {
        /// The file.
        path: PathBuf,
        /// The App.
        name: AppName,
    },
    /// It cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// A change that has been checked and not yet been written.
pub struct Edit {
    path: PathBuf,
    /// What the file held when it was read.
    before: String,
    text: String,
    config: Config,
}

impl Edit {
    /// Checks that the file can be written, by writing all of it beside the old one. Call it before a change that is hard to
    /// undo.
    pub fn rehearse(&self) -> Result<(), EditError> {
        let rehearsed = prepare(&self.path, &self.text);
        rehearsed.map(drop).map_err(|source| EditError::Write { path: self.path.clone(), source })
    }

    /// Writes the file, unless another program has written it meanwhile, or is about to. Returns the configuration that it now holds.
    /// Waits for no other program: the agent serves others on the same thread.
    pub fn write(self) -> Result<Config, EditError> {
        let Self { path, before, text, config } = self;
        let Turn::Ours(_turn) = take_turn(&path) else { return Err(EditError::Busy { path }) };
        if text_of(&path)? != before {
            return Err(EditError::Changed { path });
        }
        replace(&path, &text).map_err(|source| EditError::Write { path, source })?;
        Ok(config)
    }
}

/// Adds an App, or replaces the one of the same name.
pub fn add_app(path: &Path, app: &App) -> Result<Edit, EditError> {
    change(path, |apps| {
        let position = position(apps, &app.name);
        let mut table = position.and_then(|at| apps.get(at)).cloned().unwrap_or_default();
        fill(&mut table, app);
        match position.and_then(|at| apps.get_mut(at)) {
            Some(existing) => *existing = table,
            None => apps.push(table),
        }
    })
}

/// Removes an App. Its rules stay; when one of them still names it, that is the error.
pub fn remove_app(path: &Path, name: &AppName) -> Result<Edit, EditError> {
    change(path, |apps| {
        if let Some(at) = position(apps, name) {
            apps.remove(at);
        }
    })
}

/// Changes which keys an App has, and in which order; the first signs.
pub fn change_keys(path: &Path, name: &AppName, edit: impl FnOnce(&mut Vec<Fingerprint>)) -> Result<Edit, EditError> {
    let gone = || EditError::Gone { path: path.to_owned(), name: name.clone() };
    let config = load(path)?;
    let mut keys: Vec<_> = config.app(name).ok_or_else(gone)?.keys().cloned().collect();
    edit(&mut keys);
    change(path, |apps| {
        if let Some(table) = position(apps, name).and_then(|at| apps.get_mut(at)) {
            fill_keys(table, keys.first(), keys.get(1..).unwrap_or_default());
        }
    })
}

fn position(apps: &ArrayOfTables, name: &AppName) -> Option<usize> {
    apps.iter().position(|table| table.get("name").and_then(Item::as_str) == Some(name.as_str()))
}

fn fill(table: &mut Table, app: &App) {
    let mut set = |key: &str, new: Option<Item>| set(table, key, new);
    let derived = app.api_url == ApiUrl::of(&app.host);
    let ca_file = app.ca_file.as_ref().map(|file| file.to_string_lossy().into_owned());
    set("name", Some(value(app.name.as_str())));
    set("host", Some(value(app.host.as_str())));
    set("api_url", (!derived).then(|| value(app.api_url.as_str())));
    set("ca_file", ca_file.map(value));
    // TOML's integers are signed; GitHub's ids are far below that.
    set("app_id", app.app_id.and_then(|id| i64::try_from(id).ok()).map(value));
    set("client_id", app.client_id.as_deref().map(value));
    set("slug", app.slug.as_deref().map(value));
    let installation = app.installation.and_then(|installation| i64::try_from(installation.0).ok());
    set("installation_id", installation.map(value));
    set("signer", Some(value(app.store.as_str())));
    fill_keys(table, app.key.as_ref(), &app.more_keys);
}

fn fill_keys(table: &mut Table, key: Option<&Fingerprint>, more_keys: &[Fingerprint]) {
    let more_keys: Array = more_keys.iter().map(Fingerprint::as_str).collect();
    set(table, "key", key.map(|key| value(key.as_str())));
    set(table, "more_keys", (!more_keys.is_empty()).then(|| value(more_keys)));
}

fn set(table: &mut Table, key: &str, new: Option<Item>) {
    match new {
        Some(new) => {
            table.insert(key, new);
        }
        None => {
            table.remove(key);
        }
    }
}

fn change(path: &Path, edit: impl FnOnce(&mut ArrayOfTables)) -> Result<Edit, EditError> {
    let form = || EditError::Form { path: path.to_owned() };
    revise(path, |document| {
        let item = document.entry("app").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        edit(item.as_array_of_tables_mut().ok_or_else(form)?);
        if item.as_array_of_tables().is_some_and(ArrayOfTables::is_empty) {
            document.remove("app");
        }
        Ok(())
    })
}

fn revise(path: &Path, edit: impl FnOnce(&mut DocumentMut) -> Result<(), EditError>) -> Result<Edit, EditError> {
    load(path)?; // a file with a mistake is not touched, and neither is one that others can write
    let before = text_of(path)?;
    let mut document: DocumentMut = before.parse().map_err(|_| EditError::Form { path: path.to_owned() })?;
    edit(&mut document)?;
    let text = document.to_string();
    let config = parse(&text, path).map_err(EditError::Outcome)?;
    Ok(Edit { path: path.to_owned(), before, text, config })
}

/// The file's text; empty when there is no file.
fn text_of(path: &Path) -> Result<String, EditError> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(|source| EditError::Write { path: path.to_owned(), source }),
    }
}

/// Whose turn it is to write the file.
enum Turn {
    /// Ours, as long as the directory is open; if it can be locked at all.
    Ours(Option<File>),
    /// Another program's.
    Others,
}

/// Keeps our other programs from writing the file between our reading and our writing it, and waits for none of them. The lock is
/// on the directory: a lock file would be left lying about, and the file itself is replaced each time. An editor does not know the
/// lock; what it wrote before our write is noticed all the same, and so it is where the file system has no locks.
fn take_turn(path: &Path) -> Turn {
    let directory = fs::canonicalize(path).ok().and_then(|path| File::open(path.parent()?).ok());
    let Some(directory) = directory else { return Turn::Ours(None) };
    match endpoint::try_lock(&directory) {
        Ok(false) => Turn::Others,
        Ok(true) => Turn::Ours(Some(directory)),
        Err(_) => Turn::Ours(None),
    }
}

/// Writes a new file beside the old one and renames it: a crash leaves one of the two, whole.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let (file, path) = prepare(path, text)?;
    file.persist(path)?;
    Ok(())
}

/// Writes the new file beside the old one. Returns it with the path that it is to have.
fn prepare(path: &Path, text: &str) -> io::Result<(NamedTempFile, PathBuf)> {
    // A link, as dotfile managers make them, stays a link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    private_directory::create(directory)?;
    let mut file = NamedTempFile::new_in(directory)?; // 0600: names of organizations are private
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    if let Ok(metadata) = fs::metadata(&path) {
        file.as_file().set_permissions(metadata.permissions())?;
    }
    Ok((file, path))
}
