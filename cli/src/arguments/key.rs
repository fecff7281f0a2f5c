//! The command line of `ghapp key`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::groups::Form;

/// What follows the help of `ghapp key`.
const ROTATION: &str = "\
To replace a key: generate a new one on the App's settings page, run
  ghapp key rotate --pem NEW.pem --delete-pem
and when it says so, delete the old key first there, then here. git keeps
working meanwhile. A fingerprint may be shortened as long as it fits one key
only.";

#[derive(Debug, Args)]
#[command(after_help = ROTATION)]
pub(crate) struct Key {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List the keys of the configured Apps, without asking GitHub
    List(Form),
    /// Give an App one more key: it signs when GitHub refuses the one before it
    Add(NewKey),
    /// Ask GitHub whether it accepts each key; exit with 7 when it refuses one
    Verify(Verify),
    /// Give an App a new key that signs from now on; the old one stays until it is removed
    Rotate(NewKey),
    /// Delete one of several keys from its store; `ghapp logout` deletes the last
    Remove {
        /// The key's fingerprint, or its beginning
        fingerprint: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// The private key that GitHub made for the App; - reads standard input
    #[arg(long, value_name = "FILE|-")]
    pub(crate) pem: PathBuf,
    /// The passphrase of the App's encrypted files, instead of asking for it; - reads standard input
    #[arg(long, value_name = "FILE|-")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Delete the downloaded key file when the key is stored
    #[arg(long)]
    pub(crate) delete_pem: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Only this key: its fingerprint, or its beginning
    pub(crate) fingerprint: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}
