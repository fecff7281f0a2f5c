//! GitHub's git server: whether it knows a fresh token yet.
//!
//! New tokens reach the git server up to seconds after the API gave them out. Until then it answers 401 or 404, and git gives up at
//! once; so a fresh token is shown to the git server before git gets it.

use ghapp_protocol::TOKEN_USERNAME;
use ghapp_protocol::remote::FullName;
use ghapp_protocol::secret::Secret;
use reqwest::StatusCode;

use super::client::GitHub;
use super::error::GitHubError;
use crate::model::App;

/// What the git server says about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// It serves the repository with it.
    Accepted,
    /// It does not: not yet, or not at all.
    Refused(u16),
}

impl GitHub {
    /// Asks the git server for a repository's references, as git would, and reads nothing but the status.
    pub(crate) async fn probe(&self, app: &App, name: &FullName, token: &Secret) -> Result<Probe, GitHubError> {
        let url = format!("https://{}/{name}.git/info/refs?service=git-upload-pack", app.host);
        // The git server takes user name and password only, unlike the API.
        let status = self.status(app, &url, TOKEN_USERNAME, token).await?;
        Ok(if status == StatusCode::OK { Probe::Accepted } else { Probe::Refused(status.as_u16()) })
    }
}
