//! The page's door: a tiny HTTP server on 127.0.0.1, open until the browser comes back or the time is up. Owns hyper.
//!
//! Everything is bounded: connections at once, time and bytes for each, and the whole. A browser opens connections ahead that it
//! may never use, so a silent connection must not make the others wait.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::site::{Outcome, Site};
use super::{page, visitor};

/// Connections at once; a browser has about six to one host.
const MAX_CONNECTIONS: usize = 16;
/// How long one connection may last, with one request and its answer.
const CONNECTION: Duration = Duration::from_secs(10);
/// The wait after a connection that could not be taken. Without one the loop would spin for as long as all files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Most that is read of a request: its line and headers. A browser's have about one kilobyte.
const MAX_REQUEST: usize = 16 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 64;

/// A port with its listener, which is open before the page is announced, so that no other program can take the port.
pub(super) struct Callback {
    listener: StdListener,
    here: SocketAddr,
}

impl Callback {
    /// Takes a free port, on the loopback network only.
    pub(super) fn open() -> io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self { here: listener.local_addr()?, listener })
    }

    /// The address in the form of a URL's host.
    pub(super) fn address(&self) -> String {
        self.here.to_string()
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.here.port()
    }

    /// Serves the site until it has an outcome, or for as long as `limit`: then there is none.
    pub(super) fn wait(self, site: Site, limit: Duration) -> io::Result<Option<Outcome>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::from_std(self.listener)?;
            let (sender, mut outcomes) = mpsc::channel(1);
            let door =
                Arc::new(Door { here: self.here, form_target: site.form_target().to_owned(), site: Mutex::new(site) });
            let outcome = tokio::select! {
                never = accept(&listener, &door, sender) => match never {},
                outcome = outcomes.recv() => outcome,
                () = tokio::time::sleep(limit) => None,
            };
            Ok(outcome)
        })
        // Dropping the runtime closes all connections that are left.
    }
}

struct Door {
    here: SocketAddr,
    form_target: String,
    site: Mutex<Site>,
}

async fn accept(listener: &TcpListener, door: &Arc<Door>, outcomes: mpsc::Sender<Outcome>) -> Infallible {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        let Ok((stream, visitor)) = listener.accept().await else {
            // Either the visitor went away, or no more files can be opened; then another one has to be closed first.
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        if visitor::is_another_user(visitor, door.here) {
            continue;
        }
        let (door, outcomes) = (Arc::clone(door), outcomes.clone());
        tokio::spawn(async move {
            let outcome = serve(stream, &door).await;
            if let Some(outcome) = outcome {
                // The receiver is gone when another visitor was first.
                drop(outcomes.send(outcome).await);
            }
            drop(place);
        });
    }
}

/// Answers one request. Returns the outcome only when the answer has been written, because the program then goes on and exits.
async fn serve(stream: TcpStream, door: &Door) -> Option<Outcome> {
    let outcome = Mutex::new(None);
    let service = service_fn(async |request: Request<Incoming>| {
        let (answer, ended) = door.answer(&request);
        if ended.is_some() {
            *outcome.lock().unwrap_or_else(PoisonError::into_inner) = ended;
        }
        Ok::<_, Infallible>(answer)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(CONNECTION).keep_alive(false);
    http.max_buf_size(MAX_REQUEST).max_headers(MAX_HEADERS);
    // A visitor that hangs up, sends too much or sends nothing is not a reason to stop serving.
    drop(timeout(CONNECTION, http.serve_connection(TokioIo::new(stream), service)).await);
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Door {
    fn answer(&self, request: &Request<Incoming>) -> (Response<Full<Bytes>>, Option<Outcome>) {
        let mut hosts = request.headers().get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
        // A target with a host of its own is for proxies, and that host would count instead of the header.
        let host = host.filter(|_| request.uri().authority().is_none());
        let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
        let mut site = self.site.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = site.answer(request.method().as_str(), path, query, host);
        drop(site);
        let response = Response::builder()
            .status(answer.status)
            .header(CONTENT_TYPE, "text/html; charset=utf-8")
            .header(CONTENT_SECURITY_POLICY, page::policy(&self.form_target))
            // The secret name of the start page is not for GitHub.
            .header(REFERRER_POLICY, "strict-origin")
            .header(CACHE_CONTROL, "no-store")
            .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header("cross-origin-opener-policy", "same-origin")
            .header("cross-origin-resource-policy", "same-origin")
            .body(Full::new(Bytes::from(answer.page)))
            .expect("status and headers are fit for an answer");
        (response, answer.outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::thread;
    use std::time::{Duration, Instant};

    use ghapp_protocol::remote::Host;
    use ghapp_protocol::secret::Secret;

    use super::{Callback, Outcome, Site};
    use crate::login::create::manifest::Manifest;
    use ghapp_agent::model::Permissions;

    /// How long a test waits for what has to come.
    const DEADLINE: Duration = Duration::from_secs(30);

    fn open() -> (Callback, Site) {
        let callback = Callback::open().unwrap();
        let manifest = Manifest {
            host: Host::parse("github.com").unwrap(),
            organization: None,
            name: "mona-git".to_owned(),
            permissions: Permissions::for_git(),
        };
        let secret = |text: &str| Secret::new(text.to_owned());
        let site = Site::new(&callback.address(), &manifest, secret("ticket"), secret("state"));
        (callback, site)
    }

    fn request(address: &str, request: &str) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_page_that_nobody_comes_back_to_is_closed() {
        let (callback, site) = open();
        let began = Instant::now();
        assert!(callback.wait(site, Duration::from_millis(50)).unwrap().is_none());
        assert!(began.elapsed() < DEADLINE);
    }

    #[test]
    fn a_silent_visitor_keeps_nobody_waiting_and_the_answer_comes_before_the_end() {
        let (callback, site) = open();
        let address = callback.address();
        let silent = TcpStream::connect(&address).unwrap();
        let waiting = thread::spawn(move || callback.wait(site, DEADLINE).unwrap());
        let get = |target: &str| request(&address, &format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n"));
        let start = get("/ticket");
        assert!(start.starts_with("HTTP/1.1 200 OK\r\n"), "{start}");
        for header in [
            "content-security-policy: default-src 'none'; style-src 'sha256-",
            "cache-control: no-store",
            "connection: close",
            "referrer-policy: strict-origin",
        ] {
            assert!(start.contains(header), "{header}: {start}");
        }
        let with_two_hosts = format!("GET /ticket HTTP/1.1\r\nHost: {address}\r\nHost: evil.example\r\n\r\n");
        assert!(!request(&address, &with_two_hosts).starts_with("HTTP/1.1 200"));
        let for_a_proxy = format!("GET http://evil.example/ticket HTTP/1.1\r\nHost: {address}\r\n\r\n");
        assert!(!request(&address, &for_a_proxy).starts_with("HTTP/1.1 200"));
        let long = format!("GET /{} HTTP/1.1\r\nHost: {address}\r\n\r\n", "x".repeat(100_000));
        let mut stream = TcpStream::connect(&address).unwrap();
        drop(stream.write_all(long.as_bytes())); // it may hang up before all of it has come
        assert!(get("/callback?code=c0de&state=state").contains("Return to your terminal"));
        assert!(matches!(waiting.join().unwrap(), Some(Outcome::Code(code)) if code.expose() == "c0de"));
        drop(silent);
    }
}
