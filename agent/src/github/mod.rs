//! GitHub's REST API, as far as an App needs it. Owns reqwest.
//!
//! | call | documentation |
//! |---|---|
//! | `GET /app` | <https://docs.github.com/rest/apps/apps#get-the-authenticated-app> |
//! | `GET /app/installations` | <https://docs.github.com/rest/apps/apps#list-installations-for-the-authenticated-app> |
//! | `GET /app/installations/{id}` | <https://docs.github.com/rest/apps/apps#get-an-installation-for-the-authenticated-app> |
//! | `GET /users/{owner}/installation` | <https://docs.github.com/rest/apps/apps#get-a-user-installation-for-the-authenticated-app> |
//! | `GET /repos/{owner}/{repo}/installation` | <https://docs.github.com/rest/apps/apps#get-a-repository-installation-for-the-authenticated-app> |
//! | `POST /app/installations/{id}/access_tokens` | <https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app> |
//! | `POST /app-manifests/{code}/conversions` | <https://docs.github.com/rest/apps/apps#create-a-github-app-from-a-manifest> |
//! | `GET /installation/repositories` | <https://docs.github.com/rest/apps/installations#list-repositories-accessible-to-the-app-installation> |
//! | `GET /users/{login}` | <https://docs.github.com/rest/users/users#get-a-user> |
//! | `DELETE /installation/token` | <https://docs.github.com/rest/apps/installations#revoke-an-installation-access-token> |

mod calls;
mod client;
mod error;
mod probe;
mod types;

pub(crate) use calls::{MintRepositories, RepositoryInstallation};
pub(crate) use client::GitHub;
pub(crate) use error::GitHubError;
pub(crate) use probe::Probe;
pub(crate) use types::{AppInfo, ListedRepository, MintedRepository, NewApp, User};
