//! git over HTTPS: the decision of GitHub's git server about a request, and then the real `git http-backend`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Response, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::answer::{Answer, Refusal};
use super::auth;
use super::model::{Repository, State};
use super::repository::MAY_CHANGE_WORKFLOWS;
use super::route::GitRequest;
use super::token::LiveToken;

/// The one user name that goes with an installation access token.
const USER: &str = "x-access-token";

/// A request that may be carried out.
#[derive(Debug)]
pub(super) struct Admitted {
    directory: PathBuf,
    /// Who is logged in: `SLUG[bot]`; none at a public repository.
    user: Option<String>,
    may_change_workflows: bool,
}

impl Admitted {
    /// Where the repository lies.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Decides whether a request of git may be carried out.
pub(super) fn admit(
    state: &State,
    owner: &str,
    repo: &str,
    operation: Operation,
    headers: &HeaderMap,
) -> Result<Admitted, Refusal> {
    // After a rename the old path goes on serving.
    let repository = state.find_repository(owner, repo).or_else(|| state.find_moved(owner, repo));
    let token = match auth::authorization(headers) {
        None => None,
        Some((scheme, credential)) => {
            // Bearer is refused here, although the API takes it: git must use Basic.
            let secret = basic_password(scheme, credential).ok_or_else(bad_credentials)?;
            Some(state.live_token(&secret).ok_or_else(bad_credentials)?)
        }
    };
    let Some(token) = token else {
        return admit_anonymous(repository, operation);
    };

    let not_found = || Refusal::new(StatusCode::NOT_FOUND, "Repository not found.");
    let repository = repository.ok_or_else(not_found)?;
    let bot = state.apps[&token.installation.app_id].bot();
    let denied = || {
        let message = format!("Permission to {}.git denied to {bot}.", repository.full_name());
        Refusal::new(StatusCode::FORBIDDEN, message)
    };
    if !token.covers(repository) {
        // That a public repository exists is no secret, so a push to it is denied rather than not found. That a
        // token also reads public repositories elsewhere is reported both ways; no test should build on it.
        let push = operation == Operation::Push;
        return Err(if repository.public && push { denied() } else { not_found() });
    }
    if !may(token, operation) {
        return Err(denied());
    }
    Ok(Admitted {
        directory: repository.directory.clone(),
        user: Some(bot.clone()),
        may_change_workflows: token.allows("workflows", "write"),
    })
}

/// What git wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Fetch,
    Push,
}

impl Operation {
    /// gitprotocol-http(5): `info/refs` says in its query which service the next request will use.
    pub(super) fn of(request: GitRequest, query: Option<&str>) -> Operation {
        match request {
            GitRequest::ReceivePack => Operation::Push,
            GitRequest::InfoRefs if query == Some("service=git-receive-pack") => Operation::Push,
            GitRequest::InfoRefs | GitRequest::UploadPack => Operation::Fetch,
        }
    }
}

fn may(token: LiveToken<'_>, operation: Operation) -> bool {
    token.allows("contents", if operation == Operation::Push { "write" } else { "read" })
}

fn admit_anonymous(repository: Option<&Repository>, operation: Operation) -> Result<Admitted, Refusal> {
    match (repository.filter(|found| found.public), operation) {
        (Some(public), Operation::Fetch) => {
            Ok(Admitted { directory: public.directory.clone(), user: None, may_change_workflows: false })
        }
        // A missing and a private repository get the same answer. GitHub's exact words are not documented.
        (_, Operation::Fetch) => Err(Refusal::new(StatusCode::UNAUTHORIZED, "Repository not found.")),
        (_, Operation::Push) => Err(Refusal::new(StatusCode::UNAUTHORIZED, "No anonymous write access.")),
    }
}

fn bad_credentials() -> Refusal {
    let message = "Invalid username or token. Password authentication is not supported for Git operations.";
    Refusal::new(StatusCode::UNAUTHORIZED, message)
}

fn basic_password(scheme: &str, credential: &str) -> Option<String> {
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(credential).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    (user == USER).then(|| password.to_owned())
}

/// Carries out an admitted request with `git http-backend`, a CGI program (RFC 3875).
pub(super) async fn serve(
    admitted: &Admitted,
    request: GitRequest,
    parts: &Parts,
    body: Bytes,
) -> anyhow::Result<Answer> {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut backend = Command::new("git");
    backend
        .arg("http-backend")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", parent(&admitted.directory))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_TRANSLATED", admitted.directory.join(request.path()))
        .env("PATH_INFO", format!("/{}", request.path()))
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header(CONTENT_TYPE.as_str()))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header(CONTENT_ENCODING.as_str()))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(user) = &admitted.user {
        backend.env("REMOTE_USER", user);
    }
    if admitted.may_change_workflows {
        backend.env(MAY_CHANGE_WORKFLOWS, "1");
    }
    let mut backend = backend.spawn().context("git http-backend does not start")?;
    let mut stdin = backend.stdin.take().context("stdin was piped")?;
    // Both at once: a large pack fills one pipe while the backend waits on the other.
    let ((), output) = tokio::join!(
        async move {
            // The backend may answer without reading everything.
            let _ = stdin.write_all(&body).await;
        },
        backend.wait_with_output()
    );
    let output = output.context("git http-backend was lost")?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git http-backend ended with {}: {stderr}", output.status);
    cgi_answer(&output.stdout).with_context(|| format!("git http-backend said: {stderr}"))
}

/// Reads headers, an empty line and the body; `Status:` is the status line (RFC 3875 section 6.3.3).
fn cgi_answer(output: &[u8]) -> anyhow::Result<Answer> {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.context("no empty line after the headers")?;
    let mut answer = Response::builder();
    for line in str::from_utf8(&output[..end])?.split("\r\n") {
        let (name, value) = line.split_once(": ").context("a header without a colon")?;
        answer = if name.eq_ignore_ascii_case("status") {
            answer.status(value.split(' ').next().unwrap_or_default())
        } else {
            answer.header(name, value)
        };
    }
    Ok(answer.body(Full::new(Bytes::copy_from_slice(&output[end + 4..])))?)
}

fn parent(directory: &Path) -> &Path {
    directory.parent().expect("repositories lie in the simulator's directory")
}
