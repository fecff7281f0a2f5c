//! `ghapp login` on a terminal: asks for what the command line leaves out.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ghapp_agent::config::{downloads, home};
use ghapp_agent::model::StoreKind;
use ghapp_protocol::message::AppStatus;
use ghapp_protocol::remote::{Host, Owner};

use crate::arguments::{DEFAULT_HOST, Login};
use crate::failure::CliError;
use crate::login::pem::{self, PemSource};
use crate::session::Session;
use crate::terminal::prompt;

/// The end of the names that GitHub gives to downloaded keys: `SLUG.DATE.private-key.pem`.
const KEY_FILE_END: &str = ".private-key.pem";
/// The stores that are offered. A credential is for services, and the kernel's keyring for users who know it.
const STORES: [(StoreKind, &str); 3] = [
    (StoreKind::Keyring, "In the keyring of this system"),
    (StoreKind::Memory, "In the agent's memory, until it ends"),
    (StoreKind::EncryptedFile, "In a file that a passphrase protects"),
];
/// Most files that are offered; more would scroll the question away.
const MAX_OFFERED: usize = 9;

/// Asks for the missing flags. A bare `ghapp login` asks for everything, one with flags only for what these need.
pub(crate) fn complete(session: &Session<'_>, mut login: Login) -> Result<Login, CliError> {
    if login.create {
        return Ok(login);
    }
    let untouched = login.pem.is_none() && login.app_id.is_none() && login.client_id.is_none();
    let say = |text: &str| session.output.invite(text);
    if untouched {
        let ways = ["Create a new App on GitHub", "Use an App that exists already"].map(str::to_owned);
        login.create = prompt::choose("What shall git act as?", &ways, say)? == 0;
        if login.host.is_none() {
            let host =
                prompt::ask("Host", Some(DEFAULT_HOST), |text| Host::parse(text).map_err(|error| error.to_string()))?;
            login.host = Some(host);
        }
    }
    if login.create {
        login.org = prompt::ask("Organization that shall own the App (empty: your own account)", None, |text| {
            (!text.is_empty()).then(|| Owner::parse(text).map_err(|error| error.to_string())).transpose()
        })?;
    } else {
        if login.pem.is_none() && login.store() != StoreKind::CredentialsDir {
            login.pem = Some(key_file(say)?);
        }
        if login.app_id.is_none() && login.client_id.is_none() {
            let page = format!("https://{}/settings/apps", login.host());
            say(&format!("Both ids are on the App's page: {page}"));
            match prompt::ask("App ID or client ID", None, read_id)? {
                Id::App(id) => login.app_id = Some(id),
                Id::Client(id) => login.client_id = Some(id),
            }
        }
    }
    if untouched && login.store.is_none() {
        let words = STORES.map(|(_, words)| words.to_owned());
        let store = prompt::choose("Where shall its key be kept?", &words, say)?;
        login.store = STORES.get(store).map(|(store, _)| store.as_str().to_owned());
    }
    Ok(login)
}

/// Asks whether to set up git for the accounts that installed the App.
pub(crate) fn may_set_up(app: &AppStatus, owners: &[Owner]) -> Result<bool, CliError> {
    let host = &app.host;
    let places = match owners {
        [one] => format!("https://{host}/{one}"),
        [first, rest @ ..] => format!("https://{host}/{first} and {} more", rest.len()),
        [] => format!("https://{host}"),
    };
    prompt::agrees(&format!("Let git use {} for {places}?", app.name), true)
}

/// Asks whether to delete the file with the key. Does not ask when the store will lose the key, which makes the file the only copy.
pub(crate) fn may_delete(source: &PemSource, store: StoreKind) -> Result<bool, CliError> {
    match source {
        PemSource::File(path) if !pem::forgets(store) => {
            prompt::agrees(&format!("Delete the plain key in {}?", path.display()), true)
        }
        _ => Ok(false),
    }
}

fn key_file(say: impl Fn(&str)) -> Result<PathBuf, CliError> {
    let found = downloads().map(|directory| downloaded_keys(&directory)).unwrap_or_default();
    if !found.is_empty() {
        let mut choices: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
        choices.push("another file".to_owned());
        let chosen = prompt::choose("Which key?", &choices, say)?;
        if let Some(path) = found.into_iter().nth(chosen) {
            return Ok(path);
        }
    }
    prompt::ask("File with the App's private key", None, |text| {
        let path = expanded(text, home().as_deref());
        if path.is_file() { Ok(path) } else { Err("there is no such file".to_owned()) }
    })
}

/// Keys that a browser has put into the directory, the newest first.
fn downloaded_keys(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let keys = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(KEY_FILE_END));
    let age =
        |entry: &std::fs::DirEntry| entry.metadata().and_then(|it| it.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let mut keys: Vec<_> = keys.map(|entry| (age(&entry), entry.path())).filter(|(_, path)| path.is_file()).collect();
    keys.sort_by(|one, other| other.cmp(one));
    keys.into_iter().map(|(_, path)| path).take(MAX_OFFERED).collect()
}

/// Reads a path as people type it, with `~/` or pasted quotes.
fn expanded(text: &str, home: Option<&Path>) -> PathBuf {
    let unquoted = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    let text = unquoted.unwrap_or(text);
    match (text.strip_prefix('~').map(|rest| rest.trim_start_matches(['/', '\\'])), home) {
        (Some(rest), Some(home)) if text == "~" || text.starts_with("~/") || text.starts_with("~\\") => home.join(rest),
        _ => PathBuf::from(text),
    }
}

/// The id that names an App.
#[derive(Debug, PartialEq, Eq)]
enum Id {
    App(u64),
    Client(String),
}

/// Reads either kind of id: one is a number, the other begins with `Iv`.
fn read_id(text: &str) -> Result<Id, String> {
    match text.parse() {
        Ok(id) => Ok(Id::App(id)),
        Err(_) if text.starts_with("Iv") && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.') => {
            Ok(Id::Client(text.to_owned()))
        }
        Err(_) => Err("an App ID is a number, and a client ID begins with Iv".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::{Duration, SystemTime};

    use super::{Id, downloaded_keys, expanded, read_id};

    #[test]
    fn a_path_may_be_typed_as_in_a_shell() {
        let expand = |text| expanded(text, Some(Path::new("/home/mona")));
        assert_eq!(expand("~/a b.pem"), PathBuf::from("/home/mona/a b.pem"));
        assert_eq!(expand("'/tmp/a b.pem'"), PathBuf::from("/tmp/a b.pem"));
        assert_eq!(expand("~other/a.pem"), PathBuf::from("~other/a.pem"), "only a shell knows other people's homes");
        assert_eq!(expand("a.pem"), PathBuf::from("a.pem"));
        assert_eq!(expanded("~/a.pem", None), PathBuf::from("~/a.pem"));
    }

    #[test]
    fn the_newest_downloaded_key_is_offered_first_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        for (name, later) in
            [("b.2026-01-01.private-key.pem", 0), ("a.2026-02-01.private-key.pem", 9), ("other.pem", 99)]
        {
            let file = fs::File::create(directory.path().join(name)).unwrap();
            file.set_modified(old + Duration::from_secs(later)).unwrap();
        }
        fs::create_dir(directory.path().join("c.private-key.pem")).unwrap();
        let found = downloaded_keys(directory.path());
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.2026-02-01.private-key.pem", "b.2026-01-01.private-key.pem"]);
        assert!(downloaded_keys(&directory.path().join("missing")).is_empty());
    }

    #[test]
    fn the_two_kinds_of_ids_are_told_apart() {
        assert_eq!(read_id("123456"), Ok(Id::App(123_456)));
        assert_eq!(read_id("Iv23liAbCdEf"), Ok(Id::Client("Iv23liAbCdEf".to_owned())));
        assert_eq!(read_id("Iv1.0123456789abcdef"), Ok(Id::Client("Iv1.0123456789abcdef".to_owned())));
        assert!(read_id("").is_err() && read_id("acme-bot").is_err() && read_id("-1").is_err());
    }
}
