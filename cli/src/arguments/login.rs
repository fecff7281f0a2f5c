//! The flags of `ghapp login`.

use std::path::PathBuf;

use clap::Args;
use ghapp_agent::model::{ApiUrl, AppName, StoreKind};
use ghapp_protocol::remote::{Host, Owner};

use super::values::{app_name, host, owner};
use crate::failure::CliError;

/// Where Apps are unless another host is named.
pub(crate) const DEFAULT_HOST: &str = "github.com";

const LOGIN: &str = "\
On a terminal, ghapp asks for what is missing; with --no-input, or without a terminal, that is an error.

Examples:
  ghapp login                                   asks for everything
  ghapp login --create --org acme               creates an App in the browser
  ghapp login --pem app.pem --app-id 123456     uses an existing App
  ghapp login --pem - --client-id Iv23li.. < KEYFILE";

#[derive(Debug, Args)]
#[command(after_help = LOGIN)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct Login {
    /// Create a new App on GitHub, in the browser
    #[arg(long, conflicts_with_all = ["pem", "app_id", "client_id", "delete_pem"])]
    pub(crate) create: bool,
    /// The organization that owns the new App; your own account when left out
    #[arg(long, requires = "create", value_name = "ORG", value_parser = owner)]
    pub(crate) org: Option<Owner>,
    /// What the new App may do, such as contents=write,workflows=write; contents=write when left out
    #[arg(long, requires = "create", value_name = "NAME=LEVEL,..")]
    pub(crate) permissions: Option<String>,
    /// The private key that GitHub made for the App; - reads standard input
    #[arg(long, value_name = "FILE|-")]
    pub(crate) pem: Option<PathBuf>,
    /// The App's numeric id
    #[arg(long, value_name = "N")]
    pub(crate) app_id: Option<u64>,
    /// The App's client ID
    #[arg(long, value_name = "ID", conflicts_with = "app_id")]
    pub(crate) client_id: Option<String>,
    /// The host that git uses [default: github.com]
    #[arg(long, value_parser = host)]
    pub(crate) host: Option<Host>,
    /// The host's REST API, when it is in an unusual place
    #[arg(long, value_name = "URL")]
    pub(crate) api_url: Option<String>,
    /// Certificates to trust for the API besides the system's, as PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The nickname for the configuration, and the name to propose for a new App; the App's slug when left out
    #[arg(long, value_parser = app_name)]
    pub(crate) name: Option<AppName>,
    /// Where to keep the key; credentials-dir takes no --pem, since the service manager has the key [default: keyring]
    // The configuration calls it `signer`, since some will keep no key on this machine.
    #[arg(long, visible_alias = "signer", value_parser = clap::builder::PossibleValuesParser::new(StoreKind::NAMES))]
    pub(crate) store: Option<String>,
    /// The passphrase for --store encrypted-file, instead of asking for it; - reads standard input
    #[arg(long, value_name = "FILE|-")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Make git use the App for the owners that installed it
    #[arg(long, overrides_with = "no_setup_git")]
    pub(crate) setup_git: bool,
    /// Leave git's configuration alone, and do not ask
    #[arg(long, overrides_with = "setup_git")]
    pub(crate) no_setup_git: bool,
    /// Delete the downloaded key file after a successful login
    #[arg(long)]
    pub(crate) delete_pem: bool,
}

impl Login {
    /// The host, also when the flag is left out.
    pub(crate) fn host(&self) -> Host {
        self.host.clone().unwrap_or_else(|| Host::parse(DEFAULT_HOST).expect("it is a host"))
    }

    /// The store, also when the flag is left out. The command line takes no other names.
    pub(crate) fn store(&self) -> StoreKind {
        self.store.as_deref().and_then(StoreKind::parse).unwrap_or(StoreKind::Keyring)
    }

    /// The API, if it was named, in its plain form.
    pub(crate) fn api_url(&self) -> Result<Option<String>, CliError> {
        let api_url = self.api_url.as_deref().map(ApiUrl::parse).transpose();
        let api_url = api_url.map_err(|error| CliError::usage(format!("--api-url: {error}")))?;
        Ok(api_url.map(|url| url.as_str().to_owned()))
    }

    /// The file of certificates, if it was named, as an absolute path: the agent has another current directory.
    pub(crate) fn ca_file(&self) -> Result<Option<String>, CliError> {
        let Some(path) = self.ca_file.as_deref() else { return Ok(None) };
        let absolute = std::path::absolute(path).map_err(|error| CliError::file("find", path, error))?;
        match absolute.to_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(CliError::usage(format!("--ca-file: {} is not a name in UTF-8", path.display()))),
        }
    }
}
