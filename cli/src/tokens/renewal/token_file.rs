//! A file with a token: no other user can read it, it always holds a whole token, and it is removed when its value is dropped.

use std::io::{self, Write};
use std::path::PathBuf;

use ghapp_protocol::endpoint::Endpoint;
use ghapp_protocol::secret::Secret;
use tempfile::{NamedTempFile, TempDir};

use crate::failure::CliError;
use crate::process::private_directory::private_directory;

/// The name of the file in its directory.
const NAME: &str = "token";

/// The file, in a directory of its own (0700) beside the agent's socket, which most machines keep in memory until the session ends.
pub(super) struct TokenFile {
    directory: TempDir,
}

impl TokenFile {
    /// Makes the directory.
    pub(super) fn make() -> Result<Self, CliError> {
        let own = Endpoint::own()?;
        own.prepare()?;
        let parent = own.path().parent().unwrap_or(own.path());
        let directory = private_directory(parent, "exec-");
        let directory = directory.map_err(|error| CliError::file("make a directory in", parent, error))?;
        Ok(Self { directory })
    }

    /// Where it is.
    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join(NAME)
    }

    /// Replaces the token. A reader gets either the old one or the new one. No line end follows: some readers would take it for a
    /// part of the token.
    pub(super) fn put(&self, token: &Secret) -> io::Result<()> {
        // The new file has mode 0600 (tempfile, "Security").
        let mut file = NamedTempFile::new_in(self.directory.path())?;
        file.write_all(token.expose().as_bytes())?;
        file.persist(self.path()).map_err(|error| error.error)?;
        Ok(())
    }
}
