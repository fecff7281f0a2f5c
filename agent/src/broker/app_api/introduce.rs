//! Showing GitHub a key that is in no store yet: which App's is it?

use ghapp_protocol::error::{ErrorCode, WireError};

use super::AppApi;
use crate::broker::explain;
use crate::github::{AppInfo, GitHubError};
use crate::model::{App, PrivateKey};
use crate::signer;

impl AppApi {
    /// Asks GitHub which App the key belongs to. Also returns GitHub's clock minus ours, in seconds, if GitHub refused ours.
    pub(in crate::broker) async fn introduce(&self, app: &App, key: &PrivateKey) -> Result<(AppInfo, i64), WireError> {
        let mut skew = 0;
        loop {
            let server_now = self.shared.now().wall + skew;
            let jwt = signer::sign(key, &app.issuer(), server_now)
                .map_err(|_| WireError::new(ErrorCode::UnusableKey, "the private key cannot sign"))?;
            match self.shared.github.app(app, &jwt).await {
                Ok(info) => return Ok((info, skew)),
                // Once: the second answer is final.
                Err(GitHubError::Clock { server_time: Some(server_time) }) if skew == 0 => {
                    skew = server_time - self.shared.now().wall;
                    if skew == 0 {
                        return Err(explain::github(&GitHubError::Clock { server_time: Some(server_time) }, app));
                    }
                }
                Err(error) => return Err(explain::github(&error, app)),
            }
        }
    }
}
