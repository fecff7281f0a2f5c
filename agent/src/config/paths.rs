//! Where configuration and state are. Owns the `directories` crate.

use std::path::PathBuf;

use directories::{BaseDirs, ProjectDirs, UserDirs};

/// The environment variable that names another configuration file.
const CONFIG_VARIABLE: &str = "GHAPP_CONFIG";
/// The environment variable in which systemd names the directory with a service's credentials (systemd.exec(5)).
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// The name of our directories below the platform's.
const NAME: &str = "ghapp";

/// There is no home directory to look in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no home directory is known: set HOME, or name the file with {CONFIG_VARIABLE}")]
pub struct PathsError;

/// The configuration file: `chosen`, or `GHAPP_CONFIG`, or `config.toml` in the platform's configuration directory.
pub fn config_file(chosen: Option<PathBuf>) -> Result<PathBuf, PathsError> {
    let from_environment = || std::env::var_os(CONFIG_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = chosen.or_else(from_environment) {
        // The agent changes to another directory; the file must not change with it.
        return std::path::absolute(path).map_err(|_| PathsError);
    }
    let project = ProjectDirs::from("", "", NAME).ok_or(PathsError)?;
    Ok(project.config_dir().join("config.toml"))
}

/// The audit log, in the platform's state directory.
pub fn audit_file() -> Result<PathBuf, PathsError> {
    Ok(state_directory()?.join("audit.jsonl"))
}

/// The directory of encrypted key files. Beside the audit log and not beside the configuration, which people copy from machine to
/// machine.
pub fn key_directory() -> Result<PathBuf, PathsError> {
    Ok(state_directory()?.join("keys"))
}

/// The directory with the credentials that the service manager handed over, if it did.
pub fn credentials_directory() -> Option<PathBuf> {
    std::env::var_os(CREDENTIALS_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// `directories` knows a state directory on Linux only; elsewhere local data is the nearest thing.
fn state_directory() -> Result<PathBuf, PathsError> {
    let base = BaseDirs::new().ok_or(PathsError)?;
    let state = base.state_dir().unwrap_or_else(|| base.data_local_dir());
    Ok(state.join(NAME))
}

/// The home directory.
pub fn home() -> Option<PathBuf> {
    BaseDirs::new().map(|base| base.home_dir().to_owned())
}

/// Where browsers put what they download, an App's new key for instance.
pub fn downloads() -> Option<PathBuf> {
    let directories = UserDirs::new()?;
    let named = directories.download_dir().map(PathBuf::from);
    Some(named.unwrap_or_else(|| directories.home_dir().join("Downloads")))
}
