//! The file with the App's key: read within bounds, shown by its fingerprint, handed to the agent, deleted on request.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ghapp_agent::model::{PrivateKey, StoreKind};
use ghapp_agent::signer;
use ghapp_protocol::error::ErrorCode;
use ghapp_protocol::secret::Secret;
use zeroize::Zeroizing;

use crate::failure::CliError;
use crate::terminal::output::Output;

/// Largest file that is read. A 16384-bit key as PEM has 13 KB; a CI secret may wrap it in base64 twice.
const MAX_PEM: u64 = 64 * 1024;

/// What helps when the file is not there.
const WHERE_FROM: &str =
    "give the name of the file that \"Generate a private key\" on the App's settings page downloads: *.private-key.pem";

/// Where a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PemSource {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl PemSource {
    /// Reads the value of `--pem`.
    pub(crate) fn of(path: PathBuf) -> Result<Self, CliError> {
        let text = path.to_string_lossy();
        if text.contains("-----BEGIN") || text.contains('\n') {
            // The value is not repeated: it is the key.
            return Err(CliError::usage("--pem takes a file's name and not the key itself")
                .hint("give the file's name, or the key on standard input: --pem - < KEYFILE"));
        }
        if text == "-" {
            return Ok(Self::Stdin);
        }
        Ok(Self::File(path))
    }

    /// Reads the key.
    pub(crate) fn read(&self) -> Result<PrivateKey, CliError> {
        let bytes = match self {
            Self::Stdin => bounded(io::stdin().lock())
                .map_err(|error| CliError::new(ErrorCode::File, format!("cannot read standard input: {error}")))?,
            Self::File(path) => {
                let unreadable = |error| CliError::file("read", path, error).hint(WHERE_FROM);
                File::open(path).and_then(bounded).map_err(unreadable)?
            }
        };
        let Some(bytes) = bytes else {
            return Err(CliError::new(
                ErrorCode::NotAPrivateKey,
                format!("cannot use {}: it is larger than 64 KiB and so no PEM private key", self.name()),
            ));
        };
        signer::from_pem(&bytes).map_err(|error| CliError::from_import(error, &self.name()))
    }

    /// Deletes the file. If it is a link, also deletes its target, since that holds the key.
    pub(crate) fn delete(&self) -> Result<(), CliError> {
        let Self::File(path) = self else {
            return Ok(());
        };
        let delete = |path: &Path| fs::remove_file(path).map_err(|error| CliError::file("delete", path, error));
        let real = fs::canonicalize(path).map_err(|error| CliError::file("delete", path, error))?;
        delete(&real)?;
        match fs::symlink_metadata(path) {
            Ok(_) => delete(path),
            Err(_) => Ok(()),
        }
    }

    /// Its name for people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Stdin => "standard input".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// A key in the form that the agent takes.
pub(crate) fn for_the_agent(key: &PrivateKey) -> Secret {
    Secret::new(STANDARD.encode(key.expose()))
}

/// Shows the key's fingerprint, for a person to compare.
pub(crate) fn show(output: &Output, fingerprint: &str) -> Result<(), CliError> {
    output.report(&format!("Key        {fingerprint}"))?;
    output.talk("           compare it with \"Private keys\" on the App's settings page");
    Ok(())
}

/// Refuses to delete the file when the key's store will lose the key one day.
pub(crate) fn check_lasting(store: StoreKind) -> Result<(), CliError> {
    if !forgets(store) {
        return Ok(());
    }
    let store = store.as_str();
    let cause = format!("--delete-pem with --store {store} would leave the only copy of the key in memory");
    Err(CliError::usage(cause).hint("leave out --delete-pem: what is in memory is gone one day"))
}

/// Whether that store loses a key one day, so that another copy has to be kept.
pub(crate) fn forgets(store: StoreKind) -> bool {
    matches!(store, StoreKind::Memory | StoreKind::Keyutils)
}

/// Reads everything; `None` when it is too much. The buffer has its full size from the start: growing it would leave a copy of
/// the key behind.
fn bounded(source: impl Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MAX_PEM).unwrap_or(0) + 64));
    source.take(MAX_PEM + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MAX_PEM).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{MAX_PEM, PemSource, bounded};

    #[test]
    fn a_key_in_place_of_its_file_is_not_repeated() {
        let error = PemSource::of(PathBuf::from("-----BEGIN RSA PRIVATE KEY-----\ncanary")).unwrap_err();
        assert_eq!(error.code.exit(), 2);
        assert!(!error.message.contains("canary"));
        assert_eq!(PemSource::of(PathBuf::from("-")).unwrap(), PemSource::Stdin);
    }

    #[test]
    fn no_more_than_64_kib_is_read() {
        assert!(bounded(std::io::repeat(b'x')).unwrap().is_none());
        assert!(bounded(std::io::Read::take(std::io::repeat(b'x'), MAX_PEM)).unwrap().is_some());
    }
}
