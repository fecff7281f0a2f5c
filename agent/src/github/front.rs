//! GitHub's git front: whether it knows a fresh token yet.
//!
//! New tokens reach the front up to seconds after the API gave them out. Until then it answers 401 or 404, and git gives up at
//! once; so a fresh token is shown to the front before git gets it.

use ghapp_protocol::TOKEN_USERNAME;
use ghapp_protocol::remote::FullName;
use ghapp_protocol::secret::Secret;
use reqwest::StatusCode;

use super::client::GitHub;
use super::error::GitHubError;
use crate::model::App;

/// What the front says about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Front {
    /// It serves the repository with it.
    Knows,
    /// It does not: not yet, or not at all.
    Refuses(u16),
}

impl GitHub {
    /// Asks the git front for a repository's references, as git would, and reads nothing but the status.
    pub(crate) async fn front(&self, app: &App, name: &FullName, token: &Secret) -> Result<Front, GitHubError> {
        let url = format!("https://{}/{name}.git/info/refs?service=git-upload-pack", app.host);
        // The front takes user name and password only, unlike the API.
        let status = self.status(app, &url, TOKEN_USERNAME, token).await?;
        Ok(if status == StatusCode::OK { Front::Knows } else { Front::Refuses(status.as_u16()) })
    }
}
