//! Keys that the service manager hands over: one file each in the directory that systemd makes for a service
//! (`LoadCredential=`, `LoadCredentialEncrypted=`: systemd.exec(5)). They are read, and never written or deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::error::StoreError;
use crate::files::regular_file;
use crate::model::AppName;

/// What stands before the App's nickname in a credential's name.
const PREFIX: &str = "ghapp-";
/// Largest file that is read. A 16384-bit key as PEM has 13 KB.
const MAX_FILE: u64 = 64 * 1024;

/// The directory, if there is one.
pub(super) struct Credentials {
    directory: Option<PathBuf>,
}

impl Credentials {
    pub(super) fn in_directory(directory: Option<PathBuf>) -> Self {
        Self { directory }
    }

    /// The Apps that have a credential, by name.
    pub(super) fn names(&self) -> Result<Vec<AppName>, StoreError> {
        let directory = self.directory()?;
        let entries = fs::read_dir(directory).map_err(|error| unusable(directory, &error))?;
        let names = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name();
            AppName::parse(name.to_str()?.strip_prefix(PREFIX)?).ok()
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        Ok(names)
    }

    /// The file of an App, in whatever form it is.
    pub(super) fn read(&self, app: &AppName) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let path = self.path(app)?;
        check(&path)?;
        regular_file::read(&path, MAX_FILE).map(Zeroizing::new).map_err(|error| unusable(&path, &error))
    }

    /// Checks that an App has a file that may be used.
    pub(super) fn holds(&self, app: &AppName) -> Result<(), StoreError> {
        check(&self.path(app)?)
    }

    fn path(&self, app: &AppName) -> Result<PathBuf, StoreError> {
        Ok(self.directory()?.join(format!("{PREFIX}{app}")))
    }

    fn directory(&self) -> Result<&Path, StoreError> {
        self.directory.as_deref().ok_or_else(|| StoreError::Missing("CREDENTIALS_DIRECTORY is not set".to_owned()))
    }
}

/// Refuses a file that another user may read or have written. systemd's files belong to the service's user, or to root with an
/// access list for that user, which shows as a mode that the group can read.
#[cfg(unix)]
fn check(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).map_err(|error| unusable(path, &error))?;
    let (owner, me, mode) = (metadata.uid(), rustix::process::geteuid().as_raw(), metadata.mode());
    if owner != me && owner != 0 {
        return Err(StoreError::Refused(format!("{} belongs to uid {owner}", path.display())));
    }
    if mode & 0o026 != 0 {
        return Err(StoreError::Refused(format!("{} is open to others (mode {:04o})", path.display(), mode & 0o7777)));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check(path: &Path) -> Result<(), StoreError> {
    fs::metadata(path).map(|_| ()).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound => StoreError::NoEntry,
        _ => StoreError::Refused(format!("{}: {error}", path.display())),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::{Credentials, StoreError};
    use crate::model::AppName;

    #[test]
    fn only_our_credentials_are_seen_and_only_private_ones_are_read() {
        let temp = tempfile::tempdir().unwrap();
        let credentials = Credentials::in_directory(Some(temp.path().to_owned()));
        let bot = AppName::parse("bot").unwrap();
        assert_eq!((credentials.names(), credentials.holds(&bot)), (Ok(vec![]), Err(StoreError::NoEntry)));
        for name in ["ghapp-bot", "ghapp-", "ghapp-a b", "database-password"] {
            fs::write(temp.path().join(name), "secret").unwrap();
        }
        let file = temp.path().join("ghapp-bot");
        for (mode, may) in [(0o400, true), (0o440, true), (0o600, true), (0o444, false), (0o620, false)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(credentials.read(&bot).is_ok(), may, "{mode:o}");
            assert_eq!(credentials.holds(&bot).is_ok(), may, "{mode:o}");
        }
        assert_eq!(credentials.names(), Ok(vec![bot.clone()]));
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(matches!(credentials.read(&bot), Err(StoreError::Refused(_))));
    }

    #[test]
    fn without_a_service_manager_there_are_none() {
        let credentials = Credentials::in_directory(None);
        assert!(matches!(credentials.names(), Err(StoreError::Missing(_))));
        assert!(matches!(credentials.read(&AppName::parse("bot").unwrap()), Err(StoreError::Missing(_))));
    }
}
