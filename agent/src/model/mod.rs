//! The nouns that every other room shares. They cannot hold a value that makes no sense, and they do no I/O.

mod api_url;
mod app;
mod app_jwt;
mod app_name;
mod caller;
mod exposure;
mod installation;
mod key;
mod manifest_code;
mod permissions;
mod rule;
mod scope;
mod token;

pub use api_url::{ApiUrl, ApiUrlError};
pub use app::App;
pub use app_jwt::AppJwt;
pub use app_name::{AppName, Issuer, NameError};
pub use caller::Caller;
pub use exposure::{Exposure, ExposureId, Terms};
pub use installation::{Installation, InstallationId, RepositorySelection};
pub use key::{Fingerprint, KeyId, KeyPlace, PrivateKey, StoreKind};
pub use manifest_code::ManifestCode;
pub use permissions::{Level, Permissions, PermissionsError};
pub use rule::{Access, OnFailure, Pattern, PatternError, Reach, Rule};
pub use scope::{Asked, MAX_NAMED, RepositorySet, TokenScope};
pub use token::InstallationToken;
