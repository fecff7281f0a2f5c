//! Proving a fresh token at the git server before git gets it: GitHub's servers do not all know it at once.

use std::time::Duration;

use ghapp_protocol::remote::FullName;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{debug, warn};

use super::Tokens;
use super::wanted::Mint;
use crate::github::Probe;
use crate::model::InstallationToken;

/// How long a fresh token may take to reach the git server. Longer delays are rare, and git waits meanwhile.
const PROOF: Duration = Duration::from_secs(3);
/// The pause before the git server is asked again; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

impl Tokens {
    /// Waits until the git server knows a fresh token, for a few seconds at most. It is the same token all the time, since another one
    /// would start from the beginning. If the git server still refuses it, git gets the token and shows the server's own words.
    pub(super) async fn prove(&self, mint: &Mint, token: &InstallationToken) {
        let Some(repository) = mint.repository.as_ref().filter(|_| mint.for_git) else { return };
        if mint.scope.permissions.level("contents").is_none() {
            return; // the git server would refuse it for good
        }
        let name = FullName { owner: mint.owner.clone(), repository: repository.clone() };
        let deadline = Instant::now() + PROOF;
        let mut pause = FIRST_PAUSE;
        loop {
            match timeout_at(deadline, self.shared.github.probe(&mint.app, &name, &token.secret)).await {
                Ok(Ok(Probe::Accepted)) | Err(_) => return,
                Ok(Ok(Probe::Refused(status))) => debug!(status, "the git server does not know the token yet"),
                // Not our business: git will say what is wrong with the git server.
                Ok(Err(error)) => {
                    debug!(%error, "the git server could not be asked");
                    return;
                }
            }
            if Instant::now() + pause >= deadline {
                warn!(%name, "the git server refuses a fresh token");
                return;
            }
            sleep(pause).await;
            pause *= 2;
        }
    }
}
