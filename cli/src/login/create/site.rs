//! The answers of the page on this machine, as a function of the request, without a network.

use ghapp_protocol::secret::Secret;
use url::form_urlencoded;

use super::manifest::Manifest;
use super::page;

/// Where GitHub sends the browser back to.
const CALLBACK: &str = "/callback";
/// Where the browser goes when the user cancels.
const CANCEL: &str = "/cancel";

/// How the registration ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// GitHub has registered the App.
    Code(Secret),
    /// The user cancelled.
    Cancelled,
    /// A browser was sent here by a page that does not know the state.
    Forged,
}

/// An answer to a browser.
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// A whole page.
    pub(super) page: String,
    /// The outcome, if this request ends the login.
    pub(super) outcome: Option<Outcome>,
}

/// The pages of one login.
pub(super) struct Site {
    /// The `Host` that a request must have. A foreign page that makes its own name lead here (DNS rebinding) has another.
    host: String,
    /// The start page's secret name: a user who cannot read this terminal cannot read the state on that page.
    ticket: Secret,
    /// The value that GitHub gives back to the browser, so that only a browser that was on the start page can bring a code.
    state: Secret,
    start: String,
    form_target: String,
    /// Whether the page has had its one use.
    used: bool,
}

impl Site {
    /// The pages at `host`, which is an address and a port.
    pub(super) fn new(host: &str, manifest: &Manifest, ticket: Secret, state: Secret) -> Self {
        let action = manifest.action(state.expose());
        let cancel = format!("{CANCEL}?state={}", state.expose());
        let json = manifest.json(&format!("http://{host}{CALLBACK}"));
        Self {
            start: page::start(manifest, &action, &json, &cancel),
            form_target: format!("https://{}", manifest.host),
            host: host.to_owned(),
            ticket,
            state,
            used: false,
        }
    }

    /// The start page.
    pub(super) fn url(&self) -> String {
        format!("http://{}/{}", self.host, self.ticket.expose())
    }

    /// Where the start page's form leads.
    pub(super) fn form_target(&self) -> &str {
        &self.form_target
    }

    /// Answers a request by its method, its target and its `Host`.
    pub(super) fn answer(&mut self, method: &str, path: &str, query: &str, host: Option<&str>) -> Answer {
        if host != Some(self.host.as_str()) {
            return refuse(403, "This page is not for you", "It was asked for under another name than its own.");
        }
        if method != "GET" {
            return refuse(405, "Not here", "This page can only be looked at.");
        }
        match path {
            CALLBACK | CANCEL if self.used => {
                refuse(410, "Already used", "This page works once, and it has been used. Return to your terminal.")
            }
            CALLBACK => self.come_back(query),
            CANCEL => self.cancel(query),
            _ if path.strip_prefix('/') == Some(self.ticket.expose()) => {
                Answer { status: 200, page: self.start.clone(), outcome: None }
            }
            _ => refuse(404, "Nothing here", "Open the address that your terminal shows."),
        }
    }

    fn come_back(&mut self, query: &str) -> Answer {
        self.used = true;
        let (state, code) = (one(query, "state"), one(query, "code"));
        match code {
            Some(code) if self.is_mine(state.as_ref()) && !code.expose().is_empty() => {
                Answer { status: 200, page: page::done(), outcome: Some(Outcome::Code(code)) }
            }
            _ => forged(),
        }
    }

    fn cancel(&mut self, query: &str) -> Answer {
        self.used = true;
        if !self.is_mine(one(query, "state").as_ref()) {
            return forged();
        }
        let text = "Nothing was created and nothing was stored. You can close this page.";
        Answer { status: 200, page: page::notice("Cancelled", text), outcome: Some(Outcome::Cancelled) }
    }

    /// Only one attempt is possible, so the time that it takes gives nothing away.
    fn is_mine(&self, state: Option<&Secret>) -> bool {
        state.is_some_and(|state| state.expose() == self.state.expose())
    }
}

/// The value of a parameter that occurs once. With two of them it would be unclear which one counts.
fn one(query: &str, name: &str) -> Option<Secret> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let value = values.next()?.1.into_owned();
    values.next().is_none().then(|| Secret::new(value))
}

fn refuse(status: u16, title: &str, text: &str) -> Answer {
    Answer { status, page: page::notice(title, text), outcome: None }
}

fn forged() -> Answer {
    let text = "Whatever sent you here is not part of the login that your terminal waits for. The login has ended, and nothing was \
                stored. Start again in the terminal.";
    Answer { status: 400, page: page::notice("This is not your login", text), outcome: Some(Outcome::Forged) }
}

#[cfg(test)]
mod tests {
    use ghapp_protocol::remote::Host;
    use ghapp_protocol::secret::Secret;

    use super::{Manifest, Outcome, Site};
    use ghapp_agent::model::{Level, Permissions};

    const HOST: &str = "127.0.0.1:4000";

    fn site() -> Site {
        let manifest = Manifest {
            host: Host::parse("github.com").unwrap(),
            organization: None,
            name: "mona-git".to_owned(),
            permissions: Permissions::of([("contents", Level::Write)]),
        };
        Site::new(HOST, &manifest, Secret::new("ticket".to_owned()), Secret::new("state".to_owned()))
    }

    #[test]
    fn only_the_exact_address_shows_the_page() {
        let mut site = site();
        assert_eq!(site.url(), "http://127.0.0.1:4000/ticket");
        let mut status = |method, path, host| site.answer(method, path, "", host).status;
        assert_eq!(status("GET", "/ticket", Some(HOST)), 200);
        assert_eq!(status("GET", "/ticket", Some(HOST)), 200, "a page may be loaded again");
        for path in ["/", "/ticket/", "//ticket", "/Ticket", "/favicon.ico", "/callback/", "ticket"] {
            assert_eq!(status("GET", path, Some(HOST)), 404, "{path}");
        }
        for host in
            [None, Some("localhost:4000"), Some("127.0.0.1"), Some("evil.example:4000"), Some("127.0.0.1:4000.")]
        {
            assert_eq!(status("GET", "/ticket", host), 403, "{host:?}");
        }
        for method in ["POST", "HEAD", "OPTIONS", "get"] {
            assert_eq!(status(method, "/ticket", Some(HOST)), 405, "{method}");
        }
        assert_eq!(status("GET", "/callback", Some("evil.example")), 403);
        assert!(!site.used, "nothing of that was the one use");
    }

    #[test]
    fn a_code_counts_with_the_state_and_once() {
        let mut site = site();
        let answer = site.answer("GET", "/callback", "code=c0de&state=state", Some(HOST));
        assert!(matches!(&answer.outcome, Some(Outcome::Code(code)) if code.expose() == "c0de"));
        let again = site.answer("GET", "/callback", "code=c0de&state=state", Some(HOST));
        assert_eq!((again.status, again.outcome.is_none()), (410, true));
    }

    #[test]
    fn whoever_does_not_know_the_state_ends_the_login() {
        for query in [
            "",
            "code=c0de",
            "state=state",
            "code=&state=state",
            "code=c0de&state=",
            "code=c0de&state=State",
            "code=c0de&state=state&state=state",
            "code=c0de&code=other&state=state",
        ] {
            let answer = site().answer("GET", "/callback", query, Some(HOST));
            assert!(matches!(answer.outcome, Some(Outcome::Forged)) && answer.status == 400, "{query}");
        }
        let cancelled = |query| site().answer("GET", "/cancel", query, Some(HOST)).outcome;
        assert!(matches!(cancelled("state=state"), Some(Outcome::Cancelled)));
        assert!(matches!(cancelled("state=other"), Some(Outcome::Forged)));
    }

    #[test]
    fn the_secrets_are_where_they_belong() {
        let mut site = site();
        let page = site.answer("GET", "/ticket", "", Some(HOST)).page;
        assert!(page.contains("action=\"https://github.com/settings/apps/new?state=state\""), "{page}");
        assert!(page.contains("href=\"/cancel?state=state\""), "{page}");
        let others = site.answer("GET", "/", "", Some(HOST)).page;
        assert!(!others.contains("state=") && !others.contains("ticket"), "{others}");
    }
}
