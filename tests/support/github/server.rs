//! The thread that listens, and the way of one request: count it, let it go wrong if a test scripted that, answer it.

use std::fmt;
use std::net::{Ipv4Addr, TcpListener as StdTcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{DATE, HeaderName, SERVER};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, Refusal, set_header, text_answer};
use super::auth;
use super::calls::Calls;
use super::fault::{self, Fault, Step};
use super::lfs;
use super::manifest;
use super::model::State;
use super::rest::{self, ENTERPRISE_VERSION};
use super::route::{GitRequest, Route};
use super::smart_http::{self, Operation};
use crate::tls::Tls;

/// The largest request body: far above any push of a test, far below what hurts.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// What the server's thread and the tests share.
pub(super) struct Simulator {
    pub(super) host: String,
    pub(super) ca_file: PathBuf,
    state: Mutex<State>,
    /// Notified when a call arrives and when it is answered.
    changed: Condvar,
    directory: TempDir,
}

impl Simulator {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the simulator's state")
    }

    /// Where repositories lie.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Waits until the calls are no longer those that were `seen`, or until the time is up.
    pub(super) fn wait_for_change(&self, seen: &Calls, left: Duration) -> MutexGuard<'_, State> {
        let unchanged = |state: &mut State| state.calls == *seen;
        let waited = self.changed.wait_timeout_while(self.lock(), left, unchanged);
        waited.expect("nothing panics while it holds the simulator's state").0
    }

    fn arrived(&self, route: &Route, parts: &Parts) -> (usize, Vec<Step>) {
        let line = format!("{} {}", parts.method, parts.uri);
        let mut state = self.lock();
        if let Some((_, jwt)) =
            auth::authorization(&parts.headers).filter(|(_, credential)| auth::looks_like_jwt(credential))
        {
            state.jwts.insert(jwt.to_owned());
        }
        let endpoint = route.endpoint();
        let place = state.calls.arrived(endpoint, line);
        let steps = state.faults.take(endpoint);
        drop(state);
        self.changed.notify_all();
        (place, steps)
    }

    fn answered(&self, place: usize, status: StatusCode) {
        self.lock().calls.answered(place, status);
        self.changed.notify_all();
    }
}

/// The server's thread. It is stopped and joined on drop.
pub(super) struct Server {
    /// Dropped to stop.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start() -> anyhow::Result<(Arc<Simulator>, Server)> {
        let directory = tempfile::Builder::new().prefix("github").tempdir()?;
        let tls = Tls::generate(directory.path())?;
        let listener = StdTcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let host = format!("localhost:{}", listener.local_addr()?.port());
        let simulator = Arc::new(Simulator {
            state: Mutex::new(State::new(host.clone())),
            host,
            ca_file: tls.ca_file,
            changed: Condvar::new(),
            directory,
        });

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&simulator);
        let thread = thread::Builder::new().name("github".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("inside of the runtime");
                tokio::select! {
                    () = accept(&listener, &tls.acceptor, &shared) => {}
                    // An error says that the sender is gone, which is how it stops.
                    _ = stopped => {}
                }
            });
            // Dropping the runtime ends open connections and the git processes they wait for.
        })?;
        Ok((simulator, Server { stop: Some(stop), thread: Some(thread) }))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic there has failed the test already: its connection was cut.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: &TcpListener, acceptor: &TlsAcceptor, simulator: &Arc<Simulator>) {
    loop {
        // A failed accept concerns one client that went away.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(simulator)));
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, simulator: Arc<Simulator>) {
    // A client that does not trust the CA, or that hangs up, is its test's business.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    simulator.lock().connections += 1;
    let service = service_fn(|request| carry_out(&simulator, request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// The connection is cut instead of an answer.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}

async fn carry_out(simulator: &Simulator, request: Request<Incoming>) -> Result<Answer, Cut> {
    let (parts, body) = request.into_parts();
    let route = Route::of(&parts.method, parts.uri.path());
    let (place, steps) = simulator.arrived(&route, &parts);
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| Cut)?.to_bytes();

    let mut scripted = None;
    let mut lose_answer = false;
    for step in steps {
        match step {
            Step::Wait(hold) => fault::released(hold).await,
            Step::Fault(Fault::Delay(duration)) => tokio::time::sleep(duration).await,
            Step::Fault(Fault::Close) => return Err(Cut),
            Step::Fault(Fault::LoseAnswer) => lose_answer = true,
            Step::Fault(Fault::Answer { status, headers, body }) => {
                scripted = Some(scripted_answer(status, &headers, body));
            }
        }
    }
    let mut answer = match (scripted, &route) {
        (Some(answer), _) => answer,
        (None, Route::Git { owner, repo, request }) => git(simulator, owner, repo, *request, &parts, body).await,
        (None, Route::Lfs { owner, repo, request }) => {
            lfs::answer(&mut simulator.lock(), owner, repo, *request, &parts.headers, &body)
        }
        (None, Route::LfsObject { address, upload }) => lfs::object(&simulator.lock(), address, *upload, &body),
        (None, Route::Manifest { organization }) => {
            manifest::posted(&mut simulator.lock(), organization.as_deref(), parts.uri.query(), &body)
        }
        (None, Route::ManifestConfirmed) => manifest::confirmed(&mut simulator.lock(), &body),
        (None, route) => rest::answer(&mut simulator.lock(), route, &parts, &body),
    };
    if lose_answer {
        return Err(Cut);
    }
    sign_off(&mut answer, simulator.lock().now(), place);
    simulator.answered(place, answer.status());
    Ok(answer)
}

async fn git(
    simulator: &Simulator,
    owner: &str,
    repo: &str,
    request: GitRequest,
    parts: &Parts,
    body: Bytes,
) -> Answer {
    let operation = Operation::of(request, parts.uri.query());
    let admitted = smart_http::admit(&simulator.lock(), owner, repo, operation, &parts.headers);
    match admitted {
        Err(refusal) => refusal.into_text(),
        Ok(admitted) => smart_http::serve(&admitted, request, parts, body)
            .await
            .unwrap_or_else(|error| text_answer(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))),
    }
}

fn scripted_answer(status: u16, headers: &[(String, String)], body: String) -> Answer {
    let mut answer = Response::builder().status(status);
    for (name, value) in headers {
        answer = answer.header(name, value);
    }
    answer.body(Full::new(Bytes::from(body))).unwrap_or_else(|error| {
        let message = format!("the scripted answer is not HTTP: {error}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message).into_text()
    })
}

/// Adds what every answer of a GitHub Enterprise Server has. A script may have set its own `Date`.
fn sign_off(answer: &mut Answer, now: Timestamp, place: usize) {
    if !answer.headers().contains_key(DATE) {
        set_header(answer, DATE, &now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    }
    set_header(answer, SERVER, "GitHub.com");
    let request_id = format!("{:04X}:{:08X}", std::process::id() & 0xffff, place);
    set_header(answer, HeaderName::from_static("x-github-request-id"), &request_id);
    let version = HeaderName::from_static("x-github-enterprise-version");
    set_header(answer, version, ENTERPRISE_VERSION);
}
