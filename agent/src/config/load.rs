//! Reads the configuration file: strict, with line and column for every mistake. Owns the `toml` crate.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ghapp_protocol::pasted::shell_word;
use ghapp_protocol::remote::{Host, RepositoryName};
use serde::Deserialize;
use toml::Spanned;

use super::configuration::{Config, Settings};
use super::position::{key_before, line_and_column, nearest};
use crate::files::regular_file;
use crate::model::{
    Access, ApiUrl, App, AppName, Fingerprint, InstallationId, OnFailure, Pattern, Permissions, Reach, Rule, StoreKind,
};

/// Largest file that is read. A configuration with thousands of rules is below it.
const MAX_FILE: u64 = 4 * 1024 * 1024;
/// git is told an expiry that is a minute early, and drops a password whose expiry is past: a token needs more life than that.
const MIN_MIN_TTL: Duration = Duration::from_secs(2 * 60);
/// An agent that exits while its next client is on the way would be started again and again.
const MIN_IDLE_EXIT: Duration = Duration::from_secs(1);
/// A token lives an hour; a longer minimum could never be met.
pub const MAX_MIN_TTL: Duration = Duration::from_secs(50 * 60);

/// A shorter one would lock between a question and its answer.
const MIN_LOCK_AFTER: Duration = Duration::from_secs(1);
/// Written in place of a time when none is wanted.
const NEVER: &str = "never";

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another user could have written it.
    #[error("refusing {}: {why}", path.display())]
    Unsafe {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// There is a mistake in it.
    #[error("{}:{line}:{column} {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
}

/// Reads the configuration. A file that does not exist is an empty configuration.
pub fn load(path: &Path) -> Result<Config, ConfigError> {
    let read = |source| ConfigError::Read { path: path.to_owned(), source };
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => return Err(read(error)),
    };
    if let Some(why) = why_unsafe(path, &metadata) {
        return Err(ConfigError::Unsafe { path: path.to_owned(), why });
    }
    let bytes = regular_file::read(path, MAX_FILE).map_err(read)?;
    let text = String::from_utf8(bytes).map_err(|_| read(io::Error::other("it is not UTF-8")))?;
    parse(&text, path)
}

/// Write access to the file is enough to add an App with a forged API, or a rule that widens tokens.
#[cfg(unix)]
fn why_unsafe(path: &Path, metadata: &fs::Metadata) -> Option<String> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let (owner, me) = (metadata.uid(), rustix::process::geteuid().as_raw());
    let mode = metadata.permissions().mode() & 0o7777;
    if owner != me && owner != 0 {
        Some(format!("it belongs to uid {owner} and not to uid {me}"))
    } else if mode & 0o022 != 0 {
        let word = shell_word(&path.display().to_string());
        Some(format!("others can write it (mode {mode:04o}); run: chmod go-w {word}"))
    } else {
        None
    }
}

/// On Windows the profile directory's access list protects the file.
#[cfg(not(unix))]
fn why_unsafe(_path: &Path, _metadata: &fs::Metadata) -> Option<String> {
    None
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawConfig {
    agent: RawAgent,
    app: Vec<RawApp>,
    rule: Vec<RawRule>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawAgent {
    min_ttl: Option<Spanned<String>>,
    revoke_on_stop: bool,
    lock_after: Option<Spanned<String>>,
    lock_with_screen: Option<Spanned<bool>>,
    idle_exit: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApp {
    name: Spanned<String>,
    host: Option<Spanned<String>>,
    api_url: Option<Spanned<String>>,
    ca_file: Option<Spanned<PathBuf>>,
    app_id: Option<u64>,
    client_id: Option<Spanned<String>>,
    slug: Option<String>,
    installation_id: Option<u64>,
    signer: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    #[serde(default)]
    more_keys: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    r#match: Spanned<String>,
    app: Option<Spanned<String>>,
    repositories: Option<Spanned<RawRepositories>>,
    permissions: Option<Spanned<BTreeMap<String, String>>>,
    access: Option<Spanned<String>>,
    installation_id: Option<u64>,
    on_failure: Option<Spanned<String>>,
    #[serde(default)]
    deny: bool,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "must be \"requested\", \"installation\" or a list of repository names")]
enum RawRepositories {
    Word(String),
    List(Vec<String>),
}

/// A mistake and where it is, before line and column are known.
struct Mistake {
    byte: usize,
    message: String,
}

fn mistake<T>(at: &Spanned<T>, message: impl fmt::Display) -> Mistake {
    Mistake { byte: at.span().start, message: message.to_string() }
}

/// Reads a configuration from text; `path` is for messages only.
pub fn parse(text: &str, path: &Path) -> Result<Config, ConfigError> {
    let content = |Mistake { byte, message }| {
        let (line, column) = line_and_column(text, byte);
        ConfigError::Content { path: path.to_owned(), line, column, message }
    };
    let raw: RawConfig = toml::from_str(text).map_err(|error| {
        let byte = error.span().map_or(0, |span| span.start);
        let message = describe(error.message());
        let message = match key_before(text, byte).filter(|_| message.starts_with("invalid type")) {
            Some(key) => format!("{key}: {message}"),
            None => message,
        };
        content(Mistake { byte, message })
    })?;
    check(&raw).map_err(content)
}

/// Adds the nearest valid key to serde's complaint about an unknown one.
fn describe(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((written, valid)) if message.starts_with("unknown field") => {
            let nearest = nearest(written, valid);
            let hint = nearest.map_or_else(
                || format!("valid keys: {}", valid.join(", ")),
                |nearest| format!("did you mean \"{nearest}\"?"),
            );
            format!("unknown key \"{written}\"; {hint}")
        }
        _ => message.lines().next().unwrap_or_default().to_owned(),
    }
}

fn check(raw: &RawConfig) -> Result<Config, Mistake> {
    let mut config = Config { agent: settings(&raw.agent)?, ..Config::default() };
    for raw in &raw.app {
        let app = app(raw)?;
        if config.app(&app.name).is_some() {
            return Err(mistake(&raw.name, format!("two Apps have the name \"{}\"", app.name)));
        }
        config.apps.push(app);
    }
    for raw in &raw.rule {
        let rule = rule(raw, &config)?;
        config.rules.push(rule);
    }
    Ok(config)
}

fn settings(raw: &RawAgent) -> Result<Settings, Mistake> {
    let mut settings = Settings { revoke_on_stop: raw.revoke_on_stop, ..Settings::default() };
    if let Some(min_ttl) = &raw.min_ttl {
        settings.min_ttl = duration(min_ttl.get_ref())
            .filter(|duration| (MIN_MIN_TTL..=MAX_MIN_TTL).contains(duration))
            .ok_or_else(|| mistake(min_ttl, "min_ttl must be a time from \"2m\" to \"50m\", such as \"10m\""))?;
    }
    if let Some(lock_after) = raw.lock_after.as_ref().filter(|lock_after| lock_after.get_ref() != NEVER) {
        let after = duration(lock_after.get_ref()).filter(|after| *after >= MIN_LOCK_AFTER);
        settings.lock_after = Some(after.ok_or_else(|| {
            mistake(lock_after, "lock_after must be \"never\" or a time of at least a second, such as \"8h\"")
        })?);
    }
    if let Some(with_screen) = &raw.lock_with_screen {
        // Where the system does not report a locked screen, a promise to lock would be a lie.
        if *with_screen.get_ref() && !cfg!(target_os = "linux") {
            return Err(mistake(with_screen, "lock_with_screen needs logind, which is on Linux only"));
        }
        settings.lock_with_screen = *with_screen.get_ref();
    }
    if let Some(idle_exit) = raw.idle_exit.as_ref().filter(|idle_exit| idle_exit.get_ref() != "never") {
        let time = duration(idle_exit.get_ref()).filter(|time| *time >= MIN_IDLE_EXIT);
        let time = time.ok_or_else(|| mistake(idle_exit, "idle_exit must be \"never\" or a time such as \"30m\""))?;
        settings.idle_exit = Some(time);
    }
    Ok(settings)
}

fn duration(text: &str) -> Option<Duration> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    parsed.and_then(|duration| Duration::try_from(duration).ok())
}

fn app(raw: &RawApp) -> Result<App, Mistake> {
    let name = AppName::parse(raw.name.get_ref()).map_err(|error| mistake(&raw.name, error))?;
    let host = match &raw.host {
        None => Host::parse("github.com").expect("github.com is a host"),
        Some(host) => Host::parse(host.get_ref()).map_err(|error| mistake(host, error))?,
    };
    let api_url = match &raw.api_url {
        None => ApiUrl::of(&host),
        Some(url) => ApiUrl::parse(url.get_ref()).map_err(|error| mistake(url, error))?,
    };
    let ca_file = match &raw.ca_file {
        Some(file) if !file.get_ref().is_absolute() => {
            return Err(mistake(file, "ca_file must be an absolute path"));
        }
        file => file.as_ref().map(|file| file.get_ref().clone()),
    };
    let client_id = match &raw.client_id {
        // It goes into a JWT: GitHub's have letters, digits and a dot.
        Some(id) if !id.get_ref().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.') => {
            return Err(mistake(id, "client_id looks like Iv23liAbCdEf0123"));
        }
        id => id.as_ref().map(|id| id.get_ref().clone()).filter(|id| !id.is_empty()),
    };
    if raw.app_id.is_none() && client_id.is_none() {
        return Err(mistake(&raw.name, format!("the App \"{name}\" needs app_id or client_id")));
    }
    let store = match &raw.signer {
        None => StoreKind::Keyring,
        Some(signer) => {
            StoreKind::parse(signer.get_ref()).ok_or_else(|| mistake(signer, no_signer(signer.get_ref())))?
        }
    };
    let (key, more_keys) = keys(raw, store)?;
    let installation = raw.installation_id.map(InstallationId);
    let slug = raw.slug.clone();
    Ok(App { name, host, api_url, ca_file, app_id: raw.app_id, client_id, slug, installation, store, key, more_keys })
}

/// The key that signs, and the ones after it.
fn keys(raw: &RawApp, store: StoreKind) -> Result<(Option<Fingerprint>, Vec<Fingerprint>), Mistake> {
    let mut keys: Vec<Fingerprint> = Vec::new();
    for written in raw.key.iter().chain(&raw.more_keys) {
        let key = Fingerprint::parse(written.get_ref())
            .ok_or_else(|| mistake(written, "key must be a fingerprint such as SHA256:...="))?;
        if keys.contains(&key) {
            return Err(mistake(written, "this key is there already"));
        }
        if keys.len() == App::MAX_KEYS {
            return Err(mistake(written, format!("an App has at most {} keys here", App::MAX_KEYS)));
        }
        keys.push(key);
    }
    match raw.more_keys.first() {
        Some(first) if raw.key.is_none() => Err(mistake(first, "more_keys needs key, the one that signs")),
        Some(first) if store == StoreKind::CredentialsDir => {
            Err(mistake(first, "credentials-dir holds one key of an App, and more_keys names others"))
        }
        _ => {
            let mut keys = keys.into_iter();
            Ok((keys.next(), keys.collect()))
        }
    }
}

/// What to say about a signer that does not exist.
fn no_signer(written: &str) -> String {
    match nearest(written, &StoreKind::NAMES) {
        Some(nearest) => format!("there is no signer \"{written}\"; did you mean \"{nearest}\"?"),
        None => format!("signer must be one of: {}", StoreKind::NAMES.join(", ")),
    }
}

fn rule(raw: &RawRule, config: &Config) -> Result<Rule, Mistake> {
    let pattern = Pattern::parse(raw.r#match.get_ref()).map_err(|error| mistake(&raw.r#match, error))?;
    let on_failure = match &raw.on_failure {
        None => OnFailure::Quit,
        Some(word) => match word.get_ref().as_str() {
            "quit" => OnFailure::Quit,
            "next" => OnFailure::Next,
            _ => return Err(mistake(word, "on_failure must be \"quit\" or \"next\"")),
        },
    };
    if raw.deny {
        return Ok(Rule::Deny { pattern, on_failure });
    }
    let app = named_app(raw, &pattern, config)?;
    let reach = reach(raw)?;
    let permissions = permissions(raw)?;
    let access = access(raw)?;
    let installation = raw.installation_id.map(InstallationId);
    Ok(Rule::Serve { pattern, app, reach, permissions, access, installation, on_failure })
}

fn named_app(raw: &RawRule, pattern: &Pattern, config: &Config) -> Result<AppName, Mistake> {
    let Some(written) = &raw.app else {
        return Err(mistake(&raw.r#match, "the rule needs an app, or deny = true"));
    };
    let app = config.apps.iter().find(|app| app.name.as_str() == written.get_ref());
    let Some(app) = app else {
        let names: Vec<_> = config.apps.iter().map(|app| app.name.as_str()).collect();
        return Err(mistake(written, format!("there is no App of that name; there are: {}", names.join(", "))));
    };
    if app.host != *pattern.host() {
        return Err(mistake(
            written,
            format!("the App \"{}\" is on {} and the rule on {}", app.name, app.host, pattern.host()),
        ));
    }
    Ok(app.name.clone())
}

fn reach(raw: &RawRule) -> Result<Reach, Mistake> {
    let Some(repositories) = &raw.repositories else {
        return Ok(Reach::Requested);
    };
    match repositories.get_ref() {
        RawRepositories::Word(word) if word == "requested" => Ok(Reach::Requested),
        RawRepositories::Word(word) if word == "installation" => Ok(Reach::Installation),
        RawRepositories::Word(_) => Err(mistake(
            repositories,
            "repositories must be \"requested\", \"installation\" or a list of repository names",
        )),
        RawRepositories::List(names) => {
            let names: Result<Vec<_>, _> = names.iter().map(|name| RepositoryName::parse(name)).collect();
            let names = names.map_err(|error| mistake(repositories, error))?;
            Reach::named(names).ok_or_else(|| mistake(repositories, "a list of repositories has 1 to 5000 names"))
        }
    }
}

fn permissions(raw: &RawRule) -> Result<Permissions, Mistake> {
    let Some(map) = &raw.permissions else { return Ok(Permissions::for_git()) };
    let entries = map.get_ref().iter().map(|(name, level)| (name.as_str(), level.as_str()));
    Permissions::parse(entries).map_err(|error| mistake(map, error))
}

fn access(raw: &RawRule) -> Result<Access, Mistake> {
    let Some(word) = &raw.access else { return Ok(Access::Write) };
    match word.get_ref().as_str() {
        "write" => Ok(Access::Write),
        "read" => Ok(Access::Read),
        "auto" => Ok(Access::Auto),
        _ => Err(mistake(word, "access must be \"write\", \"read\" or \"auto\"")),
    }
}
