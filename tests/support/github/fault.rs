//! What tests script to go wrong: answers GitHub gives on a bad day, delays, and cut connections.

use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::watch;

use super::calls::Endpoint;

/// Something that goes wrong with one call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The call is not carried out; this is the answer.
    Answer {
        /// The status code.
        status: u16,
        /// Headers beside the ones every answer has.
        headers: Vec<(String, String)>,
        /// The body, sent as it is.
        body: String,
    },
    /// The call is carried out after a while.
    Delay(Duration),
    /// The connection is cut before the call is carried out.
    Close,
    /// The call is carried out, but the connection is cut before its answer: a minted token stays without a holder.
    LoseAnswer,
}

impl Fault {
    /// An API answer with GitHub's JSON around a message.
    pub fn message(status: u16, message: &str) -> Fault {
        let json = serde_json::json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": status.to_string(),
        });
        Fault::Answer { status, headers: Vec::new(), body: json.to_string() }
            .with_header("content-type", "application/json; charset=utf-8")
    }

    /// The answer when GitHub's own deadline of ten seconds passed.
    pub fn bad_gateway() -> Fault {
        Fault::message(502, "Server Error")
    }

    /// The secondary rate limit, with `retry-after` if GitHub says when to come back.
    pub fn secondary_rate_limit(retry_after: Option<Duration>) -> Fault {
        let message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
        let fault = Fault::message(403, message);
        match retry_after {
            Some(wait) => fault.with_header("retry-after", &wait.as_secs().to_string()),
            None => fault,
        }
    }

    /// The primary rate limit, which ends at `reset` in seconds since the epoch.
    pub fn primary_rate_limit(reset: i64) -> Fault {
        Fault::message(403, "API rate limit exceeded for installation.")
            .with_header("x-ratelimit-limit", "5000")
            .with_header("x-ratelimit-remaining", "0")
            .with_header("x-ratelimit-reset", &reset.to_string())
    }

    /// The git server before it knows a token that was just minted.
    pub fn repository_not_found() -> Fault {
        let body = "Repository not found.".to_owned();
        // git shows a refusal's body only if it is plain text.
        Fault::Answer { status: 404, headers: Vec::new(), body }
            .with_header("content-type", "text/plain; charset=utf-8")
    }

    /// The git server sends a client elsewhere.
    pub fn moved_permanently(location: &str) -> Fault {
        Fault::Answer { status: 301, headers: Vec::new(), body: String::new() }.with_header("location", location)
    }

    /// Adds a header to an answer.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Fault {
        if let Fault::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Fails when the test scripted an answer that is not HTTP, at the place where it did so.
    #[track_caller]
    fn check(&self) {
        if let Fault::Answer { status, .. } = self {
            StatusCode::from_u16(*status).expect("a fault's status is an HTTP status");
        }
    }
}

/// Keeps calls of one endpoint waiting while it lives.
#[derive(Debug)]
pub struct Hold {
    _open: watch::Sender<()>,
}

impl Hold {
    /// Lets the waiting calls and all later ones go on.
    pub fn release(self) {}
}

/// What is scripted for a call that just arrived.
pub(super) enum Step {
    Fault(Fault),
    Wait(watch::Receiver<()>),
}

/// The scripts of all endpoints.
#[derive(Default)]
pub(super) struct Faults {
    scripts: Vec<(Endpoint, Fault, usize)>,
    holds: Vec<(Endpoint, watch::Receiver<()>)>,
}

impl Faults {
    #[track_caller]
    pub(super) fn script(&mut self, endpoint: Endpoint, fault: Fault, times: usize) {
        fault.check();
        self.scripts.push((endpoint, fault, times));
    }

    pub(super) fn hold(&mut self, endpoint: Endpoint) -> Hold {
        let (sender, receiver) = watch::channel(());
        self.holds.push((endpoint, receiver));
        Hold { _open: sender }
    }

    /// Takes what is scripted for one call: holds first, then the oldest fault that is not used up.
    pub(super) fn take(&mut self, endpoint: Endpoint) -> Vec<Step> {
        // A receiver whose sender is gone belongs to a hold that was released.
        self.holds.retain(|(_, receiver)| receiver.has_changed().is_ok());
        self.scripts.retain(|(_, _, left)| *left > 0);

        let mine = |(of, _): &&(Endpoint, _)| *of == endpoint;
        let mut steps: Vec<Step> = self.holds.iter().filter(mine).map(|(_, hold)| Step::Wait(hold.clone())).collect();
        if let Some((_, fault, left)) = self.scripts.iter_mut().find(|(of, ..)| *of == endpoint) {
            *left -= 1;
            steps.push(Step::Fault(fault.clone()));
        }
        steps
    }
}

/// Waits until the hold is released.
pub(super) async fn released(mut hold: watch::Receiver<()>) {
    // The sender sends nothing; an error says that it is gone.
    while hold.changed().await.is_ok() {}
}
