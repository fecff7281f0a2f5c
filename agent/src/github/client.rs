//! One HTTP call: bounded in time and size, to one origin, never following a redirect by itself.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ghapp_protocol::BUILD_VERSION;
use ghapp_protocol::secret::Secret;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client, Method, StatusCode, redirect};
use zeroize::Zeroizing;

use super::error::{self, GitHubError};
use crate::files::regular_file;
use crate::model::App;

/// The API version that every GitHub since Enterprise Server 3.9 knows.
const API_VERSION: &str = "2022-11-28";
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call may take in all. GitHub itself gives up after 10 s.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the git server may take to say yes or no.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer that is read: a page of 100 installations has about 200 kB.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Largest file of certificates that is read: all that a system trusts is a quarter of that.
const MAX_CA_FILE: u64 = 1024 * 1024;
/// How long an unused connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(90);

/// GitHub's API. One connection pool per set of trusted certificates, made when it is needed and kept.
#[derive(Default)]
pub(crate) struct GitHub {
    clients: Mutex<HashMap<Option<PathBuf>, Client>>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Wiped when dropped: the answer to a mint holds a token.
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl GitHub {
    /// Drops connections and certificates, so that changed certificates are read.
    pub(crate) fn reconnect(&self) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Makes one call. `path` begins with a slash; names in it were parsed and need no escaping.
    pub(super) async fn call(
        &self,
        app: &App,
        method: Method,
        path: &str,
        bearer: Option<&Secret>,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, GitHubError> {
        let client = self.client(app)?;
        let host = app.api_url.as_str().trim_start_matches("https://");
        let host = host.split('/').next().unwrap_or(host);
        let unreachable = |error: reqwest::Error| error::transport(&error, host);
        let mut request = client
            .request(method, format!("{}{path}", app.api_url))
            .header(ACCEPT, "application/vnd.github+json")
            .header("X-GitHub-Api-Version", API_VERSION);
        if let Some(bearer) = bearer {
            let authorization = Zeroizing::new(format!("Bearer {}", bearer.expose()));
            let mut authorization = HeaderValue::from_str(&authorization)
                .map_err(|_| GitHubError::Garbled("a token that is no header value"))?;
            authorization.set_sensitive(true);
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Zeroizing::new(Vec::with_capacity(4096));
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(GitHubError::Garbled("an answer of more than 4 MiB"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }

    /// Makes a GET outside the API and returns its status alone.
    pub(super) async fn status(
        &self,
        app: &App,
        url: &str,
        username: &str,
        password: &Secret,
    ) -> Result<StatusCode, GitHubError> {
        let request = self
            .client(app)?
            .get(url)
            .basic_auth(username, Some(password.expose()))
            .header("Git-Protocol", "version=2")
            .timeout(PROBE_TIMEOUT);
        let response = request.send().await;
        response.map(|response| response.status()).map_err(|error| error::transport(&error, app.host.as_str()))
    }

    fn client(&self, app: &App) -> Result<Client, GitHubError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&app.ca_file) {
            return Ok(client.clone());
        }
        let mut builder = Client::builder()
            .user_agent(format!("git-credential-ghapp/{BUILD_VERSION}"))
            .https_only(true)
            // A redirect to another host would carry the JWT there; the one redirect that we expect is read by hand.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE);
        if let Some(file) = &app.ca_file {
            let broken = |reason: String| GitHubError::CaFile { file: file.display().to_string(), reason };
            let pem = regular_file::read(file, MAX_CA_FILE).map_err(|error| broken(error.to_string()))?;
            let certificates = Certificate::from_pem_bundle(&pem)
                .map_err(|_| broken("it is not a PEM file with certificates".to_owned()))?;
            if certificates.is_empty() {
                return Err(broken("there is no certificate in it".to_owned()));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| error::transport(&error, app.host.as_str()))?;
        clients.insert(app.ca_file.clone(), client.clone());
        Ok(client)
    }
}
