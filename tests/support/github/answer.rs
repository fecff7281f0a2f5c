//! Answers in GitHub's form: JSON for the API, plain text for git, and the headers both have.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// Every body is held in memory: repositories of tests are small.
pub(super) type Answer = Response<Full<Bytes>>;

/// The `documentation_url` of answers that are about no endpoint in particular.
pub(super) const DOCS: &str = "https://docs.github.com/rest";

/// A call that is refused, with GitHub's words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: String,
    pub(super) documentation_url: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal { status, message: message.into(), documentation_url: DOCS.to_owned() }
    }

    /// 404 as GitHub words it, with the page of the endpoint that was called.
    pub(super) fn not_found(page: &str) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "Not Found").documented(page)
    }

    /// Names the page below <https://docs.github.com/rest> that documents the endpoint.
    pub(super) fn documented(mut self, page: &str) -> Refusal {
        self.documentation_url = format!("{DOCS}/{page}");
        self
    }

    /// The refusal of the REST API.
    pub(super) fn into_json(self) -> Answer {
        let body = json!({
            "message": self.message,
            "documentation_url": self.documentation_url,
            "status": self.status.as_str(),
        });
        json_answer(self.status, &body)
    }

    /// The refusal of the git server, which git shows as `remote: MESSAGE`; a 401 says how to authenticate.
    pub(super) fn into_text(self) -> Answer {
        let mut answer = text_answer(self.status, self.message);
        if self.status == StatusCode::UNAUTHORIZED {
            let realm = HeaderValue::from_static("Basic realm=\"GitHub\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, realm);
        }
        answer
    }
}

pub(super) fn json_answer(status: StatusCode, body: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    set_header(&mut answer, CONTENT_TYPE, "application/json; charset=utf-8");
    answer
}

pub(super) fn text_answer(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    set_header(&mut answer, CONTENT_TYPE, "text/plain; charset=utf-8");
    answer
}

pub(super) fn empty_answer(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// Sets a header to a text that is known to be valid in one.
pub(super) fn set_header(answer: &mut Answer, name: HeaderName, value: &str) {
    let value = HeaderValue::from_str(value).expect("a header's value is one visible line");
    answer.headers_mut().insert(name, value);
}
